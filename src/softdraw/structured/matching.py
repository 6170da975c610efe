"""``Matching``: permutations, and matchings of rows with columns."""

import itertools
import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from softdraw._torch import is_readable
from softdraw.arguments import check_floating, read_sample_shape, wrong_value
from softdraw.functional import gumbel_sinkhorn
from softdraw.kernels.formulas import compute_dtype, wide
from softdraw.kernels.structures import matching_operations, matchings
from softdraw.kernels.structures.matchings import NOTHING
from softdraw.random import Key
from softdraw.structured.base import Structured
from softdraw.structured.parameters import expected, read_allowed

__all__ = ["Matching"]

#: rows (or columns, if there are fewer) for which the law is computed: 2^n sets of them
_MOST = 8


class Matching(Structured):
    """p(M) proportional to exp(Σ scores over the pairs of M), M a matching that leaves nobody out.

    With n rows and m columns it has min(n, m) pairs: a permutation for n = m, else each one of the smaller
    side has a partner of its own. The log partition is that of a permanent, for which nothing fast is known:
    probabilities, marginals, entropy and draws are exact up to min(n, m) = 8, and a ``ValueError`` beyond.
    The mode and the relaxation have no such limit.

    Rows and columns without an allowed pair are padding. Where no matching is possible the log partition is
    ``-inf``, and samples, mode and marginals are zeros.

    Args:
        scores: ``[*batch, n, m]`` of any floating dtype; ``-inf`` is a pair that is not allowed.
        mask: boolean, broadcastable to the scores, False where a pair is not allowed.
        validate_args: check arguments and values; torch's default.

    Raises:
        TypeError: scores that are not floating, or a mask that is not boolean.
        ValueError: fewer than two dims, no row or no column, values of NaN or ``+inf``, or a mask that does
            not broadcast; when asked for a law of more than 8.
        ImportError: SciPy is not installed, and the mode or a hard relaxation is asked for.

    Shapes:
        ``sample(s)``: zeros and ones ``[*s, *batch, n, m]`` in the dtype of the scores; ``log_prob``:
        ``[*s, *batch]``; ``marginals``: ``[*batch, n, m]``.

    Example:
        >>> import torch, softdraw as sd
        >>> d = sd.structured.Matching(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        >>> d.mode
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
        >>> d.log_prob(d.mode).exp(), d.marginals.diagonal()
        (tensor(0.6642), tensor([0.7541, 0.7541, 0.7541]))
        >>> d.sample(key=sd.Key(0)).sum(0)
        tensor([1., 1., 1.])

    Reference:
        Mena, Belanger, Linderman, Snoek, "Learning latent permutations with Gumbel-Sinkhorn networks", ICLR
        2018, for the relaxation.
    """

    _tensors: ClassVar[dict[str, int]] = {"scores": 2, "_allowed": 2}
    _called = "matchings"
    scores: Tensor
    _allowed: Tensor

    def __init__(
        self, scores: Tensor, *, mask: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        check_floating("scores", scores)
        if scores.dim() < 2 or 0 in scores.shape[-2:]:
            raise wrong_value("scores", scores, "shape [*batch, n, m] with n and m of 1 or more")
        self.scores = scores
        self._allowed = read_allowed("scores", scores, mask, validate_args)
        empty = torch.zeros((), dtype=torch.bool, device=scores.device)
        self._initialise(scores.shape[:-2], scores.shape[-2:], scores.dtype, empty, validate_args)

    @property
    def log_partition(self) -> Tensor:
        """Log of the sum over matchings, ``[*batch]``: for n = m, of the permanent of exp(scores)."""
        x, size = self._weights()
        return self._open(matchings.log_sum(matchings.forward_sums(x), size)).to(compute_dtype(self._dtype))

    @property
    def marginals(self) -> Tensor:
        """How probable each pair is, ``[*batch, n, m]``."""
        return self._means()[1].to(self._dtype)

    @property
    def mode(self) -> Tensor:
        """A matching of the largest sum of scores, ``[*batch, n, m]``, of any size (linear assignment)."""
        values = self.scores.detach().to(compute_dtype(self._dtype))
        best = matching_operations.assignment(torch.where(self._allowed, values, -math.inf))
        # one that leaves somebody out is none
        whole = best.sum((-2, -1)) == self._pairs()
        return torch.where(whole[..., None, None] | torch.isnan(best), best, 0.0).to(self._dtype)

    def entropy(self) -> Tensor:
        """Entropy ``[*batch]`` in nats: log partition less the expected score."""
        total, means = self._means()
        finite = torch.where(self._allowed, self.scores, 0.0).to(means.dtype)
        value = total - (means * finite).sum((-2, -1))
        return torch.where(total < NOTHING / 2, 0.0, value).to(compute_dtype(self._dtype))

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
        tolerance: float = 1e-3,
        max_iterations: int = 10_000,
    ) -> Tensor:
        """``softdraw.gumbel_sinkhorn`` of the scores: a matrix whose rows and columns sum to 1, or to less.

        As tau tends to 0 it tends to the best matching of the perturbed scores, **which is not a draw from
        this law**: for normal 3 x 3 scores the total variation between the two is some 0.09.

        Args:
            tau: the temperature: a number, or a tensor with one for each matrix.
            hard: the best matching of the perturbed scores, with the gradient of the soft one; needs SciPy.
            sample_shape: leading shape of the result.
            key: the name of the noise, with a row for each matrix.
            generator: a source of a fresh key.
            tolerance: the largest error of a row's sum.
            max_iterations: where to give up, with a warning.

        Returns:
            ``[*sample_shape, *batch, n, m]`` in the dtype of the scores.

        Raises:
            TypeError, ValueError: as ``softdraw.gumbel_sinkhorn``.
        """
        shape = read_sample_shape(sample_shape)
        noise = self._noise("gumbel", self.scores.flatten(-2), shape, key, generator)
        return gumbel_sinkhorn(
            self.scores.expand(*shape, *self.scores.shape),
            tau,
            hard,
            tolerance=tolerance,
            max_iterations=max_iterations,
            mask=self._allowed,
            noise=noise.reshape(*shape, *self.scores.shape),
        )

    def _pairs(self) -> Tensor:
        """How many pairs a matching has, ``[*batch]``."""
        return torch.minimum(self._allowed.any(-1).sum(-1), self._allowed.any(-2).sum(-1))

    def _weights(self) -> tuple[Tensor, Tensor]:
        """Log weights with the fewer side as rows, and the number of pairs."""
        n, m = self.event_shape
        if min(n, m) > _MOST:
            raise ValueError(
                f"scores: got {n} x {m}, expected at most {_MOST} rows or columns for the law, whose sum has "
                "no fast algorithm; mode and relax take any size"
            )
        x = torch.where(self._allowed, self.scores.to(wide(self.scores.device)), NOTHING)
        return x.mT if n > m else x, self._pairs()

    def _means(self) -> tuple[Tensor, Tensor]:
        total, means = matchings.marginals(*self._weights())
        return total, means.mT if self._transposed() else means

    def _transposed(self) -> bool:
        return self.event_shape[0] > self.event_shape[1]

    def _open(self, total: Tensor) -> Tensor:
        return torch.where(total < NOTHING / 2, -math.inf, total)

    def _draw(self, samples: int, key: Key | None, generator: torch.Generator | None) -> Tensor:
        x, size = (value.detach() for value in self._weights())
        n, m = x.shape[-2:]
        like = x.new_empty((*x.shape[:-2], 2**n + m * (n + 1)))
        noise = self._noise("gumbel", like, (samples,), key, generator)
        drawn = matchings.draw(x, size, noise)
        total = matchings.log_sum(matchings.forward_sums(x), size)
        drawn = drawn & (total >= NOTHING / 2)[..., None, None]
        return (drawn.mT if self._transposed() else drawn).to(self._dtype)

    def _is_structure(self, value: Tensor) -> Tensor:
        binary = ((value == 0) | (value == 1)).flatten(-2).all(-1)
        return binary & (value.sum(-1) <= 1).all(-1) & (value.sum(-2) <= 1).all(-1)

    def _log_density(self, value: Tensor) -> Tensor:
        x, size = self._weights()
        total = matchings.log_sum(matchings.forward_sums(x), size)
        none = total < NOTHING / 2
        scores = torch.where(self._allowed, self.scores.to(x.dtype), -math.inf)
        score = expected(value.to(x.dtype), scores, 2)
        right = value.sum((-2, -1)) == torch.where(none, 0, size)
        return torch.where(right, score - torch.where(none, 0.0, total), -math.inf)

    def _sizes_there(self) -> list[int]:
        known = self._allowed.is_cpu and is_readable(self._allowed)
        return sorted(set(self._pairs().flatten().tolist())) if known else [min(self.event_shape)]

    def _count(self) -> int:
        n, m = self.event_shape
        return sum(math.comb(n, size) * math.perm(m, size) for size in self._sizes_there())

    def _structures(self) -> Tensor:
        n, m = self.event_shape
        device = self.scores.device
        found = []
        for size in self._sizes_there():
            rows = torch.tensor(
                list(itertools.combinations(range(n), size)), dtype=torch.int64, device=device
            )
            columns = torch.tensor(
                list(itertools.permutations(range(m), size)), dtype=torch.int64, device=device
            )
            place = (rows.unsqueeze(1) * m + columns).reshape(len(rows) * len(columns), size)
            flat = torch.zeros(len(place), n * m, dtype=self._dtype, device=device).scatter(-1, place, 1.0)
            found.append(flat.reshape(-1, n, m))
        return torch.cat(found)


@register_kl(Matching, Matching)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_matching(p: Matching, q: Matching) -> Tensor:
    """KL divergence ``[*batch]``: ``inf`` where ``p`` may take what ``q`` may not.

    Raises:
        ValueError: either has more than 8 rows and columns.
    """
    total, means = p._means()
    other = q.log_partition.to(total.dtype)
    none = total < NOTHING / 2
    here = torch.where(p._allowed, p.scores, 0.0).to(total.dtype)
    there = torch.where(q._allowed, q.scores.to(total.dtype), -math.inf)
    cost = (means * here).sum((-2, -1)) - expected(means, there, 2)
    value = cost + torch.where(torch.isfinite(other), other, 0.0) - torch.where(none, 0.0, total)
    same = (p._pairs() == q._pairs()) & (other > -math.inf)
    dtype = compute_dtype(torch.promote_types(p._dtype, q._dtype))
    return torch.where(none, 0.0, torch.where(same, value, math.inf)).to(dtype)
