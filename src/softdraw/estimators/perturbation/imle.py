"""I-MLE: the difference of two argmaxes at one noise, with a fixed or an adaptive step."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from softdraw.arguments import read_number
from softdraw.estimators._core.attach import attach_surrogate
from softdraw.estimators._core.base import Cost, TensorEstimator, call_cost
from softdraw.estimators._core.categorical import allowed_classes, compute_dtype, one_hot, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.errors import UnsuitableError
from softdraw.estimators._core.laws import ask, law_log_prob
from softdraw.estimators._core.learning import check_may_learn, with_slope
from softdraw.estimators._core.registry import register
from softdraw.functional import gumbel_max
from softdraw.kernels.saved import keep, kept

__all__ = ["IMLE"]


class _FixedStep(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, hard: Tensor, noisy: Tensor, step: float, symmetric: bool) -> Tensor:
        return hard.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, hard, noisy, ctx.step, ctx.symmetric = inputs
        keep(ctx, hard, noisy)
        ctx.dtype = logits.dtype

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        hard, noisy = kept(ctx)
        difference = _difference(hard, noisy, ctx.step * upstream.to(noisy.dtype), ctx.symmetric)
        width = 2.0 * ctx.step if ctx.symmetric else ctx.step
        return (difference / width).to(ctx.dtype), None, None, None, None


class _AdaptiveStep(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, hard: Tensor, noisy: Tensor, owner: "IMLE") -> Tensor:
        return hard.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, hard, noisy, ctx.owner = inputs
        keep(ctx, logits, hard, noisy)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, hard, noisy = kept(ctx)
        owner: IMLE = ctx.owner
        g = upstream.to(noisy.dtype)
        step = owner.step_size(logits, noisy, g)
        difference = _difference(hard, noisy, step * g, owner.symmetric)
        owner.adapt(difference)
        width = 2.0 * step if owner.symmetric else step
        return (difference / width).to(logits.dtype), None, None, None


def _difference(hard: Tensor, noisy: Tensor, move: Tensor, symmetric: bool) -> Tensor:
    """The argmax before (or moved the other way, where ``symmetric``) less the argmax after the move."""
    source = _argmax(noisy + move) if symmetric else hard.to(noisy.dtype)
    difference = source - _argmax(noisy - move)
    return difference.masked_fill(noisy.amax(-1, keepdim=True) == -torch.inf, 0.0)


def _argmax(noisy: Tensor) -> Tensor:
    return one_hot(noisy.argmax(-1), noisy.shape[-1], noisy.dtype)


@register("imle")
class IMLE(TensorEstimator):
    """Forward z = argmax(logits + G), backward (z - argmax(logits - step g + G)) / step, same noise G.

    For f linear with gradient g the mean is (softmax(logits) - softmax(logits - step g)) / step: the true
    gradient for a small step, at a variance that grows as 1 / step. ``symmetric`` takes the difference of
    argmaxes at +step and -step over twice the step, which removes the first-order error.

    For a distribution d z is ``d.relax(hard=True)``, the most probable structure of perturbed parameters, and
    the other is that of ``d.moved(-step g)`` at the same noise, g the gradient of the cost of each sample.
    The law of z is then perturb-and-MAP, not that of ``d.sample``. The difference reaches the parameters as
    that of the log probabilities of the two structures, in which the normaliser cancels.

    With ``adaptive=True`` the step is beta |logits| / |g|, and beta moves by ``rate`` so that the mean number
    of non-zero entries of the difference per row tends to ``target_count``. beta starts at 0, where the
    difference is zero, and grows from there; it is state of the module and stands still in ``eval`` mode. The
    adaptive step runs eagerly, outside compiled graphs.

    Reference:
        Niepert, Minervini, Franceschi, "Implicit MLE: Backpropagating Through Discrete Exponential Family
        Distributions", NeurIPS 2021, algorithm 1; Minervini, Franceschi, Niepert, "Adaptive
        Perturbation-Based Gradient Estimation for Discrete Latent Variable Models", AAAI 2023, algorithm 1.

    Args:
        step: lambda > 0, how far the logits move against the gradient; 1 unless given.
        adaptive: let the step adapt (AIMLE).
        symmetric: central difference.
        rate: how much beta moves at a backward.
        target_count: non-zero entries per row to aim at.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: an option that is no number, or ``samples`` no int.
        ValueError: a step, rate or target count that is not positive.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> y = sd.estimators.get("imle", step=100.0)(logits, key=sd.Key(0))
        >>> (y * y.detach()).sum().backward()  # the cost is the drawn class: moving against it flips the draw
        >>> bool((logits.grad == (2 * y.detach() - 1) / 100).all())
        True
    """

    family = "perturbation"
    default_tau: ClassVar[float | None] = None
    law_needs = ("log_prob", "relax", "moved")
    reference = "Niepert et al. (2021), algorithm 1; Minervini et al. (2023), algorithm 1"
    beta: Tensor
    count: Tensor

    def __init__(
        self,
        step: float = 1.0,
        *,
        adaptive: bool = False,
        symmetric: bool = False,
        rate: float = 1e-3,
        target_count: float = 1.0,
        samples: int = 1,
    ) -> None:
        super().__init__(samples=samples)
        self.step = read_number("step", step, above=0.0)
        self.rate = read_number("rate", rate, above=0.0)
        self.target_count = read_number("target_count", target_count, above=0.0)
        self.adaptive, self.symmetric = adaptive, symmetric
        if adaptive:
            self.register_buffer("beta", torch.zeros(()))
            self.register_buffer("count", torch.ones(()))  # moving mean of the non-zero entries per row

    def step_size(self, logits: Tensor, noisy: Tensor, g: Tensor) -> Tensor:
        """The adaptive step for this gradient, shape ``[]``, > 0 also where beta or the gradient is zero."""
        size = torch.linalg.vector_norm(logits.masked_fill(noisy == -torch.inf, 0.0).to(noisy.dtype))
        slope = torch.linalg.vector_norm(g)
        step = self.beta.to(noisy.dtype) * size / slope
        tiny = torch.finfo(noisy.dtype).tiny
        return torch.where((slope > 0) & (step > tiny), step, torch.full_like(step, tiny))

    def adapt(self, difference: Tensor) -> None:
        """Move beta after one backward."""
        if not self.training:
            return
        rows = max(1, difference.numel() // difference.shape[-1])
        self.count.lerp_((difference != 0).sum().to(self.count.dtype) / rows, 0.1)
        direction = torch.where(self.count < self.target_count, self.rate, -self.rate)
        self.beta.add_(direction).clamp_(min=0.0)

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits, mask)
        values = logits.detach().to(compute_dtype(logits.dtype))
        noise = draws.gumbel(logits)
        index = gumbel_max(values.expand(noise.shape), mask=mask, noise=noise)
        poison = probabilities(values, allowed)[..., 0] * 0
        hard = one_hot(index, logits.shape[-1], logits.dtype, poison=poison)
        noisy = (values + noise).masked_fill(~allowed, -torch.inf)
        logits = logits.expand(hard.shape)
        if self.adaptive:
            if self.training:  # the backward moves the step
                check_may_learn(self)
            return _AdaptiveStep.apply(logits, hard, noisy, self)  # type: ignore[no-any-return, no-untyped-call]
        return _FixedStep.apply(logits, hard, noisy, self.step, self.symmetric)  # type: ignore[no-any-return, no-untyped-call]

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        if self.adaptive:
            raise UnsuitableError(
                "adaptive: got True with a distribution, expected False: the step reads logits"
            )
        count = self.samples
        # a key for each sample, since the moved law of each is another one
        keys = [draws.key if s == 0 else draws.key.fold_in(s) for s in range(count)]

        def modes(laws: list[Any]) -> Tensor:
            found = [
                ask(self, d, "relax", 1.0, hard=True, key=key) for d, key in zip(laws, keys, strict=True)
            ]
            return torch.stack(found).detach()

        def cost_of(at: Tensor) -> tuple[Tensor, Tensor]:
            cost = call_cost(f, at, differentiable=True, caller=self, batch=law.batch_shape)
            return cost, cost

        with torch.no_grad():
            z = modes([law] * count)
        if not torch.is_grad_enabled():
            return cost_of(z)[0].mean(0)
        cost, _, slope = with_slope(cost_of, z)
        with torch.no_grad():
            move = self.step * slope.detach()
            up = modes([ask(self, law, "moved", m) for m in move]) if self.symmetric else z
            down = modes([ask(self, law, "moved", -m) for m in move])
        shape = cost.shape
        difference = law_log_prob(self, law, up, shape) - law_log_prob(self, law, down, shape)
        width = 2.0 * self.step if self.symmetric else self.step
        return attach_surrogate(cost.mean(0), (difference / width).mean(0))

    def _options(self) -> dict[str, object]:
        names = ("step", "adaptive", "symmetric", "samples")
        return {name: getattr(self, name) for name in names}
