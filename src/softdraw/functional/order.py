"""Which k entries of a row are the largest: the order that draws, modes and relaxations share."""

import torch
from torch import Tensor

from softdraw.arguments import sizes_of
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import largest

__all__ = ["best_first", "k_hot", "ranked"]


def ranked(values: Tensor, allowed: Tensor) -> Tensor:
    """Values to be compared, without gradient: what is allowed is above what is not, even at ``-inf``."""
    return torch.where(allowed, values.detach().clamp(min=torch.finfo(values.dtype).min), -torch.inf)


def best_first(values: Tensor, k: int) -> Tensor:
    """Indices ``[*, k]`` of the k largest of ``[*, n]``, best first; among equals the lower index comes
    first.

    ``torch.topk`` picks any of equals, and another one on another device.
    """
    if k == 0:
        return torch.zeros((*values.shape[:-1], 0), dtype=torch.int64, device=values.device)
    if k == sizes_of(values)[-1] or torch.onnx.is_in_onnx_export():
        return largest(values, k)
    best, index = values.topk(k, dim=-1)
    least = best[..., -1:]
    # Only equals of the k-th can be the wrong ones. Noise makes them rare, so on the CPU, where looking costs
    # little, they are looked for.
    look = is_plain(values) and values.is_cpu
    if not look or bool(((values >= least).sum(-1) > k).any()):
        above, equal = values > least, values == least
        room = k - above.sum(-1, keepdim=True)
        chosen = above | (equal & (equal.long().cumsum(-1) <= room))
        # Only -inf of what is not chosen is below -inf of what is: finite ranks keep them apart.
        floor = torch.finfo(values.dtype).min
        index = torch.where(chosen, values.clamp(min=floor), -torch.inf).topk(k, dim=-1).indices
    index = index.sort(dim=-1).values
    order = values.gather(-1, index).sort(dim=-1, descending=True, stable=True).indices
    return index.gather(-1, order)


def k_hot(values: Tensor, allowed: Tensor, k: int) -> Tensor:
    """True at the k largest allowed values of each row; at all of them where there are k or fewer."""
    index = best_first(ranked(values, allowed), k)
    return torch.zeros_like(allowed).scatter(-1, index, 1) & allowed
