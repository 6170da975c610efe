"""What laws of k of the n items of a row share: their logits, and how those are read."""

from typing import ClassVar

import torch
from torch import Tensor

from softdraw.arguments import check_classes, read_count, sizes_of
from softdraw.structured.base import Structured
from softdraw.structured.parameters import read_allowed

__all__ = ["ItemLaw"]


class ItemLaw(Structured):
    """A law of k of n items, with logits ``[*batch, n]``."""

    _tensors: ClassVar[dict[str, int]] = {"_logits": 1, "_allowed": 1}
    _options: ClassVar[tuple[str, ...]] = ("k",)
    k: int
    _logits: Tensor
    _allowed: Tensor

    def _read(self, logits: Tensor, k: int, mask: Tensor | None, validate_args: bool | None) -> None:
        check_classes("logits", logits, "[*batch, n]")
        self.k = read_count("k", k, 0, sizes_of(logits)[-1])
        self._logits = logits
        self._allowed = read_allowed("logits", logits, mask, validate_args)

    @property
    def logits(self) -> Tensor:
        """The logits ``[*batch, n]``; ``-inf`` where an item is masked."""
        return torch.where(self._allowed, self._logits, -torch.inf)

    @property
    def param_shape(self) -> torch.Size:
        """The shape of the logits."""
        return self._logits.shape
