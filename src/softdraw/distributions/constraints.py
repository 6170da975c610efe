"""The simplex with its boundary, in the precision of the sample."""

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints, transform_to
from torch.distributions.transforms import SoftmaxTransform, StickBreakingTransform, Transform

from softdraw.kernels.formulas import wide


class ClosedSimplex(constraints.Constraint):
    """Non-negative rows that sum to one as well as their dtype allows; rows of zeros where ``empty``.

    ``torch.distributions.constraints.simplex`` allows a sum to be off by 1e-6 in every dtype, which rejects
    what a softmax returns in half precision or over many classes.
    """

    is_discrete = False
    event_dim = 1

    def __init__(self, empty: Tensor | None = None) -> None:
        self._empty = empty
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Boolean ``[*batch]`` for values ``[*batch, classes]``."""
        info = torch.finfo(value.dtype)
        # Every entry is rounded: by half an eps of itself, or by half the smallest step near zero.
        slack = max(1e-6, 4 * info.eps + value.shape[-1] * info.eps * info.smallest_normal)
        total = value.sum(-1, dtype=wide(value.device))
        inside = (value >= 0).all(-1)
        right = (total - 1.0).abs() <= slack
        if self._empty is not None:
            right = torch.where(self._empty, total == 0, right)
        return inside & right


@biject_to.register(ClosedSimplex)  # type: ignore[no-untyped-call, untyped-decorator]
def _biject_to_simplex(constraint: ClosedSimplex) -> Transform:
    return StickBreakingTransform()


@transform_to.register(ClosedSimplex)  # type: ignore[no-untyped-call, untyped-decorator]
def _transform_to_simplex(constraint: ClosedSimplex) -> Transform:
    return SoftmaxTransform()
