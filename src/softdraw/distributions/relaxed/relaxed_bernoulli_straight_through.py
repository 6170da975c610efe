"""Binary samples with the gradient and the density of the relaxed ones."""

from typing import ClassVar

from softdraw.distributions.relaxed.relaxed_bernoulli import RelaxedBernoulli


class RelaxedBernoulliStraightThrough(RelaxedBernoulli):
    """``rsample`` gives exact zeros and ones; their gradient and ``log_prob`` are the relaxed sample's.

    The binary sample carries the logit of the relaxed one as ``RelaxedOneHotCategoricalStraightThrough``
    does. A plain 0 or 1 is an error in ``log_prob`` when arguments are validated, and gives the limit
    otherwise.

    Reference:
        Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017, section 2.2.

    Args:
        temperature: as for ``RelaxedBernoulli``.
        probs: as for ``RelaxedBernoulli``.
        logits: as for ``RelaxedBernoulli``.
        validate_args: as for ``RelaxedBernoulli``.
        mask: as for ``RelaxedBernoulli``.

    Raises:
        TypeError, ValueError: as ``RelaxedBernoulli``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.distributions.RelaxedBernoulliStraightThrough(0.5, probs=torch.tensor([0.2, 0.9]))
        >>> z = d.rsample((100,), key=sd.Key(0))
        >>> z.unique(), d.log_prob(z[3:].reshape(-1, 2)).isfinite().all()
        (tensor([0., 1.]), tensor(True))
    """

    _straight_through: ClassVar[bool] = True
