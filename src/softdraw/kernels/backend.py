"""What a backend is: a module of the functions that ``reference`` defines and every other one repeats.

Tensors may have any strides; ``logits`` have their classes last and one class or more, ``mask`` is boolean in
their shape, ``tau`` is a float or a tensor of one value a row in the dtype that is computed in, ``seed`` and
``offset`` are signed 64-bit numbers. All tensors of a call lie on one device, and so does the result.
"""

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Backend"]


class Backend(Protocol):
    """The functions of ``kernels.reference``, ``kernels.cpu`` and ``kernels.triton``."""

    def name(self) -> str:
        """What ``softdraw.kernels.backend()`` answers."""

    def noise(
        self,
        law: str,
        samples: int,
        rows: int,
        classes: int,
        seed: int,
        offset: int,
        dtype: torch.dtype,
        device: torch.device,
        class_start: int = 0,
    ) -> Tensor:
        """Noise ``[samples, rows, classes]`` of ``law``: gumbel, logistic, exponential or uniform.

        The classes are ``[class_start, class_start + classes)`` of longer rows: a shard draws what the whole
        draws there.
        """

    def index(self, logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
        """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``; -1 where there is none."""

    def top_k(
        self, logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, k: int
    ) -> Tensor:
        """The k best classes by logits + Gumbel noise, int64 ``[samples, *logits.shape[:-1], k]``, best first
        and of equals the lower; -1 after the last allowed one.
        """

    def soft(
        self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
    ) -> Tensor:
        """Gumbel-Softmax samples in the logits' dtype."""

    def soft_backward(self, grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
        """Gradient of the logits for the upstream gradient ``grad`` of the soft sample ``y``."""

    def hard(self, logits: Tensor, mask: Tensor | None, seed: int, offset: int) -> Tensor:
        """One-hot samples in the logits' dtype."""

    def hard_with_index(
        self, logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int | None
    ) -> tuple[Tensor, Tensor]:
        """One-hot samples ``[samples, *logits.shape]`` and their indices; no first dim for ``None``."""

    def hard_backward(
        self, grad: Tensor, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
    ) -> Tensor:
        """Gradient of the soft sample at the same key, whose noise is made again."""

    def reinmax_backward(
        self, grad: Tensor, logits: Tensor, mask: Tensor | None, index: Tensor, tau: float | Tensor
    ) -> Tensor:
        """ReinMax's gradient ``[samples, *logits.shape]`` for the winners ``index``; tau is positive."""

    def rao_backward(
        self,
        grad: Tensor,
        logits: Tensor,
        mask: Tensor | None,
        index: Tensor,
        tau: float | Tensor,
        seed: int,
        offset: int,
        draws: int,
        group: int,
        reinmax: bool,
    ) -> Tensor:
        """Gumbel-Rao's gradient ``[samples, *logits.shape]`` for the winners ``index``; tau is positive.

        It is the mean over ``draws`` of the noise given the winner, ``group`` of which share a key; with
        ``reinmax`` it is ReinMax-Rao's.
        """
