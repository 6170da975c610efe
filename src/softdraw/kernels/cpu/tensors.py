"""How tensors are handed to the C loops."""

import torch
from torch import Tensor

__all__ = ["DTYPES", "dense"]

#: as ``enum dtype`` in ``src/job.h`` has them
DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}


def dense(mask: Tensor, classes: int) -> tuple[Tensor, int]:
    """The mask as the loops read it, and its stride from row to row: 0 for one of all rows."""
    if mask.stride(-1) == 1 and not any(mask.stride()[:-1]):
        return mask, 0
    return mask.contiguous(), classes
