"""Ranks and sorted values that gradients pass."""

from typing import NamedTuple

import torch
from torch import Tensor

from softdraw.arguments import check_classes, read_choice, read_mask
from softdraw.functional import soft_sort
from softdraw.functional.structures.soft_sort import METHODS
from softdraw.kernels.formulas import allowed_classes, centred, compute_dtype
from softdraw.nn.structured.layer import StructuredLayer, check_sources
from softdraw.random import Key, source
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule

__all__ = ["SoftRank", "SoftRankOutput"]


class SoftRankOutput(NamedTuple):
    """What ``SoftRank`` returns.

    Attributes:
        ranks: ``[*batch, n]``: 1 for the largest score, n for the smallest, 0 where masked.
        values: ``[*batch, n]``: the scores from the largest to the smallest, then zeros for masked ones.
        permutation: ``[*batch, n, n]``: row i says which score is the i-th largest.
    """

    ranks: Tensor
    values: Tensor
    permutation: Tensor


class SoftRank(StructuredLayer):
    """Ranks and sorts scores softly in training, exactly in eval mode.

    The rank of an item is the mean place in its column of :func:`softdraw.soft_sort`'s matrix,
    Σ_i i P_ij / Σ_i P_ij: the columns do not sum to 1, and without the division ranks would lie outside 1 to
    n.

    Args:
        tau: a float, a 0-dim tensor or a schedule.
        method: ``"softsort"`` or ``"neuralsort"``, see :func:`softdraw.soft_sort`.
        hard: exact ranks and values in training too, with the gradient of the soft ones.
        noise: add Gumbel noise to the scores in training: the order then is a relaxed draw of Plackett and
            Luce's law, which explores.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: taken and ignored: the layer has no parameters.
        dtype: see ``device``.

    Raises:
        TypeError: a temperature that is no number, tensor or schedule.
        ValueError: a negative temperature or an unknown ``method``.

    Shapes:
        scores ``[*batch, n]`` to ``SoftRankOutput``.

    Reference:
        Prillo and Eisenschlos, SoftSort: A Continuous Relaxation for the argsort Operator, ICML 2020; Grover,
        Wang, Zweig and Ermon, Stochastic Optimization of Sorting Networks via Continuous Relaxations, ICLR
        2019.

    Example:
        A linear model learns an order from ranks alone:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x, weight = torch.randn(64, 8, 4), torch.tensor([1.0, -2.0, 0.5, 0.0])
        >>> target = sd.nn.SoftRank().eval()(x @ weight).ranks
        >>> linear, rank = torch.nn.Linear(4, 1), sd.nn.SoftRank(tau=0.5)
        >>> optimizer = torch.optim.Adam(linear.parameters(), lr=0.05)
        >>> for step in range(100):
        ...     loss = (rank(linear(x).squeeze(-1)).ranks - target).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> found = rank.eval()(linear(x).squeeze(-1)).ranks
        >>> bool((found == target).float().mean() > 0.95)
        True
    """

    def __init__(
        self,
        tau: float | Tensor | Schedule = 1.0,
        *,
        method: str = "softsort",
        hard: bool = False,
        noise: bool = False,
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        del device, dtype
        super().__init__(tau, group)
        read_choice("method", method, METHODS)
        self.method = method
        self.hard = bool(hard)
        self.noise = bool(noise)

    def forward(
        self,
        scores: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> SoftRankOutput:
        """Rank the scores of each row.

        Args:
            scores: ``[*batch, n]``.
            mask: boolean, broadcastable to the scores, False for what has no rank.
            key: the noise, where there is any; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.

        Raises:
            TypeError: scores that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: no items, a mask that does not broadcast or is on another device, or both ``key`` and
                ``generator``.
        """
        if is_symbol(scores):
            return record_module(self, scores, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        check_classes("scores", scores, "[*batch, n]")
        check_sources(key, generator)
        mask = read_mask(mask, scores)
        # in the dtype that is computed in: bfloat16 has no whole numbers beyond 256
        wide = scores.to(compute_dtype(scores.dtype))
        if not self.training:
            permutation = soft_sort(wide.detach(), 1.0, True, mask=mask).detach()
            return _summary(permutation, wide, mask, scores.dtype)
        wide = self.temperature.watched(wide, mask)
        order = wide
        if self.noise:
            key, generator = self._sources(key, generator)
            order = (
                centred(wide, allowed_classes(wide.detach(), mask))
                + source.noise("gumbel", wide.detach(), 1, key, generator)[0]
            )
        permutation = soft_sort(order, self._now(), self.hard, method=self.method, mask=mask)
        return _summary(permutation, wide, mask, scores.dtype)

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"method={self.method!r}, hard={self.hard}, noise={self.noise}"


def _summary(permutation: Tensor, scores: Tensor, mask: Tensor | None, dtype: torch.dtype) -> SoftRankOutput:
    allowed = allowed_classes(scores.detach(), mask)
    values = (permutation @ torch.where(allowed, scores, 0.0).unsqueeze(-1)).squeeze(-1)
    place = torch.arange(1, scores.shape[-1] + 1, device=scores.device, dtype=scores.dtype)
    # at least 1 / n for every item: the largest entry of some row is in its column
    column = permutation.sum(-2)
    ranks = (place @ permutation) / torch.where(allowed, column, 1.0)
    return SoftRankOutput(*(x.to(dtype).contiguous() for x in (ranks, values, permutation)))
