"""Gumbel-Softmax as a layer."""

from collections.abc import Sequence

import torch
from torch import Tensor

from softdraw.arguments import class_dim, read_count, read_mask, wrong_value
from softdraw.estimators import Estimator
from softdraw.nn.choice import Choice, Evaluation
from softdraw.nn.layer import ChoiceLayer
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule


class GumbelSoftmax(ChoiceLayer):
    """A categorical choice: noisy and differentiable in training, ``argmax`` in eval mode.

    Reference:
        Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017.

    Args:
        tau: a float, a 0-dim tensor or a schedule; None takes the estimator's own default.
        estimator: a name or an object; ``"st-gumbel-softmax"`` gives one-hot rows, ``"gumbel-softmax"`` soft
            ones, ``"reinmax"`` one-hot rows with ReinMax's gradient.
        evaluation: in eval mode ``"argmax"``, ``"sample"`` (an exact draw) or ``"mean"`` (the probabilities).
        dim: the dimension of the classes.
        sizes: the sizes of the blocks that the last dim consists of, such as ``[3, 5, 2]``, each a choice of
            its own; None for one choice.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: taken and ignored: the layer has no parameters.
        dtype: see ``device``.

    Raises:
        TypeError: as ``Choice``, or ``dim`` is no int.
        ValueError: as ``Choice``, or ``sizes`` beside another ``dim`` than the last.

    Shapes:
        ``[*, classes, *]`` to the same, with ``classes`` at ``dim``.

    Example:
        A layer that learns to pick the class of largest reward:

        >>> import torch, softdraw as sd
        >>> layer = sd.nn.GumbelSoftmax(tau=sd.schedules.Exponential(1.0, 0.5, rate=0.01))
        >>> logits, reward = torch.zeros(64, 3, requires_grad=True), torch.tensor([0.0, 1.0, 0.5])
        >>> for step in range(50):
        ...     loss = -(layer(logits, key=sd.Key(0).fold_in(step)) @ reward).mean()
        ...     (grad,) = torch.autograd.grad(loss, logits)
        ...     logits = (logits - 20 * grad).detach().requires_grad_()
        ...     layer.schedule.step()
        >>> layer.eval()(logits).mean(0)
        tensor([0., 1., 0.])
    """

    def __init__(
        self,
        tau: float | Tensor | Schedule | None = None,
        *,
        estimator: str | Estimator = "st-gumbel-softmax",
        evaluation: Evaluation = "argmax",
        dim: int = -1,
        sizes: Sequence[int] | None = None,
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.choice = Choice(estimator, tau, evaluation, group=group, sizes=sizes, device=device, dtype=dtype)
        self.dim = read_count("dim", dim, -(2**31))
        if sizes is not None and self.dim != -1:
            raise wrong_value("dim", dim, "-1 beside sizes, which are blocks of the last dim")

    def forward(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw one row for each row of ``logits``.

        Args:
            logits: ``[*, classes, *]``.
            mask: boolean, broadcastable to the logits, True where a class is allowed.
            key: the noise.
            generator: where to take a fresh key from.

        Returns:
            The same shape and dtype, contiguous; masked classes are exactly 0.

        Raises:
            TypeError, ValueError: as ``Choice.forward``, or logits without the dim of the classes.
        """
        if type(logits) is not Tensor and is_symbol(logits):
            return record_module(self, logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        if self.dim == -1 or (dim := class_dim(logits, self.dim)) == logits.dim() - 1:
            return self.choice(logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        if mask is not None:
            mask = read_mask(mask, logits, logits.shape).movedim(dim, -1)
        rows: Tensor = self.choice(logits.movedim(dim, -1), mask=mask, key=key, generator=generator)
        return rows.movedim(-1, dim).contiguous()

    def reset_parameters(self) -> None:
        """Reset a learned temperature; the layer has no other parameter."""
        self.choice.reset_parameters()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"dim={self.dim}"
