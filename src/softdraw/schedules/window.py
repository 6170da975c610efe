"""Sums over the gradients that ``Adaptive`` has seen since its last decision."""

from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from softdraw.kernels.formulas import wide

__all__ = ["Measured", "Window"]


class Measured(NamedTuple):
    """What a window of gradients says: rows seen, share of dead rows, variance of a row."""

    rows: int
    dead: float
    variance: float


class Window:
    """Counts of rows, dead rows, squared norms and sums of rows, kept on the gradient's device.

    Nothing is read back until ``measure``, so observing costs no synchronisation. Rows of different numbers
    of classes are summed apart, so several layers can share one window.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.sums: dict[int, Tensor] = {}

    def add(self, grad: Tensor, valid: Tensor | None = None) -> None:
        """Take in ``grad`` ``[*batch, classes]``; ``valid`` ``[*batch]`` is False for rows to leave out."""
        rows = grad.detach().reshape(-1, grad.shape[-1]).float()
        keep = torch.isfinite(rows).all(-1)
        if valid is not None:
            keep = keep & valid.expand(grad.shape[:-1]).reshape(-1)
        rows = torch.where(keep[:, None], rows, 0.0)
        squares = rows.square().sum(-1)
        dead = keep & (squares.sqrt() < self.threshold)
        # float64 holds counts exactly and sums without drift; MPS has no float64.
        dtype = wide(grad.device)
        counts = torch.stack([keep.sum(), dead.sum(), squares.sum(dtype=dtype)]).to(dtype)
        update = torch.cat([counts, rows.sum(0, dtype=dtype)])
        classes = grad.shape[-1]
        known = self.sums.get(classes)
        self.sums[classes] = update if known is None else known.to(update.device) + update

    def measure(self) -> Measured:
        """Share of dead rows and total variance of a row around the mean row, over all ranks."""
        rows = dead = squares = mean_part = 0.0
        for sums in self._over_ranks():
            count, died, square, *total = sums.tolist()
            rows, dead, squares = rows + count, dead + died, squares + square
            mean_part += sum(t * t for t in total) / max(count, 1.0)
        if rows == 0.0:
            return Measured(0, 0.0, 0.0)
        return Measured(int(rows), dead / rows, max(0.0, (squares - mean_part) / rows))

    def _over_ranks(self) -> list[Tensor]:
        """The sums for each number of classes; a rank that saw fewer, or none, takes part all the same."""
        mine = sorted(self.sums)
        if not (dist.is_available() and dist.is_initialized()):
            return [self.sums[classes] for classes in mine]
        device = _collective_device()
        most = torch.tensor(len(mine), device=device)
        dist.all_reduce(most, dist.ReduceOp.MAX)
        if not int(most):
            return []
        padded = torch.full((int(most),), -1, device=device)
        padded[: len(mine)] = torch.tensor(mine, dtype=padded.dtype, device=device)
        gathered = [torch.empty_like(padded) for _ in range(dist.get_world_size())]
        dist.all_gather(gathered, padded)
        known = sorted({classes for rank in gathered for classes in rank.tolist()} - {-1})
        parts = []
        for classes in known:
            own = self.sums.get(classes)
            size = classes + 3
            parts.append(torch.zeros(size) if own is None else own)
        flat = torch.cat([part.to(device, torch.float64) for part in parts])
        dist.all_reduce(flat)
        return list(torch.split(flat, [classes + 3 for classes in known]))

    def state(self) -> dict[str, list[float]]:
        """The sums in plain Python types."""
        return {str(classes): sums.tolist() for classes, sums in self.sums.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Take over the sums of ``state``."""
        self.sums = {int(classes): torch.tensor(s, dtype=torch.float64) for classes, s in state.items()}


def _collective_device() -> torch.device:
    """Where all ranks can sum, also one that has seen no gradient and so knows no device."""
    if "cpu" in dist.get_backend_config():
        return torch.device("cpu")
    accelerator = torch.accelerator.current_accelerator()
    return torch.device("cpu") if accelerator is None else accelerator
