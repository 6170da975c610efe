"""One-hot samples with the gradient and the density of the relaxed ones."""

from typing import ClassVar

from softdraw.distributions.relaxed.relaxed_one_hot_categorical import RelaxedOneHotCategorical


class RelaxedOneHotCategoricalStraightThrough(RelaxedOneHotCategorical):
    """``rsample`` gives exact one-hot rows; their gradient and ``log_prob`` are the relaxed sample's.

    The one-hot row carries the log-space value of the relaxed one through ``clone``, ``detach``, indexing,
    ``reshape``, ``stack`` and conversions. A one-hot row without it lies on the boundary of the simplex:
    ``log_prob`` says so in a ValueError when arguments are validated, and gives the limit otherwise.

    Reference:
        Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017, section 2.2.

    Args:
        temperature: as for ``RelaxedOneHotCategorical``.
        probs: as for ``RelaxedOneHotCategorical``.
        logits: as for ``RelaxedOneHotCategorical``.
        validate_args: as for ``RelaxedOneHotCategorical``.
        mask: as for ``RelaxedOneHotCategorical``.

    Raises:
        TypeError, ValueError: as ``RelaxedOneHotCategorical``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.RelaxedOneHotCategoricalStraightThrough(0.5, logits=torch.zeros(4))
        >>> z = d.rsample(key=sd.Key(0))
        >>> z.sum(), d.log_prob(z.clone()).isfinite()
        (tensor(1.), tensor(True))
        >>> d.log_prob(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        Traceback (most recent call last):
        ...
        ValueError: value: got 1 of 1 rows on the boundary of the simplex...
    """

    _straight_through: ClassVar[bool] = True
