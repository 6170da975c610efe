"""What the laws of trees share: elimination, draws, relaxations and the vertices of padding."""

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from softdraw._torch import is_readable, jit_traces
from softdraw.arguments import check_classes, read_sample_shape, read_tau, wrong_value
from softdraw.functional import straight_through
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype, wide
from softdraw.kernels.structures import trees
from softdraw.random import Key
from softdraw.structured.base import Structured
from softdraw.structured.heated import heated
from softdraw.structured.parameters import expected, read_allowed

__all__ = ["TreeLaw", "divergence", "oriented_trees", "reaches"]


class TreeLaw(Structured):
    """A law over trees of weighted graphs, as arborescences rooted at one vertex.

    A subclass says what its edges are in the arborescences: ``_symmetric``, ``_mirrored``, ``_collected``.
    """

    _tensors: ClassVar[dict[str, int]] = {"edge_logits": 2, "_allowed": 2}
    _options: ClassVar[tuple[str, ...]] = ("root", "_padded")
    #: over how many entries of the matrix an edge is spread
    _entries: ClassVar[int] = 1
    edge_logits: Tensor
    root: int
    _allowed: Tensor
    _padded: bool

    def _read(self, edge_logits: Tensor, mask: Tensor | None, validate_args: bool | None) -> None:
        check_classes("edge_logits", edge_logits, "[*batch, n, n]")
        n = edge_logits.shape[-1]
        if edge_logits.shape[-2] != n:
            raise wrong_value("edge_logits", edge_logits, "shape [*batch, n, n]: a number for each pair")
        none = torch.eye(n, dtype=torch.bool, device=edge_logits.device)
        hollow = edge_logits.masked_fill(none, -math.inf)  # the diagonal may hold anything
        self._allowed = read_allowed("edge_logits", hollow, mask, validate_args)
        self.edge_logits = edge_logits

    def _look_for_padding(self) -> None:
        # Where it cannot be told there may be some, which costs a few operations more.
        readable = self._allowed.is_cpu and is_readable(self._allowed) and not jit_traces()
        self._padded = not readable or not bool(self.vertices.all())

    @property
    def vertices(self) -> Tensor:
        """Boolean ``[*batch, n]``: vertices with an allowed edge; the others are padding."""
        return self._allowed.any(-1) | self._allowed.any(-2)

    @property
    def log_partition(self) -> Tensor:
        """Log of the sum over trees of exp(sum of logits), ``[*batch]``; ``-inf`` where there is none."""
        return self._sums(self.edge_logits)[0].to(compute_dtype(self._dtype))

    @property
    def marginals(self) -> Tensor:
        """How probable each edge is, ``[*batch, n, n]``; zeros where there is no tree."""
        return self._sums(self.edge_logits)[1].to(self._dtype)

    def entropy(self) -> Tensor:
        """Entropy ``[*batch]`` in nats: log Z - Σ marginal * logit."""
        logits = self._finite(self.edge_logits)
        total, marginals = self._sums(self.edge_logits)
        value = total - (marginals * logits).sum((-2, -1)) / self._entries
        return torch.where(total == -math.inf, 0.0, value).to(compute_dtype(self._dtype))

    @property
    def mode(self) -> Tensor:
        """A tree of the largest sum of logits, ``[*batch, n, n]``: by elimination with maxima for sums."""
        return self._best(self._finite(self.edge_logits.detach())).to(self._dtype)

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The marginals of the law with logits (edge_logits + Gumbel noise) / tau.

        One number of noise an edge. As tau tends to 0 the result tends to the best tree of the perturbed
        logits, **which is not a draw from this law**: of the triangle with weights 10, 1, 1 the first edge
        has probability 0.952, and is in the best perturbed tree with 0.985.

        Args:
            tau: the temperature: a number, or a tensor with one for each graph. 0 gives the best tree without
                gradient, ``inf`` the marginals of the uniform law.
            hard: the best tree of the perturbed logits, with the gradient of the marginals.
            sample_shape: leading shape of the result.
            key: the name of the noise, which does not depend on n.
            generator: a source of a fresh key.

        Returns:
            ``[*sample_shape, *batch, n, n]`` in the dtype of the logits.

        Raises:
            TypeError, ValueError: a ``tau``, ``sample_shape`` or source of noise that does not fit.
        """
        shape = read_sample_shape(sample_shape)
        tau = read_tau(tau, self.edge_logits.flatten(-2), eager=is_plain(self.edge_logits))
        finite = self._finite(self.edge_logits)
        noise = self._pairs("gumbel", self.edge_logits, shape, key, generator)
        z = finite + self._mirrored(noise)
        rate = (tau if isinstance(tau, Tensor) else torch.full((), tau, device=z.device)).to(z.dtype)
        rate = rate.reshape(*rate.shape, 1, 1)
        y = self._sums(heated(z, self._allowed, rate, 2))[1]
        cold = rate == 0
        best = None
        if hard or (not isinstance(tau, Tensor) and tau == 0) or (is_plain(rate) and bool(cold.any())):
            best = self._best(z.detach())
            y = torch.where(cold, best + y * 0.0, y)
        return (straight_through(best, y) if hard and best is not None else y).to(self._dtype)

    def _draw(self, samples: int, key: Key | None, generator: torch.Generator | None) -> Tensor:
        logits = self._finite(self.edge_logits.detach())
        noise = self._rooted(self._pairs("gumbel", logits, (samples,), key, generator))
        return self._tree_of(trees.draws(self._bridged(logits), noise)).to(self._dtype)

    def _best(self, logits: Tensor) -> Tensor:
        return self._tree_of(trees.draws(self._bridged(logits), None)[0]).to(logits.dtype)

    def _sums(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Log of the sum, and marginals, of logits in float64."""
        total, marginals = trees.sums(self._bridged(self._finite(logits)))
        edges = self._collected(marginals)
        return total, torch.where(self._allowed, edges, 0.0) if self._padded else edges

    def _finite(self, logits: Tensor) -> Tensor:
        """The logits in the dtype that is computed in, 0 where there is no edge."""
        values = torch.where(self._allowed, logits, 0.0).to(wide(logits.device))
        return self._symmetric(values)

    def _symmetric(self, values: Tensor) -> Tensor:
        return values

    def _mirrored(self, noise: Tensor) -> Tensor:
        """Noise with one number for each edge."""
        return noise

    def _rooted(self, matrix: Tensor) -> Tensor:
        """The matrix with the root first."""
        if self.root == 0:
            return matrix
        order = self._order(matrix.device)
        return matrix[..., order, :][..., order]

    def _order(self, device: torch.device) -> Tensor:
        others = [v for v in range(self.event_shape[-1]) if v != self.root]
        return torch.tensor([self.root, *others], device=device)

    def _bridged(self, logits: Tensor) -> Tensor:
        """Logits of arborescences with the root first, where vertices of padding hang on the root by an edge
        of weight 1: sums and marginals are those of the graph without them.
        """
        x = torch.where(self._allowed, logits, -math.inf)
        return self._rooted(torch.where(self._bridges(), 0.0, x) if self._padded else x)

    def _bridges(self) -> Tensor:
        """Edges from the root to the vertices of padding, boolean ``[*batch, n, n]``."""
        n = self.event_shape[-1]
        from_root = torch.arange(n, device=self._allowed.device).unsqueeze(-1) == self.root
        return from_root & ~self.vertices.unsqueeze(-2)

    def _collected(self, marginals: Tensor) -> Tensor:
        """Marginals of arborescences with the root first, as those of the edges."""
        if self.root == 0:
            return marginals
        order = self._order(marginals.device).argsort()
        return marginals[..., order, :][..., order]

    def _tree_of(self, parents: Tensor) -> Tensor:
        """The matrix ``[*, n, n]`` of an arborescence with the root first."""
        n = self.event_shape[-1]
        edges = torch.arange(n, device=parents.device).unsqueeze(-1) == parents.unsqueeze(-2)
        return self._collected(edges) & self._allowed

    def _pairs(
        self,
        law: str,
        like: Tensor,
        sample_shape: tuple[int, ...],
        key: Key | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Noise ``[*sample_shape, *batch, n, n]`` whose numbers do not change as vertices are appended."""
        n = like.shape[-1]
        noise = self._noise(law, like.flatten(-2), sample_shape, key, generator)
        i, j = torch.arange(n, device=like.device).unsqueeze(-1), torch.arange(n, device=like.device)
        larger = torch.maximum(i, j)
        place = larger * larger + torch.where(i >= j, j, larger + 1 + i)
        return noise[..., place]

    def _log_density(self, value: Tensor) -> Tensor:
        total, _ = self._sums(self.edge_logits)
        logits = torch.where(self._allowed, self._finite(self.edge_logits), -math.inf)
        score = expected(value.to(logits.dtype), logits, 2) / self._entries
        empty = total == -math.inf
        touched = (value != 0).any(-1) | (value != 0).any(-2)
        spans = torch.where(empty, ~touched.any(-1), (touched == self.vertices).all(-1))
        density = torch.where(empty, 0.0, score - torch.where(empty, 0.0, total))
        return torch.where(spans, density, -math.inf)

    def _vertex_sets(self) -> list[list[int]]:
        """The sets of vertices that the graphs of the batch have, where they can be told."""
        n = self.event_shape[-1]
        if not (self._allowed.is_cpu and is_readable(self._allowed)) or jit_traces():
            return [list(range(n))]
        rows = {tuple(row) for row in self.vertices.reshape(-1, n).tolist()}
        return [[v for v in range(n) if row[v]] for row in sorted(rows, reverse=True)]


def divergence(p: TreeLaw, q: TreeLaw) -> Tensor:
    """Σ over trees of p log(p / q), ``[*batch]``: ``inf`` where q cannot have a tree of p."""
    total, marginals = p._sums(p.edge_logits)
    other, _ = q._sums(q.edge_logits)
    empty = total == -math.inf
    here, there = p._finite(p.edge_logits), q._finite(q.edge_logits)
    away = torch.where(q._allowed, there, -math.inf)
    cost = (marginals * here).sum((-2, -1)) - expected(marginals, away, 2)
    same = (p.vertices == q.vertices).all(-1)
    gap = torch.where(torch.isfinite(other), other, 0.0) - torch.where(empty, 0.0, total)
    value = torch.where(same & (other > -math.inf), cost / p._entries + gap, math.inf)
    return torch.where(empty, 0.0, value).to(compute_dtype(torch.promote_types(p._dtype, q._dtype)))


def reaches(parents: Tensor, root: int) -> Tensor:
    """Whether the root is at the end of each vertex's line of parents, ``[*, n]``."""
    n = parents.shape[-1]
    ends = parents
    for _ in range(n.bit_length()):
        ends = ends.gather(-1, ends)
    return ends == root


def oriented_trees(vertices: list[int], root: int, n: int) -> Tensor:
    """All arborescences on ``vertices``, ``[count, n, n]``, by their parents, in order."""
    others = [v for v in vertices if v != root]
    if root not in vertices or not others:
        return torch.zeros(1, n, n, device="cpu")
    # each vertex tries each parent: k^(k - 1) maps of k vertices, of which k^(k - 2) are trees
    grid = torch.cartesian_prod(*[torch.tensor(vertices, device="cpu")] * len(others)).reshape(
        -1, len(others)
    )
    parents = torch.arange(n, device="cpu").repeat(len(grid), 1)
    parents[:, others] = grid
    parents = parents[reaches(parents, root)[:, others].all(-1)]
    edges = torch.zeros(len(parents), n, n, device="cpu")
    index = torch.arange(len(parents), device="cpu").unsqueeze(-1)
    edges[index, parents[:, others], torch.tensor(others, device="cpu")] = 1.0
    return edges
