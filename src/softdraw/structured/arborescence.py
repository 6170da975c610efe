"""``Arborescence``: directed spanning trees of a weighted graph, away from a root."""

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from softdraw.arguments import read_count
from softdraw.structured.tree_law import TreeLaw, divergence, oriented_trees, reaches

__all__ = ["Arborescence"]


class Arborescence(TreeLaw):
    """p(T) proportional to exp(Σ edge_logits over the edges of T), T an arborescence from the root.

    An edge i -> j makes i the parent of j; every vertex but the root has one. The log partition, marginals
    and draws come from an elimination of vertices that subtracts nothing: in float64 throughout, right at any
    scale of the logits, where determinants of Laplacians are wrong or singular.

    Vertices without any allowed edge are padding: they stay alone, and graphs of several sizes make a batch.
    Where no arborescence is possible, the log partition is ``-inf``, and samples, mode and marginals are
    zeros.

    Args:
        edge_logits: ``[*batch, n, n]`` of any floating dtype, the edge i -> j at ``[i, j]``; ``-inf`` is no
            edge. The diagonal is not read, and the column of the root has no effect.
        root: the vertex at which all begin.
        mask: boolean, broadcastable to the logits, False where there is no edge.
        validate_args: check arguments and values; torch's default.

    Raises:
        TypeError: logits that are not floating, a mask that is not boolean, a root that is no int.
        ValueError: logits that are no square matrices, or hold NaN or ``+inf``; a mask that does not
            broadcast; a root that is no vertex.

    Shapes:
        ``sample(s)``: ``[*s, *batch, n, n]``, zeros and ones in the dtype of the logits; ``log_prob``:
        ``[*s, *batch]``; ``marginals``: ``[*batch, n, n]``, each column of a vertex but the root sums to 1.

    Example:
        >>> import torch, softdraw as sd
        >>> weights = torch.tensor([[0.0, 3.0, 1.0], [0.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
        >>> d = sd.structured.Arborescence(weights.log())
        >>> d.log_partition.exp()  # 0->1->2, 0->2->1, and both from 0: 3 + 2 + 3
        tensor(8.)
        >>> d.marginals
        tensor([[0.0000, 0.7500, 0.6250],
                [0.0000, 0.0000, 0.3750],
                [0.0000, 0.2500, 0.0000]])
        >>> d.sample(key=sd.Key(0)).sum(0)
        tensor([0., 1., 1.])

    Reference:
        Tutte, "The dissection of equilateral triangles into equilateral triangles", 1948, for the sum;
        Koo, Globerson, Carreras, Collins, "Structured prediction models via the matrix-tree theorem", EMNLP
        2007, for its use; ``softdraw.kernels.structures`` for the elimination.
    """

    _called = "arborescences"

    def __init__(
        self,
        edge_logits: Tensor,
        root: int = 0,
        *,
        mask: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._read(edge_logits, mask, validate_args)
        n = edge_logits.shape[-1]
        self.root = read_count("root", root, 0, n - 1)
        into_root = torch.arange(n, device=edge_logits.device) == self.root
        self._allowed = self._allowed & ~into_root
        batch = edge_logits.shape[:-2]
        empty = torch.zeros((), dtype=torch.bool, device=edge_logits.device)
        self._look_for_padding()
        self._initialise(batch, (n, n), edge_logits.dtype, empty, validate_args)

    def _is_structure(self, value: Tensor) -> Tensor:
        binary = ((value == 0) | (value == 1)).flatten(-2).all(-1)
        incoming = value.sum(-2)
        n = value.shape[-1]
        one = torch.where(torch.arange(n, device=value.device) == self.root, incoming == 0, incoming <= 1)
        own = torch.arange(n, device=value.device)
        parents = torch.where(incoming == 1, value.argmax(-2), own)
        linked = (incoming == 1) | (value != 0).any(-1)
        return binary & one.all(-1) & (reaches(parents, self.root) | ~linked).all(-1)

    def _count(self) -> int:
        sizes = (len(vertices) for vertices in self._vertex_sets())
        return sum(k ** max(k - 2, 0) for k in sizes)

    def _structures(self) -> Tensor:
        n, logits = self.event_shape[-1], self.edge_logits
        trees = [oriented_trees(vertices, self.root, n) for vertices in self._vertex_sets()]
        return torch.cat(trees).to(logits.device, self._dtype)


@register_kl(Arborescence, Arborescence)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_arborescence(p: Arborescence, q: Arborescence) -> Tensor:
    """KL divergence ``[*batch]`` of arborescences with one root.

    Raises:
        ValueError: the roots differ.
    """
    if p.root != q.root:
        raise ValueError(f"root: got {p.root} and {q.root}, expected the same for both arborescences")
    return divergence(p, q)
