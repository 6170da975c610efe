"""What an estimator learns while it is used, and derivatives inside it, with and without ``torch.func``."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from softdraw._torch import innermost_transform
from softdraw.estimators._core.base import Estimator

__all__ = ["check_may_learn", "follow", "learning", "with_slope"]


def check_may_learn(estimator: Estimator) -> None:
    """Refuse to learn inside ``torch.func``, where nothing that is captured can move or get a gradient."""
    if innermost_transform() is not None:
        raise RuntimeError(
            f"{estimator.name or type(estimator).__name__}: got a call inside torch.func, where what an "
            "estimator learns while it is used (a baseline, a control variate, a step) can neither move nor "
            "get a gradient, expected est.eval(), in which it stands still"
        )


def learning(estimator: Estimator) -> list[nn.Parameter]:
    """The parameters that this call is to leave a gradient in: none in eval mode and without gradients.

    Raises:
        RuntimeError: there are some, inside ``torch.func``.
    """
    if not (estimator.training and torch.is_grad_enabled()):
        return []
    parameters = [parameter for parameter in estimator.parameters() if parameter.requires_grad]
    if parameters:
        check_may_learn(estimator)
    return parameters


def with_slope(
    f: Callable[[Tensor], tuple[Tensor, Tensor]], at: Tensor, *, create_graph: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Both values of ``f(at)``, and the derivative of the first one's sum with respect to ``at``."""
    if innermost_transform() is None:
        at = at.detach().requires_grad_()
        first, second = f(at)
        (slope,) = torch.autograd.grad(
            first.sum(), at, create_graph=create_graph, retain_graph=True, materialize_grads=True
        )
        return first, second, slope
    first, pull, second = torch.func.vjp(f, at.detach(), has_aux=True)  # type: ignore[misc]
    (slope,) = pull(torch.ones_like(first))
    return first, second, slope


def follow(estimator: Estimator, module: nn.Module, like: Tensor) -> None:
    """Bring the small network of an estimator to the device of what it reads.

    Only where it is elsewhere: under ``torch.func`` even an idle ``to`` would put wrapped tensors into it.

    Raises:
        RuntimeError: inside ``torch.func``, where its first call would shape it.
    """
    first = next(module.parameters())
    if innermost_transform() is not None and nn.parameter.is_lazy(first):
        raise RuntimeError(
            f"{estimator.name}: got a first call inside torch.func, which cannot shape its network, expected "
            "one call outside before"
        )
    if first.device != like.device:
        module.to(like.device)
