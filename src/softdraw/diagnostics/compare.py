"""Bias, variance and cost of estimators on one problem."""

import copy
import time
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from softdraw.arguments import check_classes, check_floating, read_count, wrong_type, wrong_value
from softdraw.diagnostics.comparison import Comparison
from softdraw.diagnostics.exact import Family, exact_gradient, posed, reference_gradient, target_of
from softdraw.diagnostics.measures import Measures, measure
from softdraw.estimators import Cost, Estimator, TooManyStatesError, UnsuitableError, get
from softdraw.random import Key, fresh_key

__all__ = ["compare", "draw_gradients", "prepared"]

#: draws are made side by side until one call of f would see about this many numbers
_BLOCK = 1 << 21


def compare(
    f: Cost,
    logits: Tensor,
    estimators: Iterable[str | Estimator],
    draws: int = 1000,
    *,
    key: Key | None = None,
    mask: Tensor | None = None,
    warmup: int = 200,
    exact: Tensor | None = None,
    timing: bool = True,
    distribution: Family | None = None,
) -> Comparison:
    """Measure estimators of the gradient of E[f(z)] against the exact gradient.

    All see the same key. Those with state (a baseline, a control variate, an adaptive step) are copied,
    trained on this problem for ``warmup`` calls with Adam at rate 0.01, and then frozen; the caller's objects
    do not change. An estimator that cannot serve is reported in ``skipped`` with the reason; what f itself
    raises is raised. VIMCO is measured against the gradient of its own bound, with f as log-weights.

    Args:
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``.
        estimators: names or estimators.
        draws: independent estimates of each, at least 2.
        key: where the noise comes from.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        warmup: calls that train the estimators with state.
        exact: the gradient to compare with, if it is known; else it is enumerated, or, where the space is too
            large, estimated with ``reference_gradient``.
        timing: whether to time single calls as well.
        distribution: makes the distribution of z from parameters, ``lambda x: sd.structured.Subset(x, 5)``;
            ``logits`` are then its parameters, of any shape with a dim, and f maps draws ``[S, *batch_shape,
            *event_shape]``. Many draws are made at once where dims that lead the parameters lead the batch.

    Raises:
        ValueError: fewer than 2 draws, no estimator, an unknown name, or logits of another shape.
        TypeError: an f that is not callable, or what is neither a name nor an estimator.

    Example:
        >>> import torch, softdraw as sd
        >>> toy = lambda z: (z[..., 0, 0] - 0.45) ** 2
        >>> result = sd.diagnostics.compare(
        ...     toy, torch.zeros(1, 2), ["rloo", "arsm"], draws=100, key=sd.Key(0)
        ... )
        >>> result["rloo"].variance < result["arsm"].variance
        True
    """
    draws, warmup = read_count("draws", draws, least=2), read_count("warmup", warmup)
    if not callable(f):
        raise wrong_type("f", f, "a function of one-hot samples [S, *batch, D, C]")
    if distribution is None:
        check_classes("logits", logits, "[*batch, D, C]")
    else:
        _check_parameters(logits)
    chosen = _chosen(estimators)
    key = key if key is not None else fresh_key()
    logits = logits.detach()
    exact_error = None
    if exact is None:
        try:
            exact = exact_gradient(f, logits, mask=mask, distribution=distribution)
        except UnsuitableError as error:
            if distribution is None and not isinstance(error, TooManyStatesError):
                raise
            exact, exact_error = reference_gradient(
                f, logits, mask=mask, key=key.fold_in(1), distribution=distribution
            )
    labels = [label for label, _ in chosen]
    rows: list[Measures] = []
    skipped: dict[str, str] = {}
    for label, est in chosen:
        name = label if labels.count(label) == 1 else repr(est)
        try:
            ready = prepared(est, f, logits, mask, warmup, key.fold_in(2), distribution)
            gradients = draw_gradients(
                ready, f, logits, draws, mask=mask, key=key.fold_in(3), distribution=distribution
            )
            truth = exact if est.target != "bound" else _bound_gradient(est, f, logits, mask)
        except UnsuitableError as error:
            skipped[name] = str(error)
            continue
        except Exception as error:
            # most likely f's own, which may not know which estimator called it, or with what kind of sample
            error.add_note(f"raised while softdraw measured {name}")
            raise
        row = measure(
            gradients,
            truth,
            estimator=name,
            tau=_tau(est),
            evaluations=_evaluations(ready, f, logits, distribution),
        )
        if timing:
            row = row.with_seconds(*time_call(ready, f, logits, mask, key, distribution))
        rows.append(row)
    return Comparison(tuple(rows), skipped, exact, exact_error, warmup)


def _check_parameters(parameters: Tensor) -> None:
    if not isinstance(parameters, Tensor):
        raise wrong_type("logits", parameters, "a tensor of the parameters that distribution= takes")
    check_floating("logits", parameters)
    if not parameters.dim():
        raise wrong_value("logits", parameters, "parameters with a dim")


def _evaluations(est: Estimator, f: Cost, logits: Tensor, distribution: Family | None) -> int:
    """How many values of f one estimate asks for: counted, where only the distribution knows."""
    if distribution is None:
        return est.evaluations(*logits.shape[-2:])
    seen = 0

    def counting(z: Tensor) -> Tensor:
        nonlocal seen
        seen += z.shape[0]
        return f(z)

    with torch.no_grad():
        est.expectation(counting, distribution(logits), key=Key(0))
    return seen


