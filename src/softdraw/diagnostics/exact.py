"""The gradient that every estimator is measured against."""

from collections.abc import Callable

import torch
from torch import Tensor

from softdraw.arguments import read_count
from softdraw.estimators import RLOO, Cost, Enumeration, Estimator, Law
from softdraw.random import Key, fresh_key

__all__ = ["Family", "exact_gradient", "exact_value", "posed", "reference_gradient", "target_of"]

#: makes a distribution of parameters
Family = Callable[[Tensor], Law]


def posed(parameters: Tensor, distribution: Family | None) -> Tensor | Law:
    """What ``expectation`` takes: logits as they are, or the distribution of these parameters."""
    return parameters if distribution is None else distribution(parameters)


def exact_value(
    f: Cost, logits: Tensor | Law, *, mask: Tensor | None = None, max_states: int = 1 << 20
) -> Tensor:
    """E[f(z)] by enumeration.

    Args:
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``, or a distribution with ``enumerate_support``.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        max_states: the largest C^D it will visit.

    Returns:
        ``[*batch]``, differentiable.

    Raises:
        TooManyStatesError: a ``ValueError``: C^D is larger than ``max_states``; the message gives the count
            and what to do instead.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.diagnostics.exact_value(lambda z: 6 * z[..., 0].prod(-1), torch.zeros(2, 2))
        tensor(1.5000)
    """
    return Enumeration(max_states=max_states).expectation(f, logits, mask=mask)


def exact_gradient(
    f: Cost,
    logits: Tensor,
    *,
    mask: Tensor | None = None,
    max_states: int = 1 << 20,
    distribution: Family | None = None,
) -> Tensor:
    """The gradient of E[f(z)] with respect to the logits, by enumeration in chunks.

    Args:
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``; each batch element has its own gradient.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        max_states: the largest C^D it will visit.
        distribution: makes a distribution with ``enumerate_support`` of the parameters ``logits``.

    Returns:
        The shape of the logits.

    Raises:
        TooManyStatesError: a ``ValueError``: C^D is larger than ``max_states``; the message gives the count
            and what to do instead.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.diagnostics.exact_gradient(lambda z: 4 * z[..., 0, 0], torch.zeros(1, 2))
        tensor([[ 1., -1.]])
    """
    leaf = logits.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = Enumeration(max_states=max_states).expectation(f, posed(leaf, distribution), mask=mask)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return gradient


def reference_gradient(
    f: Cost,
    logits: Tensor,
    *,
    draws: int = 100_000,
    mask: Tensor | None = None,
    key: Key | None = None,
    chunk: int = 1000,
    distribution: Family | None = None,
) -> tuple[Tensor, Tensor]:
    """A high-sample RLOO estimate of the gradient, for spaces too large to enumerate.

    Args:
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``.
        draws: how many samples of z in all.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        key: where the noise comes from.
        chunk: how many samples are given to f at once, at least 2.
        distribution: makes a distribution with ``log_prob`` of the parameters ``logits``.

    Returns:
        The gradient in the shape of the logits and its standard error, of the same shape.

    Raises:
        ValueError: fewer than 4 draws, or chunks of fewer than 2.
        TypeError: ``draws`` or ``chunk`` is no int.

    Example:
        >>> import torch, softdraw as sd
        >>> g, error = sd.diagnostics.reference_gradient(
        ...     lambda z: 4 * z[..., 0, 0], torch.zeros(1, 2), key=sd.Key(0)
        ... )
        >>> bool(((g - torch.tensor([1.0, -1.0])).abs() < 5 * error).all())
        True
    """
    draws = read_count("draws", draws, least=4)
    chunk = min(read_count("chunk", chunk, least=2), draws // 2)
    key = key if key is not None else fresh_key()
    est = RLOO(samples=chunk)
    parts = []
    for part in range(draws // chunk):
        leaf = logits.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = est.expectation(f, posed(leaf, distribution), mask=mask, key=key.fold_in(part))
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
        parts.append(gradient.double())
    stack = torch.stack(parts)
    error = stack.std(0) / len(parts) ** 0.5
    return stack.mean(0).to(logits.dtype), error.to(logits.dtype)


def target_of(est: Estimator, f: Cost, logits: Tensor) -> tuple[Cost, Tensor]:
    """A cost and logits whose enumerated expectation is what ``est`` has in view.

    For ``target == "bound"`` that is log (1/S) sum_s exp f(z_s) over S independent copies of the variables,
    and the logits are repeated S times along D; for every other target, f and the logits as they are.
    """
    if est.target != "bound":
        return f, logits
    count, variables = est.samples, logits.shape[-2]

    def bound(z: Tensor) -> Tensor:
        copies = z.reshape(*z.shape[:-2], count, variables, z.shape[-1]).movedim(-3, 0)
        cost = f(copies.flatten(0, 1))
        flat = cost.reshape(*copies.shape[:2], *cost.shape[1:])
        return torch.logsumexp(flat, 0) - torch.log(torch.tensor(float(count), dtype=flat.dtype))

    return bound, logits.repeat(*(1,) * (logits.dim() - 2), count, 1)
