"""What ``torch.fx.symbolic_trace`` records of a model: one node for each function and each layer of ours.

Inside them Python decides by shapes and values, which a symbol has not. May import: torch.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function

__all__ = ["is_symbol", "record", "record_module", "recordable"]

P = ParamSpec("P")
R = TypeVar("R")


def is_symbol(value: object) -> bool:
    """Whether ``value`` stands for a tensor that is not there yet."""
    return not isinstance(value, Tensor) and has_torch_function((value,))


def record(function: Callable[..., R], *args: Any, **options: Any) -> R:
    """Record a call of ``function`` whose first argument is a symbol."""
    result: R = handle_torch_function(function, args[:1], *args, **options)
    return result


def recordable(function: Callable[P, R]) -> Callable[P, R]:
    """Let calls of ``function`` be recorded where its first argument is a symbol."""

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        if args and is_symbol(args[0]):
            return record(call, *args, **options)
        return function(*args, **options)

    return call


def record_module(module: nn.Module, symbol: Any, **options: Any) -> Any:
    """Record a call of ``module`` with a symbol, without looking inside.

    Raises:
        TypeError: ``module`` is all that is traced, so that there is no graph to record it in.
    """
    path = symbol.tracer.path_of_module(module)
    if path == "":
        raise TypeError(
            f"symbolic_trace: got {type(module).__name__} itself, expected a model that has it, such as "
            "torch.nn.Sequential(layer)"
        )
    options = {name: value for name, value in options.items() if value is not None}
    return symbol.tracer.create_proxy("call_module", path, (symbol,), options)
