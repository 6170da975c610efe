"""Trees over a set of vertices that gradients pass."""

from typing import Literal, get_args

import torch
from torch import Tensor

from softdraw.arguments import check_floating, read_choice, read_count, read_mask, wrong_value
from softdraw.nn.structured.layer import StructuredLayer, check_sources
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule
from softdraw.structured import Arborescence, SpanningTree

__all__ = ["LatentTree"]

TreeEvaluation = Literal["mode", "sample", "mean"]


class LatentTree(StructuredLayer):
    """A spanning tree from scores of edges: relaxed and noisy in training, the best tree in eval mode.

    In training it is :class:`softdraw.structured.SpanningTree`'s ``relax``: how probable each edge is in the
    law whose logits are the scores plus Gumbel noise, over ``tau``. Entries lie in [0, 1], and the sum over
    edges is that of a tree, so that it serves as an adjacency matrix.

    Args:
        tau: a float, a 0-dim tensor or a schedule.
        directed: an arborescence, whose edges ``[i, j]`` lead from i to j and away from the root; otherwise
            an undirected tree, a symmetric matrix.
        root: the vertex at which an arborescence begins.
        hard: a tree in training too, the best one under noise, with the gradient of the relaxed one.
        evaluation: in eval mode ``"mode"`` (the best tree), ``"sample"`` (an exact draw with probability
            proportional to exp(sum of scores)) or ``"mean"`` (how probable each edge is).
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: taken and ignored: the layer has no parameters.
        dtype: see ``device``.

    Raises:
        TypeError: ``root`` is no int, or a temperature that is no number, tensor or schedule.
        ValueError: ``root`` below 0 or without ``directed``, a negative temperature, or an unknown
            ``evaluation``.

    Shapes:
        edge_logits ``[*batch, n, n]`` to ``[*batch, n, n]``.

    Reference:
        Paulus, Choi, Tarlow, Krause and Maddison, Gradient Estimation with Stochastic Softmax Tricks, NeurIPS
        2020, sections 4.2 and 5.2.

    Example:
        Which tree passes messages? A path is found from what its vertices receive:

        >>> import torch, softdraw as sd
        >>> x = torch.randn(64, 5, 3, generator=torch.Generator().manual_seed(0))
        >>> path = torch.diag(torch.ones(4), 1) + torch.diag(torch.ones(4), -1)
        >>> logits, tree = torch.zeros(5, 5, requires_grad=True), sd.nn.LatentTree(tau=0.5)
        >>> optimizer = torch.optim.Adam([logits], lr=0.3)
        >>> for step in range(60):
        ...     edges = tree(logits, key=sd.Key(0).fold_in(step))
        ...     loss = ((edges - path) @ x).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> bool((tree.eval()(logits) == path).all())
        True
    """

    def __init__(
        self,
        tau: float | Tensor | Schedule = 1.0,
        *,
        directed: bool = False,
        root: int = 0,
        hard: bool = False,
        evaluation: TreeEvaluation = "mode",
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        del device, dtype
        super().__init__(tau, group)
        read_choice("evaluation", evaluation, get_args(TreeEvaluation))
        self.directed = bool(directed)
        self.root = read_count("root", root)
        if self.root and not self.directed:
            raise wrong_value("root", root, "0 without directed=True: a tree without directions has none")
        self.hard = bool(hard)
        self.evaluation = evaluation

    def forward(
        self,
        edge_logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """A tree of each graph.

        Args:
            edge_logits: scores ``[*batch, n, n]``; ``-inf`` is no edge. Without directions the score of an
                edge is the mean of its two entries, so that they need not be symmetric.
            mask: boolean, broadcastable to the scores, False where there is no edge; without directions both
                entries must allow an edge. Vertices without any edge are padding, and graphs that do not hang
                together have no tree: zeros.
            key: the noise; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.

        Returns:
            The shape and dtype of the scores.

        Raises:
            TypeError: scores that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: scores that are no square matrices or hold NaN or ``+inf``, a mask that does not
                broadcast or is on another device, or both ``key`` and ``generator``.
        """
        if is_symbol(edge_logits):
            return record_module(self, edge_logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        law = self.distribution(edge_logits, mask=mask)
        check_sources(key, generator)
        if self.training:
            key, generator = self._sources(key, generator)
            drawn = law.relax(self._now(), hard=self.hard, key=key, generator=generator)
        elif self.evaluation == "sample":
            key, generator = self._sources(key, generator)
            drawn = law.sample(key=key, generator=generator)
        else:
            drawn = law.mode if self.evaluation == "mode" else law.marginals
        return drawn.contiguous()

    def distribution(self, edge_logits: Tensor, *, mask: Tensor | None = None) -> SpanningTree | Arborescence:
        """The law whose relaxation, draw or mode the layer returns: for its entropy or divergence in a loss.

        Arguments and errors are those of ``forward``.
        """
        check_floating("edge_logits", edge_logits)
        if edge_logits.dim() < 2 or not 0 < edge_logits.shape[-1] == edge_logits.shape[-2]:
            raise wrong_value("edge_logits", edge_logits, "shape [*batch, n, n] with n of 1 or more")
        mask = read_mask(mask, edge_logits)
        logits = self.temperature.watched(edge_logits, mask) if self.training else edge_logits
        if self.directed:
            return Arborescence(logits, self.root, mask=mask)
        # halves first: the sum of two large numbers may overflow
        return SpanningTree(0.5 * logits + 0.5 * logits.mT, mask=None if mask is None else mask & mask.mT)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        root = f", root={self.root}" if self.directed else ""
        return f"directed={self.directed}{root}, hard={self.hard}, evaluation={self.evaluation!r}"
