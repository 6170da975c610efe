"""Binary Concrete as a layer."""

import torch
from torch import Tensor

from softdraw.arguments import check_floating, read_mask
from softdraw.estimators import Estimator
from softdraw.functional import gumbel_sigmoid
from softdraw.nn.choice import Choice, Evaluation
from softdraw.nn.layer import ChoiceLayer
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.random.source import layer_key, one_source
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule


class GumbelSigmoid(ChoiceLayer):
    """An on-off choice for every element: noisy and differentiable in training, thresholded in eval mode.

    The two Gumbel-Softmax estimators draw by ``softdraw.gumbel_sigmoid``, which needs half the noise of two
    classes; every other estimator sees the two classes ``[logit, 0]``.

    Reference:
        Maddison, Mnih and Teh, The Concrete Distribution, ICLR 2017, appendix B.

    Args:
        tau: a float, a 0-dim tensor or a schedule; None takes the estimator's own default.
        estimator: a name or an object; ``"st-gumbel-softmax"`` gives zeros and ones, ``"gumbel-softmax"``
            values between.
        evaluation: in eval mode ``"argmax"`` (on where the logit is above 0), ``"sample"`` or ``"mean"`` (the
            probability).
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: taken and ignored: the layer has no parameters.
        dtype: see ``device``.

    Raises:
        ValueError: as ``Choice``.

    Shapes:
        ``[*]`` to ``[*]``.

    Example:
        Gates that learn which features of a linear model matter:

        >>> import torch, softdraw as sd
        >>> x = torch.randn(256, 3, generator=torch.Generator().manual_seed(0))
        >>> target = x @ torch.tensor([1.0, 0.0, -1.0])
        >>> layer, logits = sd.nn.GumbelSigmoid(), torch.zeros(3, requires_grad=True)
        >>> for step in range(100):
        ...     gate = layer(logits.expand(256, 3), key=sd.Key(0).fold_in(step))
        ...     loss = ((x * gate) @ torch.tensor([1.0, 1.0, -1.0]) - target).square().mean()
        ...     (grad,) = torch.autograd.grad(loss, logits)
        ...     logits = (logits - grad).detach().requires_grad_()
        >>> layer.eval()(logits)
        tensor([1., 0., 1.])
    """

    def __init__(
        self,
        tau: float | Tensor | Schedule | None = None,
        *,
        estimator: str | Estimator = "st-gumbel-softmax",
        evaluation: Evaluation = "argmax",
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.choice = Choice(estimator, tau, evaluation, group=group, device=device, dtype=dtype)

    def forward(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw one value for each logit.

        Args:
            logits: log odds of any shape.
            mask: boolean, broadcastable to the logits, True where an element may be on; the others are
                exactly 0.
            key: the noise.
            generator: where to take a fresh key from.

        Returns:
            The shape and dtype of the logits.

        Raises:
            TypeError: logits that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: a mask that does not broadcast or is on another device, or both ``key`` and
                ``generator``.
        """
        if is_symbol(logits):
            return record_module(self, logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        if not self.training:
            check_floating("logits", logits)
            return self._evaluate(logits, read_mask(mask, logits), key, generator)
        return self.choice.binary_sample(logits, mask=mask, key=key, generator=generator)

    def _evaluate(
        self, logits: Tensor, mask: Tensor | None, key: Key | None, generator: torch.Generator | None
    ) -> Tensor:
        if key is not None or generator is not None:
            one_source(key, generator)
        if self.choice.evaluation == "mean":
            value = torch.sigmoid(logits)
        elif self.choice.evaluation == "sample":
            key, generator = layer_key(key, generator, self.choice.ranks)
            value = gumbel_sigmoid(logits, hard=True, key=key, generator=generator)
        else:
            value = (logits > 0).to(logits.dtype)
        return (value if mask is None else torch.where(mask, value, 0.0)).contiguous()

    def reset_parameters(self) -> None:
        """Reset a learned temperature; the layer has no other parameter."""
        self.choice.reset_parameters()
