"""Enumeration: the exact value and gradient, by visiting every state."""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from softdraw.arguments import read_count
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import allowed_classes, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.errors import TooManyStatesError, UnsuitableError
from softdraw.estimators._core.laws import ask, law_log_prob
from softdraw.estimators._core.registry import register

__all__ = ["Enumeration"]


@register("enumeration")
class Enumeration(Estimator):
    """E[f(z)] = sum over all C^D states of p(z) f(z), and its gradient, without noise.

    For a distribution the states are those of its ``enumerate_support()``.

    The graph of the sum is kept, so derivatives of any order flow to the logits and to f's parameters.

    Args:
        max_states: the largest C^D it will visit.
        chunk: how many states are given to f at once.

    Raises:
        TypeError: an option that is no int.
        TooManyStatesError: C^D is larger than ``max_states`` (the message gives the count), or a
            distribution has more states than that, or than it enumerates itself.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> sd.estimators.get("enumeration").expectation(lambda z: 4 * z[..., 0, 0], logits).item()
        2.0
    """

    family = "exact"
    unbiased = True
    law_needs = ("log_prob", "enumerate_support")
    reference = "the definition of the expectation"
    remark = "exact"

    def __init__(self, *, max_states: int = 1 << 20, chunk: int = 1 << 14) -> None:
        super().__init__(samples=1)
        self.max_states = read_count("max_states", max_states, 1)
        self.chunk = read_count("chunk", chunk, 1)

    def evaluations(self, variables: int, classes: int) -> int:
        """C^D."""
        states: int = int(classes) ** int(variables)
        return states

    def _check(self, logits: Tensor) -> None:
        variables, classes = logits.shape[-2:]
        if self.evaluations(variables, classes) > self.max_states:
            raise TooManyStatesError(
                f"enumeration would visit {classes}^{variables} = {classes**variables} states, more than "
                f"max_states={self.max_states}; softdraw.diagnostics.reference_gradient gives a high-sample "
                "estimate with its standard error"
            )

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        del draws
        variables, classes = logits.shape[-2:]
        allowed = allowed_classes(logits.detach(), mask)
        p = probabilities(logits, allowed)
        # A row without classes has one state, the zero vector: class 0 stands for it.
        empty = ~allowed.any(-1, keepdim=True)
        first = torch.arange(classes, device=logits.device) == 0
        p = torch.where(empty & first, torch.ones_like(p), p)
        total: Tensor | None = None
        states = classes**variables
        for start in range(0, states, self.chunk):
            index = state_indices(start, min(start + self.chunk, states), variables, classes, logits.device)
            count = index.shape[0]
            at = index.view(count, *(1,) * (logits.dim() - 2), variables, 1)
            at = at.expand(count, *logits.shape[:-1], 1)
            weight = p.expand(count, *p.shape).gather(-1, at).squeeze(-1).prod(-1)
            z = torch.zeros(count, *logits.shape, dtype=logits.dtype, device=logits.device)
            z = z.scatter(-1, at, 1.0).masked_fill(~allowed, 0.0)
            cost = call_cost(f, z, caller=self)
            # the cost of a state that cannot occur may be infinite; 0 * inf must not reach the sum
            cost = torch.where(weight > 0, cost, torch.zeros_like(cost))
            part = (weight.to(cost.dtype) * cost).sum(0)
            total = part if total is None else total + part
        if total is None:
            raise AssertionError("unreachable: there is at least one state")
        return total

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        del draws, tau
        batch = law.batch_shape
        try:
            states = ask(self, law, "enumerate_support")
        except ValueError as error:
            if isinstance(error, TooManyStatesError | UnsuitableError):
                raise
            raise TooManyStatesError(str(error)) from error
        count = states.shape[0]
        if count > self.max_states:
            raise TooManyStatesError(
                f"enumeration would visit {count} states, more than max_states={self.max_states}"
            )
        # a state without dims of its batch is the same for all of it
        lacking = len(batch) + len(law.event_shape) + 1 - states.dim()
        states = states.view(count, *(1,) * lacking, *states.shape[1:]).expand(
            count, *batch, *law.event_shape
        )
        # A row of padding has one state, its mode: the first stands for it.
        padding = getattr(law, "padding", None)
        first = torch.arange(count, device=states.device).view(-1, *(1,) * len(batch)) == 0
        if padding is not None:
            none = padding.view(*batch, *(1,) * len(law.event_shape))
            states = torch.where(none, law.mode, states)
        # one list serves rows of unlike lengths or sizes, whose log_prob may refuse the structures of others
        law = copy.copy(law)
        if hasattr(law, "_validate_args"):
            law._validate_args = False
        parts = []
        for start in range(0, count, self.chunk):
            z, one = states[start : start + self.chunk], first[start : start + self.chunk]
            cost = call_cost(f, z, caller=self, batch=batch)
            log_p = law_log_prob(self, law, z, cost.shape)
            possible = log_p > -math.inf
            if padding is not None:
                possible = possible & (one | ~padding)
            weight = torch.where(possible, log_p, 0.0).exp().to(cost.dtype)
            # the cost of a state that cannot occur may be infinite; 0 * inf must not reach the sum
            parts.append(torch.where(possible, weight * torch.where(possible, cost, 0.0), 0.0).sum(0))
        return torch.stack(parts).sum(0)

    def _options(self) -> dict[str, object]:
        return {"max_states": self.max_states, "chunk": self.chunk}


def state_indices(start: int, stop: int, variables: int, classes: int, device: torch.device) -> Tensor:
    """Classes ``[stop - start, D]`` of the states numbered start to stop, the last variable fastest."""
    number = torch.arange(start, stop, device=device).unsqueeze(-1)
    base = torch.tensor(
        [classes**d for d in range(variables - 1, -1, -1)] if variables else [],
        dtype=torch.int64,
        device=device,
    )
    if math.prod([classes] * variables) == 1:
        return torch.zeros(stop - start, variables, dtype=torch.int64, device=device)
    return (number // base) % classes
