"""``SpanningTree``: undirected spanning trees of a weighted graph."""

from typing import Self

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from softdraw._torch import is_readable
from softdraw.structured.parameters import validates
from softdraw.structured.tree_law import TreeLaw, divergence, oriented_trees

__all__ = ["SpanningTree"]


class SpanningTree(TreeLaw):
    """p(T) proportional to exp(Σ edge_logits over the edges of T), T a spanning tree.

    The log partition, marginals and draws come from an elimination of vertices that subtracts nothing: right
    at any scale of the logits, where determinants of Laplacians are wrong or singular.

    Vertices without any allowed edge are padding: they stay alone, and graphs of several sizes make a batch.
    Where the other vertices do not hang together there is no tree: the log partition is ``-inf``, and
    samples, mode and marginals are zeros.

    An edge stands in two entries of a matrix, and its logit is the mean of both. So the gradient of the log
    partition at each of them is half the marginal of the edge.

    Args:
        edge_logits: ``[*batch, n, n]`` of any floating dtype, symmetric; ``-inf`` is no edge. The diagonal is
            not read.
        mask: boolean, symmetric, broadcastable to the logits, False where there is no edge.
        validate_args: check arguments and values; torch's default.

    Raises:
        TypeError: logits that are not floating, or a mask that is not boolean.
        ValueError: logits that are no square matrices, are not symmetric, or hold NaN or ``+inf``; a mask
            that does not broadcast.

    Shapes:
        ``sample(s)``: ``[*s, *batch, n, n]``, symmetric, zeros and ones in the dtype of the logits;
        ``log_prob``: ``[*s, *batch]``; ``marginals``: ``[*batch, n, n]``, which sum to 2 (n - 1).

    Example:
        >>> import torch, softdraw as sd
        >>> weights = torch.tensor([[0.0, 10.0, 1.0], [10.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        >>> d = sd.structured.SpanningTree(weights.log())
        >>> d.log_partition.exp()
        tensor(21.0000)
        >>> d.marginals
        tensor([[0.0000, 0.9524, 0.5238],
                [0.9524, 0.0000, 0.5238],
                [0.5238, 0.5238, 0.0000]])
        >>> tree = d.sample(key=sd.Key(0))
        >>> bool((tree == tree.T).all()), tree.sum() / 2
        (True, tensor(2.))

    Reference:
        Kirchhoff, 1847 (the matrix-tree theorem); ``softdraw.kernels.structures`` for the elimination.
    """

    _called = "spanning trees"
    _entries = 2

    def __init__(
        self, edge_logits: Tensor, *, mask: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        self._read(edge_logits, mask, validate_args)
        self.root = 0
        if validates(validate_args) and is_readable(edge_logits, self._allowed):
            _check_symmetric(edge_logits.detach(), self._allowed)
        self._allowed = self._allowed & self._allowed.mT
        n = edge_logits.shape[-1]
        empty = torch.zeros((), dtype=torch.bool, device=edge_logits.device)
        self._look_for_padding()
        self._initialise(edge_logits.shape[:-2], (n, n), edge_logits.dtype, empty, validate_args)

    def moved(self, by: Tensor) -> Self:
        """The same law with ``by`` and its transpose added to the logits: an edge has both of its entries."""
        return super().moved(by + by.mT)

    def _symmetric(self, values: Tensor) -> Tensor:
        return 0.5 * (values + values.mT)

    def _mirrored(self, noise: Tensor) -> Tensor:
        lower = noise.tril(-1)
        return lower + lower.mT

    def _bridges(self) -> Tensor:
        # Where vertex 0 is padding too, the first of the others hangs on it.
        some = self.vertices
        first = torch.arange(some.shape[-1], device=some.device) == some.int().argmax(-1, keepdim=True)
        to_first = first & some & ~some[..., :1]
        from_root = torch.arange(some.shape[-1], device=some.device).unsqueeze(-1) == 0
        return from_root & (~some | to_first).unsqueeze(-2)

    def _collected(self, marginals: Tensor) -> Tensor:
        if marginals.dtype == torch.bool:
            return marginals | marginals.mT
        return marginals + marginals.mT

    def _is_structure(self, value: Tensor) -> Tensor:
        right = (((value == 0) | (value == 1)) & (value == value.mT)).flatten(-2).all(-1)
        n = value.shape[-1]
        touched = (value != 0).any(-1)
        edges = value.sum((-2, -1)) / 2
        count = touched.sum(-1)
        hollow = (value.diagonal(dim1=-2, dim2=-1) == 0).all(-1)
        linked = (value != 0) | torch.eye(n, dtype=torch.bool, device=value.device)
        for _ in range((n - 1).bit_length()):
            linked = (linked.float() @ linked.float()) > 0
        whole = (linked | ~(touched.unsqueeze(-1) & touched.unsqueeze(-2))).flatten(-2).all(-1)
        return right & hollow & whole & (edges == (count - 1).clamp(min=0))

    def _count(self) -> int:
        sizes = (len(vertices) for vertices in self._vertex_sets())
        return sum(k ** max(k - 2, 0) for k in sizes)

    def _structures(self) -> Tensor:
        n, logits = self.event_shape[-1], self.edge_logits
        sets = self._vertex_sets()
        trees = torch.cat([oriented_trees(vertices, vertices[0] if vertices else 0, n) for vertices in sets])
        return (trees + trees.mT).to(logits.device, self._dtype)


def _check_symmetric(logits: Tensor, allowed: Tensor) -> None:
    if not bool((allowed == allowed.mT).all()):
        raise ValueError("edge_logits and mask: got edges allowed one way alone, expected a symmetric matrix")
    values = torch.where(allowed, logits, 0.0)
    off = (values - values.mT).abs()
    scale = values.abs() + values.mT.abs()
    tolerance = 8 * torch.finfo(logits.dtype).eps
    if bool((off > tolerance * scale).any()):
        worst = float(off.max())
        raise ValueError(f"edge_logits: got entries that differ by {worst:.3g}, expected a symmetric matrix")


@register_kl(SpanningTree, SpanningTree)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_spanning_tree(p: SpanningTree, q: SpanningTree) -> Tensor:
    """KL divergence ``[*batch]`` of spanning trees."""
    return divergence(p, q)
