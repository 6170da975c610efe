"""Draw distinct joint states of independent variables, and the probabilities that such a draw needs."""

import math

import torch
from torch import Tensor

__all__ = ["inclusion_weights", "sample_states"]


def sample_states(log_p: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """K distinct states with the largest perturbed log-probabilities, by stochastic beam search.

    Every state's log-probability carries its own Gumbel noise, and the k largest sums are a draw without
    replacement. The search keeps k prefixes and conditions the noise of a prefix's children on the prefix's
    own, so C^D sums are never formed (Kool, van Hoof, Welling, "Stochastic Beams and Where to Find Them",
    ICML 2019, algorithm 1).

    Args:
        log_p: ``[*batch, D, C]`` float64 log-probabilities, ``-inf`` where a class is not allowed.
        noise: ``[k, *batch, D, C]`` Gumbel noise.

    Returns:
        Classes ``[m, *batch, D]`` and log-probabilities ``[m, *batch]`` of m = min(k, C^D) states, the
        largest perturbed value first. States of probability zero come last, with ``-inf``.
    """
    limit, classes = noise.shape[0], log_p.shape[-1]
    batch = log_p.shape[:-2]
    state_log_p = torch.zeros(1, *batch, dtype=log_p.dtype, device=log_p.device)
    perturbed = state_log_p
    chosen = torch.zeros(1, *batch, 0, dtype=torch.int64, device=log_p.device)
    for d in range(log_p.shape[-2]):
        width = state_log_p.shape[0]
        child = state_log_p.unsqueeze(-1) + log_p[..., d, :]
        raw = child + noise[:width, ..., d, :].to(log_p.dtype)
        top = raw.amax(-1, keepdim=True)
        # move the children's maximum to the parent's value (equation 23 of the paper's appendix)
        shift = perturbed.unsqueeze(-1) - raw + torch.log1p(-torch.exp((raw - top).clamp(max=0.0)))
        moved = perturbed.unsqueeze(-1) - shift.clamp_min(0.0) - torch.log1p(torch.exp(-shift.abs()))
        moved = torch.where(child == -math.inf, child, moved)
        flat = moved.movedim(-1, 1).flatten(0, 1)  # [width * C, *batch]
        keep = min(limit, width * classes)
        perturbed, where = flat.topk(keep, dim=0)
        state_log_p = child.movedim(-1, 1).flatten(0, 1).gather(0, where)
        parent = (where // classes).unsqueeze(-1)
        history = chosen.gather(0, parent.expand(*where.shape, d)) if d else chosen.expand(keep, *batch, 0)
        chosen = torch.cat([history, (where % classes).unsqueeze(-1)], -1)
    return chosen, state_log_p


def inclusion_weights(log_w: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of the unordered-set estimator.

    Write P(A) for the probability that the members of A come before everything outside the set S, of total
    mass R = 1 - w(S), when items arrive in a race with rates w: P(A) = sum over s in A of
    w_s P(A without s) / (R + w(A)), P(empty) = 1. Then R(S, s) = P(S without s) / P(S) is Kool's
    leave-one-out ratio, and R(S without s, s') = P(S without s, s') / P(S without s) its second order. All
    terms are positive, so nothing cancels; the work is k 2^k for any number of states.

    Args:
        log_w: ``[k, *batch]`` log-probabilities of the members; ``-inf`` (a slot without a state) only at the
            end.

    Returns:
        ``p(s) R(S, s)`` as ``[k, *batch]`` and ``p(s') R(S without s, s')`` as ``[k, k, *batch]`` (first s,
        then s'), with p(s) on the diagonal.
    """
    k = log_w.shape[0]
    full = (1 << k) - 1
    w = log_w.exp()
    rest = (1.0 - w.sum(0)).clamp_min(0.0)
    log_race = {0: torch.zeros_like(rest)}
    for members in range(1, full + 1):
        inside = [s for s in range(k) if members >> s & 1]
        terms = torch.stack([log_w[s] + log_race[members ^ (1 << s)] for s in inside])
        total = (rest + w[inside].sum(0)).log()
        last = inside[-1]
        # a slot without a state is as good as absent
        absent = log_w[last] == -math.inf
        value = terms.logsumexp(0) - total
        log_race[members] = torch.where(absent, log_race[members ^ (1 << last)], value)
    first = torch.stack([log_w[s] + log_race[full ^ (1 << s)] - log_race[full] for s in range(k)])
    second = torch.stack(
        [
            torch.stack(
                [
                    log_w[t]
                    if t == s
                    else log_w[t] + log_race[full ^ (1 << s) ^ (1 << t)] - log_race[full ^ (1 << s)]
                    for t in range(k)
                ]
            )
            for s in range(k)
        ]
    )
    return first.exp(), second.exp()
