"""Sums, marginals and draws of weighted arborescences by elimination of vertices, in differentiable PyTorch.

Let x be the logarithms of the weights and v the last vertex. Its incoming weight, with logarithm d, is a
factor of the sum over all arborescences, and what led through v leads past it afterwards: x_ij becomes
log(exp(x_ij) + exp(x_iv + x_vj - d)). Nothing is subtracted, so that no digit is lost at any scale, where
determinants of Laplacians lose all of them. The way back gives marginals, draws and the best arborescence.

Reference:
    Grassmann, Taksar, Heyman, "Regenerative analysis and steady state distributions for Markov chains",
    Operations Research 1985, for the elimination; the way back is derived in docs/structured-trees.md.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["NOTHING", "draws", "sums"]

#: the logarithm of a weight of 0; below half of it a sum has no arborescence
NOTHING = -1e30


def sums(logits: Tensor, direction: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Log of the sum over arborescences rooted at vertex 0, marginals, and their derivative in a direction.

    Args:
        logits: ``[*batch, n, n]``, the edge i -> j at ``[i, j]``, ``-inf`` where there is none.
        direction: in the shape of the logits; zeros, unless given.

    Returns:
        ``[*batch]`` and twice ``[*batch, n, n]``: ``-inf`` and zeros without an arborescence, NaN for NaN or
        ``+inf`` among the logits that are read.
    """
    n = logits.shape[-1]
    matrices, bad = _floored(logits)
    history = _eliminated(matrices)
    total = _log_sum(history)
    none = total < NOTHING / 2
    shape = (*logits.shape[:-2], 1, 1)
    p = logits.new_zeros(shape)
    tangents = _tangents(history, direction) if direction is not None else None
    dp = torch.zeros_like(p)
    for v in range(1, n):
        x = history[v]
        column, row = x[..., :v, v], x[..., v, :v]
        d = torch.logsumexp(column, -1, keepdim=True)
        past = column.unsqueeze(-1) + row.unsqueeze(-2) - d.unsqueeze(-1)
        share = torch.sigmoid(past - x[..., :v, :v]) * _off_diagonal(v, x)
        used = p * share
        choice = torch.softmax(column, -1)
        left = 1.0 - used.sum((-2, -1)).unsqueeze(-1)
        if tangents is not None:
            dx = tangents[v]
            dcolumn, drow = dx[..., :v, v], dx[..., v, :v]
            dd = (choice * dcolumn).sum(-1, keepdim=True)
            dpast = dcolumn.unsqueeze(-1) + drow.unsqueeze(-2) - dd.unsqueeze(-1)
            dshare = share * (1.0 - share) * (dpast - dx[..., :v, :v])
            dused = dp * share + p * dshare
            dchoice = choice * (dcolumn - dd)
            into = dchoice * left - choice * dused.sum((-2, -1)).unsqueeze(-1) + dused.sum(-1)
            dp = _bordered(dp - dused, into, dused.sum(-2))
        p = _bordered(p - used, choice * left + used.sum(-1), used.sum(-2))
    gone = none[..., None, None]
    p, dp = torch.where(gone, 0.0, p.clamp(0.0, 1.0)), torch.where(gone, 0.0, dp)
    total = torch.where(none, -torch.inf, total)
    wrong = bad[..., None, None]
    return (
        torch.where(bad, torch.nan, total),
        torch.where(wrong, torch.nan, p),
        torch.where(wrong, torch.nan, dp),
    )