def _chosen(estimators: Iterable[str | Estimator]) -> list[tuple[str, Estimator]]:
    """Each estimator with the name it goes by."""
    chosen: list[tuple[str, Estimator]] = []
    for entry in [estimators] if isinstance(estimators, str | Estimator) else estimators:
        if isinstance(entry, str):
            chosen.append((entry, get(entry)))
        elif isinstance(entry, Estimator):
            chosen.append((entry.name or repr(entry), entry))
        else:
            raise wrong_type("estimators", entry, "names of estimators, or estimators")
    if not chosen:
        raise ValueError("estimators: got none, expected one or more")
    return chosen


def prepared(
    est: Estimator,
    f: Cost,
    logits: Tensor,
    mask: Tensor | None,
    warmup: int,
    key: Key,
    distribution: Family | None = None,
) -> Estimator:
    """A frozen copy of the estimator; with state, trained on the problem for ``warmup`` calls first."""
    est = copy.deepcopy(est)
    if not any(True for _ in est.parameters()) and not any(True for _ in est.buffers()):
        return est.eval()
    est.train()
    optimiser: torch.optim.Optimizer | None = None
    for call in range(max(1, warmup)):
        leaf = logits.clone().requires_grad_()
        with torch.enable_grad():
            value = est.expectation(f, posed(leaf, distribution), mask=mask, key=key.fold_in(call))
            # lazily shaped parameters have their shape from here on
            own = [p for p in est.parameters() if p.requires_grad]
            gradients = torch.autograd.grad(value.sum(), [leaf, *own], allow_unused=True)[1:]
        if own and optimiser is None:
            optimiser = torch.optim.Adam(own, lr=0.01)
        if optimiser is not None and warmup:
            for parameter, gradient in zip(own, gradients, strict=True):
                parameter.grad = gradient
            optimiser.step()
    for parameter in est.parameters():
        parameter.grad = None
        if not isinstance(parameter, nn.parameter.UninitializedParameter):
            parameter.requires_grad_(False)
    return est.eval()


def draw_gradients(
    est: Estimator,
    f: Cost,
    logits: Tensor,
    draws: int,
    *,
    mask: Tensor | None = None,
    key: Key,
    distribution: Family | None = None,
) -> Tensor:
    """Independent estimates ``[draws, *batch, D, C]``, many to a call.

    f is called with its own contract: the draws are folded into S, so that it sees ``[S', *batch, D, C]``.
    """
    shape = logits.shape

    def flat(z: Tensor) -> Tensor:
        # a library f may rely on the rank of its input, so draws never appear as a batch dim
        cost = f(z.flatten(0, 1))
        return cost.reshape(*z.shape[:2], *cost.shape[1:])

    cost = max(1, _evaluations(est, f, logits, distribution)) * max(1, logits.numel())
    block = max(1, min(draws, _BLOCK // cost))
    if distribution is not None and not _leads(distribution, logits):
        block = 1
    parts = []
    for start in range(0, draws, block):
        count = min(block, draws - start)
        leaf = logits.expand(count, *shape).clone().requires_grad_()
        with torch.enable_grad():
            if distribution is not None and block == 1:
                value = est.expectation(f, distribution(leaf[0]), key=key.fold_in(start))
            else:
                value = est.expectation(flat, posed(leaf, distribution), mask=mask, key=key.fold_in(start))
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
        parts.append(gradient)
    return torch.cat(parts)


def _leads(distribution: Family, parameters: Tensor) -> bool:
    """Whether a dim in front of the parameters is one in front of the batch."""
    batch = distribution(parameters).batch_shape
    try:
        wide = distribution(parameters.expand(3, *parameters.shape)).batch_shape
    except (ValueError, RuntimeError):
        return False
    return tuple(wide) == (3, *batch)


def time_call(
    est: Estimator,
    f: Cost,
    logits: Tensor,
    mask: Tensor | None,
    key: Key,
    distribution: Family | None = None,
    repeats: int = 7,
) -> tuple[float, float]:
    """Median seconds of one expectation with its backward, and the standard error of that median."""
    seconds = []
    for call in range(repeats + 1):
        leaf = logits.clone().requires_grad_()
        start = time.perf_counter()
        with torch.enable_grad():
            value = est.expectation(f, posed(leaf, distribution), mask=mask, key=key.fold_in(call))
            torch.autograd.grad(value.sum(), leaf)
        if call:  # the first call warms caches
            seconds.append(time.perf_counter() - start)
    values = torch.tensor(seconds, dtype=torch.float64)
    return float(values.median()), float(1.2533 * values.std() / repeats**0.5)


def _bound_gradient(est: Estimator, f: Cost, logits: Tensor, mask: Tensor | None) -> Tensor:
    leaf = logits.clone().requires_grad_()
    with torch.enable_grad():
        bound, repeated = target_of(est, f, leaf)
        wide = None
        if mask is not None:
            wide = mask.expand(logits.shape).repeat(*(1,) * (logits.dim() - 2), est.samples, 1)
        value = get("enumeration").expectation(bound, repeated, mask=wide)
        return torch.autograd.grad(value.sum(), leaf)[0]


def _tau(est: Estimator) -> float | None:
    tau = getattr(est, "tau", None)
    tau = getattr(tau, "tau", tau)  # that of a schedule
    if isinstance(tau, Tensor):
        return float(tau.detach()) if tau.numel() == 1 else None
    return None if tau is None else float(tau)
