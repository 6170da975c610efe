"""Sums, marginals and draws of matchings by a recursion over sets of rows, in differentiable PyTorch.

Columns come one after another; a state is the set of rows that have a column already, a number whose bit i
stands for row i. With n rows and m columns that is O(m n 2^n), for a permanent of which nothing fast is
known. Log weights are ``[*, n, m]`` in a wide dtype, with ``NOTHING`` for a pair that is not allowed;
``size`` ``[*]`` is how many pairs a matching has.

Reference:
    Ryser, "Combinatorial mathematics", 1963, for permanents; the recursion is Held and Karp's, 1962.
"""

import torch
from torch import Tensor

__all__ = ["NOTHING", "backward_sums", "draw", "forward_sums", "log_sum", "marginals"]

#: the logarithm of a weight of 0; below half of it a sum has no matching
NOTHING = -1e30


def forward_sums(x: Tensor) -> list[Tensor]:
    """Log of the sum over partial matchings of the first columns, for each set of rows ``[*, 2^n]``."""
    n, m = x.shape[-2:]
    less, _ = _neighbours(n, x)
    last = x.new_full((*x.shape[:-2], 2**n), NOTHING)
    last = torch.where(torch.arange(2**n, device=x.device) == 0, 0.0, last)
    found = [last]
    for j in range(m):
        last = torch.logsumexp(_options(last, x[..., j], less), -1)
        found.append(last)
    return found


def backward_sums(x: Tensor, size: Tensor) -> list[Tensor]:
    """Log of the sum over what the columns from each on may add, for each set of rows ``[*, 2^n]``."""
    n, m = x.shape[-2:]
    _, more = _neighbours(n, x)
    last = torch.where(_sizes(n, x) == size.unsqueeze(-1), 0.0, NOTHING).to(x.dtype)
    last = last.expand(*x.shape[:-2], 2**n)
    found = [last]
    for j in range(m - 1, -1, -1):
        last = torch.logsumexp(_options(last, x[..., j], more), -1)
        found.append(last)
    return found[::-1]


def log_sum(forward: list[Tensor], size: Tensor) -> Tensor:
    """Log of the sum over matchings of ``size`` pairs, ``[*]``."""
    return torch.logsumexp(_whole(forward[-1], size), -1)


def marginals(x: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """``log_sum``, and how probable each pair is, ``[*, n, m]``."""
    n, m = x.shape[-2:]
    forward, backward = forward_sums(x), backward_sums(x, size)
    total = log_sum(forward, size)
    none = total < NOTHING / 2
    level = torch.where(none, 0.0, total)[..., None, None]
    _, more = _neighbours(n, x)
    columns = []
    for j in range(m):
        after = _options(backward[j + 1], x[..., j], more)[..., 1:]
        columns.append(torch.exp((forward[j].unsqueeze(-1) + after - level).clamp(max=1.0)).sum(-2))
    return total, torch.where(none[..., None, None], 0.0, torch.stack(columns, -1))


def draw(x: Tensor, size: Tensor, noise: Tensor) -> Tensor:
    """Exact draws, boolean ``[*, n, m]``, from the last column back, each choice a Gumbel-Max draw.

    Args:
        x: ``[*, n, m]``.
        size: ``[*]``.
        noise: Gumbel noise ``[*, 2^n + m (n + 1)]``, with more dims in front, if need be.
    """
    n, m = x.shape[-2:]
    less, _ = _neighbours(n, x)
    forward = forward_sums(x)
    state = (_whole(forward[-1], size) + noise[..., : 2**n]).argmax(-1)
    choices = noise[..., 2**n :].reshape(*noise.shape[:-1], m, n + 1)
    columns = []
    for j in range(m - 1, -1, -1):
        options = _options(forward[j], x[..., j], less)
        options = options.expand(*state.shape, *options.shape[-2:])
        index = state[..., None, None].expand(*state.shape, 1, n + 1)
        best = (options.gather(-2, index).squeeze(-2) + choices[..., j, :]).argmax(-1)
        row = torch.arange(1, n + 1, device=x.device) == best.unsqueeze(-1)
        state = state - (row * 2 ** torch.arange(n, device=x.device)).sum(-1)
        columns.append(row)
    return torch.stack(columns[::-1], -1)


def _options(last: Tensor, weights: Tensor, neighbours: tuple[Tensor, Tensor]) -> Tensor:
    """What leads to each set: nothing, or the pair with row i and another set before, ``[*, 2^n, 1 + n]``."""
    place, possible = neighbours
    paired = torch.where(possible, last[..., place] + weights.unsqueeze(-2), NOTHING)
    return torch.cat((last.unsqueeze(-1), paired), -1).clamp(min=2 * NOTHING)


def _neighbours(n: int, like: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The sets without and with row i ``[2^n, n]``, each with where that is another set."""
    state = torch.arange(2**n, device=like.device).unsqueeze(-1)
    bit = 2 ** torch.arange(n, device=like.device)
    has = (state // bit) % 2 == 1
    return (torch.where(has, state - bit, state), has), (torch.where(has, state, state + bit), ~has)


def _sizes(n: int, like: Tensor) -> Tensor:
    """How many rows are in each set, ``[2^n]``."""
    return _neighbours(n, like)[0][1].sum(-1)


def _whole(last: Tensor, size: Tensor) -> Tensor:
    n = (last.shape[-1] - 1).bit_length()
    return torch.where(_sizes(n, last) == size.unsqueeze(-1), last, NOTHING)