def draws(logits: Tensor, noise: Tensor | None) -> Tensor:
    """The parent of each vertex in exact draws of arborescences, or in the best one.

    On the way back vertex v comes to an arborescence of the ones before it. Each of its edges is one that led
    through v, with the probability of its share; v takes their heads, and itself hangs on one of the vertices
    that the root still reaches, with probabilities as its incoming weights. That is exact, since the shares'
    other ends sum to what the root's side lacks (a weighted Cayley formula). It takes O(n^2) numbers a draw,
    at any scale of the logits, where a random walk (Wilson's) may take exponentially many steps.

    Args:
        logits: ``[rows, n, n]``, as for ``sums``.
        noise: Gumbel noise ``[samples, rows, n, n]``; without it the result is the best arborescence, the
            limit of draws as the logits grow.

    Returns:
        int64 ``[samples, rows, n]``, -1 for the root, and for all vertices of a graph without arborescence.
    """
    rows, n = logits.shape[:2]
    samples = 1 if noise is None else noise.shape[0]
    matrices, bad = _floored(logits)
    best = noise is None
    # with maxima in the place of sums the same identities hold, and the way back is one of maxima
    gather = _largest_of if best else _log_sum_of
    history = _eliminated(matrices, torch.maximum if best else _log_add, gather)
    parents = torch.zeros((samples, rows, n), dtype=torch.int64, device=logits.device)
    if noise is not None:
        waiting = torch.exp(-noise)
        logistic = torch.where(waiting > 30.0, -waiting, -torch.log(torch.expm1(waiting.clamp(max=30.0))))
    for v in range(1, n):
        x = history[v].expand(samples, *history[v].shape)
        column = x[..., :v, v]
        d = gather(column)
        tree = parents[..., :v]
        direct = x[..., :v, :v].gather(-2, tree.unsqueeze(-2)).squeeze(-2)
        past = column.gather(-1, tree) + x[..., v, :v] - d
        cut = past - direct > (0.0 if noise is None else -logistic[..., v, :v])
        cut[..., 0] = False
        # v stands for what hangs on it; pointers are doubled until they end there or at the root
        ends = torch.cat((torch.where(cut, v, tree), torch.full_like(tree[..., :1], v)), -1)
        for _ in range((v - 1).bit_length()):
            ends = ends.gather(-1, ends)
        score = column if noise is None else column + noise[..., :v, v]
        parents[..., v] = torch.where(ends[..., :v] == 0, score, -torch.inf).argmax(-1)
        parents[..., :v] = torch.where(cut, v, tree)
    parents[..., 0] = -1
    none = bad | (_log_sum(history) < NOTHING / 2)
    return torch.where(none.unsqueeze(-1), -1, parents)


def _floored(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Finite logarithms, with NOTHING on the diagonal and into the root, and which rows have NaN or +inf."""
    n = logits.shape[-1]
    read = ~torch.eye(n, dtype=torch.bool, device=logits.device)
    read[:, 0] = False
    some = read & (logits > NOTHING)
    bad = (read & ~(logits < torch.inf)).flatten(-2).any(-1)
    return torch.where(some & ~bad[..., None, None], logits, NOTHING), bad


def _log_add(a: Tensor, b: Tensor) -> Tensor:
    """``torch.logaddexp``, whose second derivative is NaN where a and b are far from each other."""
    first = a >= b
    return torch.where(first, a, b) + torch.log1p(torch.exp(torch.where(first, b - a, a - b)))


def _log_sum_of(column: Tensor) -> Tensor:
    return torch.logsumexp(column, -1, keepdim=True)


def _largest_of(column: Tensor) -> Tensor:
    return column.amax(-1, keepdim=True)


def _eliminated(
    x: Tensor,
    join: Callable[[Tensor, Tensor], Tensor] = _log_add,
    gather: Callable[[Tensor], Tensor] = _log_sum_of,
) -> list[Tensor]:
    """The matrices ``[*, v + 1, v + 1]`` before vertex v goes, at index v."""
    history = [x]
    for v in range(x.shape[-1] - 1, 0, -1):
        column = x[..., :v, v]
        past = column.unsqueeze(-1) + (x[..., v, :v] - gather(column)).unsqueeze(-2)
        kept = _off_diagonal(v, x) > 0
        x = torch.where(kept, join(x[..., :v, :v], past), NOTHING).clamp(min=NOTHING)
        history.append(x)
    return history[::-1]


def _tangents(history: list[Tensor], direction: Tensor) -> list[Tensor]:
    """The derivatives of the history's matrices in a direction."""
    dx = direction
    found = [dx]
    for v in range(len(history) - 1, 0, -1):
        x = history[v]
        column = x[..., :v, v]
        d = torch.logsumexp(column, -1, keepdim=True)
        dcolumn = dx[..., :v, v]
        dd = (torch.softmax(column, -1) * dcolumn).sum(-1, keepdim=True)
        past = column.unsqueeze(-1) + (x[..., v, :v] - d).unsqueeze(-2)
        dpast = dcolumn.unsqueeze(-1) + (dx[..., v, :v] - dd).unsqueeze(-2)
        inner = dx[..., :v, :v]
        share = torch.sigmoid(past - x[..., :v, :v]) * _off_diagonal(v, x)
        dx = inner + share * (dpast - inner)
        found.append(dx)
    return found[::-1]


def _log_sum(history: list[Tensor]) -> Tensor:
    """Log of the sum over arborescences: the product of what came into each vertex when it went."""
    total = history[0].new_zeros(history[0].shape[:-2])
    for v in range(1, len(history)):
        total = total + torch.logsumexp(history[v][..., :v, v], -1)
    return total


def _off_diagonal(v: int, like: Tensor) -> Tensor:
    return 1.0 - torch.eye(v, dtype=like.dtype, device=like.device)


def _bordered(inner: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """The matrix with one more column and row, and 0 in their corner."""
    upper = torch.cat((inner, column.unsqueeze(-1)), -1)
    lower = torch.cat((row, torch.zeros_like(row[..., :1])), -1)
    return torch.cat((upper, lower.unsqueeze(-2)), -2)
