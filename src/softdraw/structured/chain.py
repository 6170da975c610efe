"""``Chain``: sequences of states with weights for each state and for each pair of neighbours."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from softdraw._torch import is_readable
from softdraw.arguments import (
    check_broadcasts,
    check_classes,
    check_floating,
    read_sample_shape,
    read_tau,
    wrong_type,
    wrong_value,
)
from softdraw.functional import straight_through
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype, one_hot, wide
from softdraw.kernels.structures import chains
from softdraw.kernels.structures.chains import NOTHING
from softdraw.random import Key
from softdraw.structured.base import Structured
from softdraw.structured.heated import heated
from softdraw.structured.parameters import read_allowed, validates

__all__ = ["Chain"]


class Chain(Structured):
    """p(s) proportional to exp(Σ unary[t, s_t] + Σ pairwise[t, s_t, s_{t+1}]): a linear-chain CRF.

    Sequences of several lengths make a batch: from its length on, a row of a sample is zeros. Draws are exact
    (forward sums, then Gumbel-Max from the last step back) and do not depend on the padding. A sequence that
    is not possible at all has log partition ``-inf``, and samples, mode and marginals of zeros.

    Args:
        unary: ``[*batch, T, K]`` of any floating dtype, a logit for each state at each step; ``-inf`` is a
            state that is not allowed.
        pairwise: ``[*batch, T - 1, K, K]``, broadcastable to that: from the state of a step to that of the
            next. ``[K, K]`` is one matrix for all steps.
        lengths: integers ``[*batch]`` from 0 to T; T, unless given.
        mask: boolean, broadcastable to ``unary``, False where a state is not allowed.
        validate_args: check arguments and values; torch's default.

    Raises:
        TypeError: logits that are not floating, lengths that are no integers, a mask that is not boolean.
        ValueError: shapes that do not fit, lengths out of range, values of NaN or ``+inf``.

    Shapes:
        ``sample(s)``: one-hot ``[*s, *batch, T, K]`` in the dtype of ``unary``; ``log_prob``: ``[*s,
        *batch]``; ``marginals``: ``[*batch, T, K]``; ``pairwise_marginals``: ``[*batch, T - 1, K, K]``.

    Example:
        >>> import torch, softdraw as sd
        >>> unary = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
        >>> stay = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
        >>> d = sd.structured.Chain(unary, stay)
        >>> d.mode.argmax(-1), d.marginals[:, 0]
        (tensor([0, 0, 0]), tensor([0.6108, 0.5000, 0.3892]))
        >>> path = d.sample(key=sd.Key(0))
        >>> path.shape, path.sum(-1)
        (torch.Size([3, 2]), tensor([1., 1., 1.]))

    Reference:
        Lafferty, McCallum, Pereira, "Conditional random fields", ICML 2001; Rabiner, "A tutorial on hidden
        Markov models", 1989, for the recursions.
    """

    _tensors: ClassVar[dict[str, int]] = {"unary": 2, "pairwise": 3, "lengths": 0, "_allowed": 2}
    _called = "paths of one-hot states"
    unary: Tensor
    pairwise: Tensor
    lengths: Tensor
    _allowed: Tensor

    def __init__(
        self,
        unary: Tensor,
        pairwise: Tensor,
        lengths: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        check_classes("unary", unary, "[*batch, T, K]")
        if unary.shape[-2] == 0:
            raise wrong_value("unary", unary, "shape [*batch, T, K] with 1 step or more")
        check_floating("pairwise", pairwise)
        batch, (steps, states) = unary.shape[:-2], unary.shape[-2:]
        self.unary, self._allowed = unary, read_allowed("unary", unary, mask, validate_args)
        self.pairwise = check_broadcasts("pairwise", pairwise, (*batch, steps - 1, states, states))
        read_allowed("pairwise", self.pairwise, None, validate_args)
        if lengths is None:
            lengths = torch.full((), steps, device=unary.device)
        elif (
            not isinstance(lengths, Tensor) or lengths.dtype.is_floating_point or lengths.dtype == torch.bool
        ):
            raise wrong_type("lengths", lengths, "a tensor of ints")
        self.lengths = check_broadcasts("lengths", lengths, batch)
        if (
            validates(validate_args)
            and is_readable(lengths)
            and bool(((lengths < 0) | (lengths > steps)).any())
        ):
            raise wrong_value("lengths", lengths.tolist(), f"ints from 0 to {steps}")
        empty = torch.zeros((), dtype=torch.bool, device=unary.device)
        self._initialise(batch, (steps, states), unary.dtype, empty, validate_args)

    @property
    def log_partition(self) -> Tensor:
        """Log of the sum over paths, ``[*batch]``; 0 for a length of 0, ``-inf`` where none is possible."""
        unary, pairwise = self._weights()
        total = chains.log_sum(chains.forward_sums(unary, pairwise, self.lengths), self.lengths)
        return torch.where(total < NOTHING / 2, -math.inf, total).to(self._compute())

    @property
    def marginals(self) -> Tensor:
        """How probable each state is at each step, ``[*batch, T, K]``."""
        return self._means(*self._weights())[1].to(self._dtype)

    @property
    def pairwise_marginals(self) -> Tensor:
        """How probable each pair of states is at each two steps, ``[*batch, T - 1, K, K]``."""
        return self._means(*self._weights())[2].to(self._dtype)

    @property
    def mode(self) -> Tensor:
        """A path of the largest score, one-hot ``[*batch, T, K]`` (Viterbi)."""
        unary, pairwise = (value.detach() for value in self._weights())
        return self._best(unary, pairwise).to(self._dtype)

    def entropy(self) -> Tensor:
        """Entropy ``[*batch]`` in nats: log partition less the expected score."""
        unary, pairwise = self._weights()
        total, means, pairs = self._means(unary, pairwise)
        value = total - (means * unary).sum((-2, -1)) - (pairs * pairwise).sum((-3, -2, -1))
        return torch.where(total < NOTHING / 2, 0.0, value).to(self._compute())

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The marginals of the law with (unary + Gumbel noise) / tau and pairwise / tau.

        As tau tends to 0 the result tends to the best path of the perturbed weights, **which is not a draw
        from this law** unless the steps are independent.

        Args:
            tau: the temperature: a number, or a tensor with one for each sequence. 0 gives the best path
                without gradient, ``inf`` the marginals of the uniform law.
            hard: the best path of the perturbed weights, with the gradient of the marginals.
            sample_shape: leading shape of the result.
            key: the name of the noise, which does not depend on T.
            generator: a source of a fresh key.

        Returns:
            ``[*sample_shape, *batch, T, K]`` in the dtype of ``unary``.

        Raises:
            TypeError, ValueError: a ``tau``, ``sample_shape`` or source of noise that does not fit.
        """
        shape = read_sample_shape(sample_shape)
        tau = read_tau(tau, self.unary.flatten(-2), eager=is_plain(self.unary))
        unary, pairwise = self._weights()
        unary = unary + self._perturbation(shape, key, generator)
        rate = (tau if isinstance(tau, Tensor) else torch.full((), tau, device=unary.device)).to(unary.dtype)
        rate = rate.reshape(*rate.shape, 1, 1)
        cold = rate == 0
        soft = self._means(*self._heated(unary, pairwise, rate))[1]
        best = None
        if hard or (not isinstance(tau, Tensor) and tau == 0) or (is_plain(rate) and bool(cold.any())):
            best = self._best(unary.detach(), pairwise.detach())
            soft = torch.where(cold, best + soft * 0.0, soft)
        return (straight_through(best, soft) if hard and best is not None else soft).to(self._dtype)

    def _weights(self) -> tuple[Tensor, Tensor]:
        dtype = wide(self.unary.device)
        unary, pairwise = self.unary.to(dtype), self.pairwise.to(dtype)
        if self.event_shape[0] == 1:
            unary = unary + pairwise.sum()  # of no numbers: 0, and keeps them in the graph
        possible = pairwise.detach() != -math.inf
        return torch.where(self._allowed, unary, NOTHING), torch.where(possible, pairwise, NOTHING)

    def _heated(self, unary: Tensor, pairwise: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        possible = pairwise > NOTHING / 2
        return (
            torch.where(self._allowed, heated(unary, self._allowed, rate, 1), NOTHING),
            torch.where(possible, heated(pairwise, possible, rate.unsqueeze(-1), 2), NOTHING),
        )

    def _means(self, unary: Tensor, pairwise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log of the sum, and marginals of states and of pairs."""
        lengths = self.lengths
        ahead = torch.stack(chains.backward_sums(unary, pairwise, lengths), -2)
        steps = chains.forward_sums(unary, pairwise, lengths)
        total = chains.log_sum(steps, lengths)
        forward = torch.stack(steps, -2)
        none = (total < NOTHING / 2)[..., None, None]
        level = torch.where(none, 0.0, total[..., None, None])
        inside = self._inside()
        means = torch.exp((forward + ahead - level).clamp(max=1.0))
        means = torch.where(inside.unsqueeze(-1) & ~none, means, 0.0)
        after = (unary + ahead)[..., 1:, :].unsqueeze(-2)
        pairs = forward[..., :-1, :].unsqueeze(-1) + pairwise + after - level.unsqueeze(-1)
        pairs = torch.exp(pairs.clamp(max=1.0))
        pairs = torch.where(inside[..., 1:, None, None] & ~none.unsqueeze(-1), pairs, 0.0)
        return total, means, pairs

    def _best(self, unary: Tensor, pairwise: Tensor) -> Tensor:
        forward = chains.forward_sums(unary, pairwise, self.lengths, torch.amax)
        path = chains.walks(forward, pairwise, self.lengths, None)
        return self._one_hot(path, forward[-1].amax(-1), unary.dtype)

    def _draw(self, samples: int, key: Key | None, generator: torch.Generator | None) -> Tensor:
        unary, pairwise = self._weights()
        noise = self._perturbation((samples,), key, generator)
        forward = chains.forward_sums(unary, pairwise, self.lengths)
        path = chains.walks(forward, pairwise, self.lengths, noise)
        return self._one_hot(path, chains.log_sum(forward, self.lengths), self._dtype)

    def _one_hot(self, path: Tensor, total: Tensor, dtype: torch.dtype) -> Tensor:
        there = self._inside() & (total >= NOTHING / 2).unsqueeze(-1)
        bad = torch.where(torch.isnan(total), torch.nan, 0.0).unsqueeze(-1)
        index = torch.where(there, path, -1)
        return one_hot(index, self.event_shape[-1], dtype, bad.expand(index.shape))

    def _inside(self) -> Tensor:
        """Which steps there are, boolean ``[*batch, T]``."""
        return torch.arange(self.event_shape[0], device=self.lengths.device) < self.lengths.unsqueeze(-1)

    def _perturbation(
        self, sample_shape: tuple[int, ...], key: Key | None, generator: torch.Generator | None
    ) -> Tensor:
        noise = self._noise("gumbel", self.unary.flatten(-2), sample_shape, key, generator)
        return noise.reshape(*sample_shape, *self.unary.shape).to(wide(noise.device))

    def _compute(self) -> torch.dtype:
        return compute_dtype(self._dtype)

    def _is_structure(self, value: Tensor) -> Tensor:
        binary = ((value == 0) | (value == 1)).flatten(-2).all(-1)
        path = (value.sum(-1) == self._inside()).all(-1)
        return binary & (path | (value == 0).flatten(-2).all(-1))

    def _log_density(self, value: Tensor) -> Tensor:
        unary, pairwise = self._weights()
        z = value.to(unary.dtype)
        total = chains.log_sum(chains.forward_sums(unary, pairwise, self.lengths), self.lengths)
        pairs = z[..., :-1, :].unsqueeze(-1) * z[..., 1:, :].unsqueeze(-2)
        score = (z * unary).sum((-2, -1)) + (pairs * pairwise).sum((-3, -2, -1))
        zero = (value == 0).flatten(-2).all(-1)
        none = total < NOTHING / 2
        alone = torch.where(zero, 0.0, -math.inf).to(score.dtype)
        possible = (score > NOTHING / 2) & (~zero | (self.lengths == 0))
        density = torch.where(possible, score - torch.where(none, 0.0, total), -math.inf)
        return torch.where(none, alone, density)

    def _lengths_there(self) -> list[int]:
        steps = self.event_shape[0]
        return (
            sorted(set(self.lengths.flatten().tolist()))
            if self.lengths.is_cpu and is_readable(self.lengths)
            else [steps]
        )

    def _count(self) -> int:
        states = self.event_shape[-1]
        return sum(states**length for length in self._lengths_there())

    def _structures(self) -> Tensor:
        steps, states = self.event_shape
        found = []
        for length in self._lengths_there():
            number = torch.arange(states**length, device=self.unary.device).unsqueeze(-1)
            place = states ** torch.arange(length - 1, -1, -1, device=number.device)
            path = torch.full((len(number), steps), -1, device=number.device)
            path[:, :length] = number // place % states
            found.append(one_hot(path, states, self._dtype))
        return torch.cat(found)


@register_kl(Chain, Chain)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_chain(p: Chain, q: Chain) -> Tensor:
    """KL divergence ``[*batch]``: ``inf`` where ``p`` may take what ``q`` may not, or the lengths differ."""
    unary, pairwise = p._weights()
    total, means, pairs = p._means(unary, pairwise)
    other_unary, other_pairwise = q._weights()
    other = q.log_partition.to(total.dtype)
    none = total < NOTHING / 2
    cost = (means * (unary - other_unary)).sum((-2, -1))
    cost = cost + (pairs * (pairwise - other_pairwise)).sum((-3, -2, -1))
    value = cost + torch.where(torch.isfinite(other), other, 0.0) - torch.where(none, 0.0, total)
    within = (p.lengths == q.lengths) & (other > -math.inf) & (value < -NOTHING / 1e20)
    dtype = compute_dtype(torch.promote_types(p._dtype, q._dtype))
    return torch.where(none, 0.0, torch.where(within, value, math.inf)).to(dtype)
