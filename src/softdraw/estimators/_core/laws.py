"""Distributions of anything, as estimators see them: what one must say of itself, and who can serve it.

An estimator names the methods that it asks of a distribution (``Estimator.law_needs``). Nothing else is
known of its type: what ``softdraw.structured``, ``softdraw.distributions``, ``torch.distributions`` and users
bring all counts, if it has the methods.
"""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from softdraw.arguments import described, wrong_type
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.errors import UnsuitableError
from softdraw.kernels.hashing import fold

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["Law", "ask", "draw", "has", "is_law", "law_log_prob", "law_marginals", "read_law"]

#: whether ``sample`` of a type takes ``key=``: a signature is slow to read
_TAKES_KEY: dict[type, bool] = {}


@runtime_checkable
class Law(Protocol):
    """A distribution that ``expectation`` takes: anything that draws, with the shapes of torch's.

    Estimators ask it for some of ``log_prob(value)`` (score), ``marginals`` or ``mean`` (what a draw is on
    average, differentiable), ``relax(tau, *, hard, sample_shape, key)`` (a relaxed draw; with ``hard`` the
    most probable structure of perturbed parameters), ``moved(by)`` (the same law with its parameters moved)
    and ``enumerate_support()``. ``sample`` takes ``key=`` where it can, and ``padding`` says which rows of
    the batch have nothing to draw but their ``mode``.

    Example:
        >>> import torch, softdraw as sd
        >>> isinstance(torch.distributions.Bernoulli(logits=torch.zeros(3)), sd.estimators.Law)
        True
    """

    @property
    def batch_shape(self) -> torch.Size:
        """The shape of independent draws."""

    @property
    def event_shape(self) -> torch.Size:
        """The shape of one draw."""

    def sample(self, sample_shape: Any = ...) -> Tensor:
        """Draws ``[*sample_shape, *batch_shape, *event_shape]`` without gradient."""


def is_law(value: "Tensor | Law") -> "TypeIs[Law]":
    """Whether ``value`` is a distribution, and no tensor of logits."""
    # by hand for objects of a user's own: graphs do not know isinstance of a protocol
    return isinstance(value, Distribution) or (
        not isinstance(value, Tensor) and hasattr(value, "sample") and hasattr(value, "batch_shape")
    )


def has(law: Law, method: str) -> bool:
    """Whether the law has the method, and not the one of torch's base class, which only raises."""
    if method == "marginals" and not hasattr(type(law), "marginals"):
        # the mean of an indicator is its marginals; the number of a class has none
        return _own(law, "mean") and not isinstance(law, Categorical)
    return _own(law, method)


def _own(law: Law, method: str) -> bool:
    found = getattr(type(law), method, None)
    return found is not None and found is not getattr(Distribution, method, None)


def read_law(caller: Any, law: Law, mask: Tensor | None) -> None:
    """Refuse a law that the estimator ``caller`` cannot serve, and say who can.

    Raises:
        ValueError: a mask beside a distribution.
        UnsuitableError: the estimator serves logits alone, or the law lacks a method.
    """
    if mask is not None:
        raise ValueError(
            f"mask: got {described(mask)} beside a distribution, expected None: what is allowed is for the "
            "distribution to say"
        )
    kind = type(law).__name__
    if not caller.law_needs:
        raise UnsuitableError(
            f"{_name(caller)} serves one-hot logits [*batch, D, C], but got a distribution, {kind}; "
            f"{_would_do(law)}"
        )
    lacking = [method for method in caller.law_needs if not has(law, method)]
    if lacking:
        raise UnsuitableError(
            f"{_name(caller)} needs {' and '.join(lacking)} of a distribution, which {kind} lacks; "
            f"{_would_do(law)}"
        )


def _would_do(law: Law) -> str:
    # the registry imports the base class, which imports this module
    from softdraw.estimators._core.registry import get, names

    able = [
        name
        for name in names()
        if (needs := type(get(name)).law_needs) and all(has(law, method) for method in needs)
    ]
    return f"these have what they need: {', '.join(able)}" if able else "no registered estimator can serve it"


def _name(caller: Any) -> str:
    return str(caller.name or type(caller).__name__)


def ask(caller: Any, law: Law, method: str, *args: Any, **options: Any) -> Any:
    """The law's own answer; what it has not implemented makes the estimator unsuitable."""
    try:
        answer = getattr(law, method)
        # marginals are a property, and so is the mean
        return answer(*args, **options) if callable(answer) else answer
    except NotImplementedError as error:
        raise UnsuitableError(
            f"{_name(caller)} needs {method} of a distribution, which this {type(law).__name__} has not "
            f"({error or 'not implemented'})"
        ) from error


def draw(law: Law, draws: Draws) -> Tensor:
    """``[S, *batch_shape, *event_shape]`` at the key of the call, without gradient.

    A law whose ``sample`` takes no ``key=`` draws from torch's default generator. Where the caller named a
    key or a generator, that generator is seeded from it for this draw, and put back as it was.
    """
    samples = 1 if draws.samples is None else draws.samples
    if _takes_key(type(law)):
        z = law.sample((samples,), key=draws.key)  # type: ignore[call-arg]
    elif not draws.named:
        z = law.sample((samples,))
    else:
        cards = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
        with torch.random.fork_rng(devices=cards):
            torch.manual_seed(fold(draws.key.seed, draws.key.offset))
            z = law.sample((samples,))
    if not isinstance(z, Tensor):
        raise wrong_type("sample", z, "a tensor [S, *batch_shape, *event_shape]")
    return z.detach()


def _takes_key(kind: type) -> bool:
    if kind not in _TAKES_KEY:
        _TAKES_KEY[kind] = "key" in inspect.signature(kind.sample).parameters  # type: ignore[attr-defined]
    return _TAKES_KEY[kind]


def law_log_prob(caller: Any, law: Law, value: Tensor, shape: Sequence[int]) -> Tensor:
    """Log probability of draws, in the shape of their costs."""
    log_p: Tensor = ask(caller, law, "log_prob", value)
    if log_p.shape != tuple(shape):
        raise ValueError(
            f"log_prob: got shape {tuple(log_p.shape)} from {type(law).__name__}, expected {tuple(shape)}"
        )
    return log_p


def law_marginals(caller: Any, law: Law, z: Tensor) -> Tensor:
    """What a draw is on average, differentiable, in the shape of the draws ``z``.

    Raises:
        UnsuitableError: draws that are no indicators: integers, or of another shape than the marginals.
    """
    marginals: Tensor = ask(caller, law, "marginals" if hasattr(type(law), "marginals") else "mean")
    if not z.is_floating_point() or z.shape[1:] != marginals.shape:
        raise UnsuitableError(
            f"{_name(caller)} needs draws that are indicators in the shape of their marginals, but "
            f"{type(law).__name__} draws {described(z[0])} with marginals of shape {tuple(marginals.shape)}; "
            "the estimators that need log_prob alone, such as rloo, serve it"
        )
    return marginals.expand(z.shape)
