"""Sums, marginals and draws of chains of states, in differentiable PyTorch.

Log weights are floats in a wide dtype, with ``NOTHING`` where a state or a step is not allowed. Steps at or
beyond the length of a row change nothing.
"""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["NOTHING", "backward_sums", "forward_sums", "log_sum", "walks"]

#: the logarithm of a weight of 0; below half of it a sum has no path
NOTHING = -1e30


def forward_sums(
    unary: Tensor,
    pairwise: Tensor,
    lengths: Tensor,
    gather: Callable[[Tensor, int], Tensor] = torch.logsumexp,
) -> list[Tensor]:
    """Log of the sum over paths that end in each state, for each step ``[*, K]``.

    Args:
        unary: ``[*, T, K]``.
        pairwise: ``[*, T - 1, K, K]``, from the state of the earlier step to that of the later.
        lengths: ``[*]``; from there on the result is that of the last step.
        gather: maxima in the place of sums give the scores of best paths.
    """
    last = unary[..., 0, :]
    found = [last]
    for t in range(1, unary.shape[-2]):
        step = unary[..., t, :] + gather(last.unsqueeze(-1) + pairwise[..., t - 1, :, :], -2)
        last = torch.where((t < lengths).unsqueeze(-1), step, last)
        found.append(last)
    return found


def backward_sums(unary: Tensor, pairwise: Tensor, lengths: Tensor) -> list[Tensor]:
    """Log of the sum over what may follow each state, for each step ``[*, K]``; 0 at the last."""
    last = torch.zeros_like(unary[..., 0, :])
    found = [last]
    for t in range(unary.shape[-2] - 2, -1, -1):
        ahead = unary[..., t + 1, :] + last
        step = torch.logsumexp(pairwise[..., t, :, :] + ahead.unsqueeze(-2), -1)
        last = torch.where((t + 1 < lengths).unsqueeze(-1), step, 0.0)
        found.append(last)
    return found[::-1]


def log_sum(forward: list[Tensor], lengths: Tensor) -> Tensor:
    """Log of the sum over all paths ``[*]``; 0 for a length of 0."""
    return torch.where(lengths > 0, torch.logsumexp(forward[-1], -1), 0.0)


def walks(forward: list[Tensor], pairwise: Tensor, lengths: Tensor, noise: Tensor | None) -> Tensor:
    """The states ``[*samples, *, T]`` of exact draws, from the last step back, each a Gumbel-Max draw.

    Args:
        forward: ``forward_sums``; those of maxima, without noise, give the best path.
        pairwise: ``[*, T - 1, K, K]``.
        lengths: ``[*]``; the states from there on mean nothing.
        noise: Gumbel noise ``[*samples, *, T, K]``.
    """
    steps = len(forward)
    states: list[Tensor] = []
    for t in range(steps - 1, -1, -1):
        score = forward[t]
        if states:
            into = pairwise[..., t, :, :].mT
            after = states[-1]
            into = into.expand(*after.shape, *into.shape[-2:])
            index = after[..., None, None].expand(*after.shape, 1, into.shape[-1])
            chosen = into.gather(-2, index).squeeze(-2)
            score = score + torch.where((t + 1 < lengths).unsqueeze(-1), chosen, 0.0)
        states.append((score if noise is None else score + noise[..., t, :]).argmax(-1))
    return torch.stack(states[::-1], -1)
