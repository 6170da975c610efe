"""Fused recursions over structures: trees, k-subsets, entropic top-k, Sinkhorn.

One function each, and no gradient.

All tensors are float64 on the CPU (of entropic top-k float32 too), rows of the batch first;
``softdraw.structured`` defines what is computed here in PyTorch, differentiates it, and takes these where it
can.
"""

import torch
from torch import Tensor

import softdraw.kernels.cpu._native as _native

__all__ = [
    "entropic",
    "entropic_backward",
    "sinkhorn",
    "sinkhorn_backward",
    "subset_draws",
    "subsets",
    "tree_curvature",
    "tree_draws",
    "trees",
]

#: as ``enum structure_operation`` in ``src/structures/structures.h`` has them
(
    _TREES, _SUBSETS, _SUBSET_DRAWS, _ENTROPIC, _ENTROPIC_BACKWARD, _SINKHORN, _TREE_DRAWS, _TREE_CURVATURE,
    _SINKHORN_BACKWARD,
) = range(9)  # fmt: skip
#: elements that a thread should have to work on before another one is woken for more
_ELEMENTS_FOR_A_THREAD = 4096
#: rows of k-subsets that lie side by side in the lanes of a vector, with the widest ones
_ROWS_ABREAST = 8


def _run(
    operation: int,
    logits: Tensor,
    items: int,
    work: int,
    *,
    size: int = 0,
    samples: int = 1,
    most: int = 0,
    tolerance: float = 0.0,
    abreast: int = 1,
    other: Tensor | None = None,
    value: Tensor | None = None,
    out: Tensor | None = None,
    more: Tensor | None = None,
) -> None:
    """One operation, named as in ``struct structure``.

    ``work`` is about how many numbers a row costs; ``abreast`` rows are worked on together.
    """
    rows = logits.shape[0]
    for tensor in (logits, other, value, out, more):
        # only entropic top-k reads float32, but for its temperatures
        dtype = torch.float64 if tensor is other else logits.dtype
        if tensor is not None and not (
            tensor.dtype == dtype and tensor.is_contiguous() and tensor.device.type == "cpu"
        ):
            raise ValueError("a kernel takes contiguous float64 tensors on the CPU")
    if logits.dtype != torch.float64 and not (
        operation in (_ENTROPIC, _ENTROPIC_BACKWARD) and logits.dtype == torch.float32
    ):
        raise ValueError("a kernel takes contiguous float64 tensors on the CPU")
    read, direction, results, written, further = (
        0 if tensor is None else tensor.data_ptr() for tensor in (logits, other, value, out, more)
    )
    piece, helpers = max(1, _ELEMENTS_FOR_A_THREAD // max(1, work)), rows * work // _ELEMENTS_FOR_A_THREAD
    piece = -(-piece // abreast) * abreast
    _native.run_structure(
        operation, rows, items, size, samples, most, tolerance, read, direction, results, written, further,
        piece, helpers, torch.get_num_threads(),
    )  # fmt: skip


def _new(*shape: int) -> Tensor:
    return torch.empty(shape, dtype=torch.float64, device="cpu")


def trees(logits: Tensor, marginals: bool = True) -> tuple[Tensor, Tensor | None]:
    """Log of the sum over arborescences rooted at vertex 0, ``[rows]``, and the marginals of the edges.

    Args:
        logits: ``[rows, n, n]``, the edge i -> j at ``[i, j]``, ``-inf`` where there is none; the diagonal
            and the edges into the root are not read.
        marginals: whether they are wanted.

    Returns:
        ``-inf`` and zeros for a graph without an arborescence, NaN for a row with NaN or ``+inf``.
    """
    rows, n, _ = logits.shape
    value, out = _new(rows), _new(rows, n, n) if marginals else None
    _run(_TREES, logits, n, n * n * n, value=value, out=out)
    return value, out


def tree_draws(logits: Tensor, noise: Tensor | None) -> Tensor:
    """The parents ``[samples, rows, n]`` in exact draws of arborescences, or in the best one.

    Args:
        logits: ``[rows, n, n]``, as for ``trees``.
        noise: Gumbel noise ``[samples, rows, n, n]``; None for the best.

    Returns:
        Whole numbers, -1 for the root, and for all vertices of a graph without an arborescence or with NaN.
    """
    rows, n, _ = logits.shape
    samples = 1 if noise is None else noise.shape[0]
    out = _new(samples, rows, n)
    _run(_TREE_DRAWS, logits, n, n * n * (n + 4 * samples), samples=samples, other=noise, out=out)
    return out


def tree_curvature(logits: Tensor, direction: Tensor) -> Tensor:
    """The derivative ``[rows, n, n]`` of the marginals of ``trees`` in a direction of that shape."""
    rows, n, _ = logits.shape
    out = _new(rows, n, n)
    _run(_TREE_CURVATURE, logits, n, 2 * n * n * n, other=direction, out=out)
    return out


def subsets(
    logits: Tensor, k: int, direction: Tensor | None = None, marginals: bool = True
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Log e_k of the odds ``[rows]``, the marginals ``[rows, n]``, and their derivative in a direction.

    Args:
        logits: ``[rows, n]``; ``-inf`` for an item that is never taken.
        k: how many are taken.
        direction: ``[rows, n]``; the derivative is the covariance matrix times it.
        marginals: whether they are wanted; a direction implies it.

    Returns:
        ``-inf`` and zeros where fewer than k items may be taken, NaN for a row with NaN or ``+inf``.
    """
    rows, n = logits.shape
    value = _new(rows)
    out = _new(rows, n) if marginals or direction is not None else None
    more = None if direction is None else _new(rows, n)
    work, abreast = n * (k + 1), _ROWS_ABREAST
    _run(_SUBSETS, logits, n, work, size=k, abreast=abreast, other=direction, value=value, out=out, more=more)
    return value, out, more


def subset_draws(logits: Tensor, k: int, uniforms: Tensor) -> Tensor:
    """Exact draws ``[samples, rows, n]``, zeros and ones, from uniforms of that shape."""
    samples, rows, n = uniforms.shape
    out = _new(samples, rows, n)
    work, abreast = n * (k + 1), _ROWS_ABREAST
    _run(_SUBSET_DRAWS, logits, n, work, size=k, samples=samples, abreast=abreast, other=uniforms, out=out)
    return out


def entropic(x: Tensor, k: int, tau: Tensor) -> Tensor:
    """sigmoid((x - nu) / tau) ``[rows, n]`` with the nu of each row for which the sum is k; tau ``[rows]``.

    ``-inf`` in x gives 0; a row of k items or fewer is 1 on them, one with NaN or ``+inf`` NaN. x is float64
    or float32, which is computed in float64.
    """
    n, out = x.shape[-1], torch.empty_like(x)
    _run(_ENTROPIC, x, n, 8 * n, size=k, most=int(x.dtype == torch.float32), other=tau, out=out)
    return out


def entropic_backward(grad: Tensor, y: Tensor, tau: Tensor) -> Tensor:
    """The gradient of x in ``entropic`` for the upstream gradient ``grad`` of its result ``y``."""
    n, out = y.shape[-1], torch.empty_like(y)
    _run(_ENTROPIC_BACKWARD, y, n, n, most=int(y.dtype == torch.float32), other=tau, out=out, more=grad)
    return out


def sinkhorn(
    x: Tensor, masses: Tensor, most: int, tolerance: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """exp(x_ij + u_i + v_j) whose columns sum to 1 and whose rows sum to their masses within ``tolerance``.

    Args:
        x: ``[rows, n, m]``, ``-inf`` where an entry is 0. A column with nothing else is padding.
        masses: ``[rows, n]``; 0 for a row of padding, whatever it holds.
        most: the number of iterations (of rows, then columns) at the most.
        tolerance: the error of a row's sum at which they end.

    Returns:
        The matrices ``[rows, n, m]``, u ``[rows, n]``, v ``[rows, m]``, the errors ``[rows]``, and the
        numbers of iterations ``[rows]``. NaN for a row with NaN or ``+inf``.
    """
    rows, n, m = x.shape
    out, more, value = _new(rows, n, m), _new(rows, n + m + 1), _new(rows)
    _run(
        _SINKHORN,
        x,
        n,
        n * m * max(1, min(most, 64)),
        size=m,
        most=most,
        tolerance=tolerance,
        other=masses,
        value=value,
        out=out,
        more=more,
    )
    return out, more[:, :n], more[:, n : n + m], value, more[:, n + m]


def sinkhorn_backward(grad: Tensor, y: Tensor) -> Tensor:
    """The gradient ``[rows, n, m]`` of x in the limit y of ``sinkhorn``, for its upstream ``grad``."""
    rows, n, m = y.shape
    out = _new(rows, n, m)
    _run(_SINKHORN_BACKWARD, y, n, n * m * (min(n, m) + 8), size=m, other=grad, out=out)
    return out
