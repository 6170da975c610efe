"""``soft_sort``: the matrix that sorts a row of scores, relaxed."""

import torch
from torch import Tensor

from softdraw.arguments import check_classes, read_choice, read_count, read_tau, sizes_of
from softdraw.functional.order import best_first, ranked
from softdraw.functional.topk import without_noise
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import Scores, relaxed
from softdraw.recording import recordable

__all__ = ["METHODS", "relax_order", "soft_sort"]

METHODS = ("softsort", "neuralsort")


@recordable
def soft_sort(
    scores: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    method: str = "softsort",
    k: int | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """A row-stochastic matrix P that tends, as tau tends to 0, to the permutation with P s sorted descending.

    With s the scores, s_(i) the i-th largest of them and i from 1 to n:

    - ``"softsort"``: P_ij = softmax_j(-|s_(i) - s_j| / tau).
    - ``"neuralsort"``: P_ij = softmax_j(((n + 1 - 2 i) s_j - Σ_l |s_j - s_l|) / tau).

    The largest entries of the rows are a permutation, but the columns do not sum to 1. Of scores with Gumbel
    noise (``s + sd.random.gumbel(s.shape, key=key)``) it relaxes a draw of ``sd.structured.OrderedSubset``.

    Args:
        scores: s, ``[*batch, n]`` of any floating dtype.
        tau: the temperature, as in :func:`softdraw.gumbel_softmax`.
        hard: the permutation matrix, with the gradient of the soft one; of equal scores, the one with the
            lower index comes first.
        method: ``"softsort"`` or ``"neuralsort"``.
        k: how many rows, the first of the n; all unless given. Takes O(k n) memory for ``"softsort"``, O(n^2)
            for ``"neuralsort"``.
        mask: boolean, broadcastable to the scores. Columns of masked scores are 0, and so are the last
            rows, as many as there are masked scores.

    Returns:
        ``[*batch, k, n]`` in the dtype of the scores; ``P @ s[..., None]`` is sorted softly. Gradients
        reach the scores and ``tau``.

    Raises:
        TypeError: the scores are not floating, ``k`` no int, ``mask`` not boolean.
        ValueError: another method, k out of range, or a ``tau`` or ``mask`` that does not fit.

    Example:
        >>> import softdraw as sd, torch
        >>> s = torch.tensor([1.0, 3.0, 2.0])
        >>> sd.soft_sort(s, tau=0.5)
        tensor([[0.0159, 0.8668, 0.1173],
                [0.1065, 0.1065, 0.7870],
                [0.8668, 0.0159, 0.1173]])
        >>> sd.soft_sort(s, hard=True) @ s
        tensor([3., 2., 1.])

    Reference:
        Prillo, Eisenschlos, "SoftSort: a continuous relaxation for the argsort operator", ICML 2020,
        equation 4; Grover, Wang, Zweig, Ermon, "Stochastic optimization of sorting networks via continuous
        relaxations", ICLR 2019, theorem 4 (NeuralSort).
    """
    check_classes("scores", scores, "[*batch, n]")
    read_choice("method", method, METHODS)
    rows = sizes_of(scores)[-1] if k is None else read_count("k", k, 0, sizes_of(scores)[-1])
    tau = read_tau(tau, scores, eager=is_plain(scores))
    return relax_order(without_noise(scores, mask), rows, tau, hard, method).to(scores.dtype)


def relax_order(drawn: Scores, k: int, tau: float | Tensor, hard: bool, method: str) -> Tensor:
    """The first k rows of the relaxed permutation of perturbed scores, in the dtype that is computed in."""
    z, allowed, bad = drawn
    index = best_first(ranked(z, allowed), k)
    place = torch.arange(z.shape[-1], device=z.device)
    # rows beyond the last allowed score are zeros
    hot = ((index.unsqueeze(-1) == place) & allowed.unsqueeze(-2)).to(z.dtype)
    s = torch.where(allowed, z, 0.0)
    if method == "softsort":
        gap = -(s.gather(-1, index).unsqueeze(-1) - s.unsqueeze(-2)).abs()
    else:
        apart = (s.unsqueeze(-1) - s.unsqueeze(-2)).abs()
        spread = torch.where(allowed.unsqueeze(-2), apart, 0.0).sum(-1)
        rank = torch.arange(1, k + 1, device=z.device, dtype=z.dtype)
        weight = allowed.sum(-1, keepdim=True) + 1 - 2 * rank
        gap = weight.unsqueeze(-1) * s.unsqueeze(-2) - spread.unsqueeze(-2)
    inside = (hot.sum(-1, keepdim=True) > 0) & allowed.unsqueeze(-2)
    column = tau[..., None, None] if isinstance(tau, Tensor) and tau.dim() else tau
    y = relaxed(
        Scores(torch.where(inside, gap, 0.0), inside, bad.unsqueeze(-1).expand(*hot.shape[:-1], 1)), column
    )
    if isinstance(column, Tensor):
        y = torch.where((column == 0) & ~bad.unsqueeze(-1), hot, y)
    elif column == 0:
        y = torch.where(bad.unsqueeze(-1), torch.nan, hot + y.nan_to_num(0.0) * 0.0)
    if hard:
        y = torch.where(bad.unsqueeze(-1), torch.nan, hot + (y - y.detach()))
    return y
