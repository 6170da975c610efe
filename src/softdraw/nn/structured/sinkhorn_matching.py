"""Matchings of two sets that gradients pass."""

import torch
from torch import Tensor

from softdraw.arguments import check_floating, read_count, read_mask, read_number, wrong_value
from softdraw.functional import gumbel_sinkhorn
from softdraw.kernels.formulas import allowed_classes, centred, compute_dtype
from softdraw.kernels.structures import matching_operations
from softdraw.nn.structured.layer import Evaluation, StructuredLayer, check_sources, read_evaluation
from softdraw.random import Key, source
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule

__all__ = ["SinkhornMatching"]


class SinkhornMatching(StructuredLayer):
    """Matches rows to columns: a noisy doubly stochastic matrix in training, the best matching in eval mode.

    Rows and columns are normalised until every row is within ``tolerance``, not for a fixed number of times,
    and the gradient is that of the limit, see :func:`softdraw.gumbel_sinkhorn`.

    Args:
        tau: a float, a 0-dim tensor or a schedule.
        hard: the best matching of the noisy scores in training, with the gradient of the soft one; needs
            SciPy, as eval mode does.
        noise: add Gumbel noise to the scores in training.
        tolerance: the largest error of a row's sum.
        max_iterations: where to give up, with a warning in eager mode.
        evaluation: in eval mode ``"mode"`` (the matching of the largest sum of scores) or ``"sample"`` (that
            of noisy scores, which is no draw with probability proportional to exp(sum of scores)).
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: taken and ignored: the layer has no parameters.
        dtype: see ``device``.

    Raises:
        TypeError: a temperature that is no number, tensor or schedule, or another argument of a wrong type.
        ValueError: a negative temperature, ``tolerance`` or ``max_iterations`` out of range, or an unknown
            ``evaluation``.

    Shapes:
        scores ``[*batch, n, m]`` to ``[*batch, n, m]``; with n = m the rows and columns of the result sum to
        1.

    Reference:
        Mena, Belanger, Linderman and Snoek, Learning Latent Permutations with Gumbel-Sinkhorn Networks, ICLR
        2018.

    Example:
        A bilinear score learns to undo shuffles of five points:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(64, 5, 4)
        >>> y = x.gather(1, torch.rand(64, 5).argsort(-1)[..., None].expand(-1, -1, 4))
        >>> match, bilinear = sd.nn.SinkhornMatching(tau=0.5), torch.nn.Linear(4, 4)
        >>> optimizer = torch.optim.Adam(bilinear.parameters(), lr=0.05)
        >>> for step in range(60):
        ...     plan = match(bilinear(x) @ y.mT, key=sd.Key(0).fold_in(step))
        ...     loss = (plan @ y - x).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> plan = match.eval()(bilinear(x) @ y.mT)
        >>> bool((plan @ y == x).float().mean() > 0.95)
        True
    """

    def __init__(
        self,
        tau: float | Tensor | Schedule = 1.0,
        *,
        hard: bool = False,
        noise: bool = True,
        tolerance: float = 1e-3,
        max_iterations: int = 10_000,
        evaluation: Evaluation = "mode",
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        del device, dtype
        super().__init__(tau, group)
        self.hard = bool(hard)
        self.noise = bool(noise)
        self.tolerance = read_number("tolerance", tolerance, above=0.0)
        self.max_iterations = read_count("max_iterations", max_iterations, 1)
        self.evaluation = read_evaluation(evaluation)

    def forward(
        self,
        scores: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Match the rows of each matrix to its columns.

        Args:
            scores: ``[*batch, n, m]``; ``-inf`` is a pair that is not allowed.
            mask: boolean, broadcastable to the scores, False where a pair is not allowed; rows and columns
                without an allowed pair are padding, and stay zero.
            key: the noise; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.

        Returns:
            The shape and dtype of the scores.

        Raises:
            TypeError: scores that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: fewer than two dims, a mask that does not broadcast or is on another device, or both
                ``key`` and ``generator``.
            ImportError: SciPy is not installed, and the best matching is asked for.
        """
        if is_symbol(scores):
            return record_module(self, scores, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        check_floating("scores", scores)
        if scores.dim() < 2 or 0 in scores.shape[-2:]:
            raise wrong_value("scores", scores, "shape [*batch, n, m] with n and m of 1 or more")
        check_sources(key, generator)
        mask = read_mask(mask, scores)
        noisy = self.noise if self.training else self.evaluation == "sample"
        added = torch.zeros((), dtype=compute_dtype(scores.dtype), device=scores.device)
        if noisy:
            key, generator = self._sources(key, generator)
            added = source.noise("gumbel", scores.detach(), 1, key, generator)[0]
        if not self.training:
            return _best(scores.detach(), mask, added)
        return gumbel_sinkhorn(
            self.temperature.watched(scores, mask),
            self._now(),
            self.hard,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            mask=mask,
            noise=added,
        ).contiguous()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return (
            f"hard={self.hard}, noise={self.noise}, tolerance={self.tolerance:g}, "
            f"evaluation={self.evaluation!r}"
        )


def _best(scores: Tensor, mask: Tensor | None, noise: Tensor) -> Tensor:
    """The matching of the largest sum of scores and noise, NaN where an allowed pair is NaN or ``+inf``."""
    allowed = allowed_classes(scores, mask)
    z = torch.where(allowed, centred(scores.to(noise.dtype), allowed, 2) + noise, -torch.inf)
    bad = (torch.isnan(z) | (z == torch.inf)).flatten(-2).any(-1)[..., None, None]
    best = matching_operations.assignment(torch.where(bad, 0.0, z))
    return torch.where(bad, torch.nan, best.to(scores.dtype)).contiguous()
