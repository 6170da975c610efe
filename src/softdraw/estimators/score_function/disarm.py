"""DisARM / U2G: ARM with the uniform integrated out."""

import torch
from torch import Tensor

from softdraw.estimators._core.registry import register
from softdraw.estimators.score_function.arm import ARM

__all__ = ["DisARM"]


@register("disarm")
class DisARM(ARM):
    """(1/2) (f(b) - f(b')) (-1)^b' 1[b != b'] sigmoid(|phi|), b and b' antithetic samples.

    b = 1[1 - u < sigmoid(phi)] and b' = 1[u < sigmoid(phi)] of one uniform u. It is ARM's conditional
    expectation given the two samples, so its variance is never larger. Binary only, two evaluations of f for
    each of S uniforms; phi = logits[..., 0] - logits[..., 1].

    Reference:
        Dong, Mnih, Tucker, "DisARM: An Antithetic Gradient Estimator for Binary Latent Variables", NeurIPS
        2020, equation 6; Yin, Ho, Yan, Qian, Zhou, "Probabilistic Best Subset Selection via Gradient-Based
        Optimization", 2020 (U2G).

    Args:
        samples: S, how many pairs, 1 unless given.

    Raises:
        ValueError: logits of more or fewer than two classes.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("disarm", samples=3).evaluations(variables=5, classes=2)
        6
    """

    family = "score-function"
    reference = "Dong, Mnih, Tucker (2020), eq. 6"

    def _weight(self, first: Tensor, second: Tensor, logit_u: Tensor, phi: Tensor) -> Tensor:
        del logit_u
        sign = torch.where(second, -1.0, 1.0).to(phi.dtype)
        return 0.5 * sign * (first != second).to(phi.dtype) * torch.sigmoid(phi.abs())
