"""RELAX: REBAR with a free-form control variate."""

import torch
from torch import Tensor, nn

from softdraw.arguments import read_count
from softdraw.estimators._core.base import Cost, call_cost
from softdraw.estimators._core.learning import follow
from softdraw.estimators._core.registry import register
from softdraw.estimators.control_variate.rebar import REBAR

__all__ = ["RELAX"]


@register("relax")
class RELAX(REBAR):
    """REBAR with c(y) = eta f(softmax(y / tau)) + r(y), r a small network of the noisy logits.

    r has one tanh layer of 10 units, is shaped at the first call, and starts at zero, so the estimator starts
    as ``rebar``. With ``relaxed_f=False`` c is r alone and f may be a black box. All of it is trained by the
    gradient of the estimate's squared norm that a backward leaves in ``parameters()``.

    Reference:
        Grathwohl, Choi, Wu, Roeder, Duvenaud, "Backpropagation through the Void", ICLR 2018, equation 10 and
        appendix B.

    Args:
        tau: temperature at the start, > 0; 0.5 unless given.
        eta: scale of the relaxed cost at the start, 1 unless given.
        hidden: units of r.
        relaxed_f: whether c contains the relaxed cost.
        samples: S, 1 unless given.

    Raises:
        TypeError: an option that is no number, or ``hidden`` or ``samples`` no int.
        ValueError: a temperature that is not positive, or ``hidden`` below 1.

    Example:
        >>> import softdraw as sd
        >>> sd.estimators.get("relax", relaxed_f=False).needs
        'callable'
    """

    family = "control-variate"
    reference = "Grathwohl et al. (2018), eq. 10 and appendix B"
    remark = "learns its tau; `relaxed_f=False`: f may be a black box"

    def __init__(
        self,
        tau: float | None = None,
        eta: float = 1.0,
        *,
        hidden: int = 10,
        relaxed_f: bool = True,
        samples: int = 1,
    ) -> None:
        super().__init__(tau, eta, samples=samples)
        hidden = read_count("hidden", hidden, 1)
        self.relaxed_f = relaxed_f
        if not relaxed_f:
            self.needs = "callable"
            self.log_tau.requires_grad_(False)
            self.eta.requires_grad_(False)
            self.baseline.requires_grad_(False)  # r has a bias of its own
        head = nn.Linear(hidden, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.network = nn.Sequential(nn.LazyLinear(hidden), nn.Tanh(), head)

    def evaluations(self, variables: int, classes: int) -> int:
        """2 S, or S without the relaxed cost."""
        return super().evaluations(variables, classes) if self.relaxed_f else self.samples

    def _costs(self, f: Cost, z: Tensor, noisy: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        follow(self, self.network, noisy)
        features = noisy.masked_fill(~allowed, 0.0).flatten(-2)
        head: nn.Module = self.network[2]
        dtype: torch.dtype = next(head.parameters()).dtype
        free: Tensor = self.network(features.to(dtype)).squeeze(-1)
        if not self.relaxed_f:
            cost = call_cost(f, z, caller=self)
            return cost, free.to(cost.dtype)
        cost, control = super()._costs(f, z, noisy, allowed)
        return cost, control + free.to(control.dtype)

    def _options(self) -> dict[str, object]:
        return {**super()._options(), "relaxed_f": self.relaxed_f}
