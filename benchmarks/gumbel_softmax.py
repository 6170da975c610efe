"""Soft and hard draws, forward and backward, against `F.gumbel_softmax`, compiled too, JAX and a copy."""

import importlib.util
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw as sd
from benchmarks.comparison import Row
from benchmarks.interleaved import medians

__all__ = ["grid", "rows"]

#: shape, dtype, hard, tau, times faster that are asked for; tau = 1 spares a logarithm, so both are shown
CASES = [
    ((256, 10), torch.float32, False, 1.0, 3.0),
    ((256, 10), torch.float32, True, 1.0, 3.0),
    ((4096, 1000), torch.float32, False, 1.0, 20.0),
    ((4096, 1000), torch.float32, True, 1.0, 20.0),
    ((4096, 1000), torch.float32, False, 0.5, None),
    ((4096, 1000), torch.float32, True, 0.5, None),
    ((512, 32000), torch.float32, False, 1.0, 12.0),
    ((512, 32000), torch.float32, True, 1.0, 15.0),
    ((4096, 1000), torch.bfloat16, False, 1.0, 20.0),
    ((4096, 1000), torch.bfloat16, True, 1.0, 20.0),
    ((4096, 1000), torch.float16, False, 1.0, 20.0),
    ((4096, 1000), torch.float16, True, 1.0, 20.0),
]
GRID = [(1, 2), (1, 1000), (16, 10), (64, 128), (256, 10), (1024, 5), (4096, 32), (256, 4096), (64, 128256)]


def step(
    draw: Callable[..., Tensor], logits: Tensor, grad: Tensor, hard: bool, tau: float = 1.0
) -> Callable[[], object]:
    """Forward and backward of one draw."""
    return lambda: torch.autograd.grad(draw(logits, tau, hard), logits, grad)


def rows(seconds: float, device: str = "cpu") -> Iterator[Row]:
    """The cases of the table, each peer in turns with us."""
    for shape, dtype, hard, tau, bar in CASES:
        logits = torch.randn(shape, dtype=dtype, device=device, requires_grad=True)
        grad, copy = torch.randn_like(logits), torch.empty_like(logits)
        fixed = logits.detach()
        calls = {
            "softdraw": step(sd.gumbel_softmax, logits, grad, hard, tau),
            "F.gumbel_softmax": step(F.gumbel_softmax, logits, grad, hard, tau),
            "copy of the logits": lambda copy=copy, fixed=fixed: copy.copy_(fixed),
        }
        bars: dict[str, float | None] = {"F.gumbel_softmax": bar}
        if shape == (4096, 1000) and dtype == torch.float32 and not hard and tau == 1.0:
            calls["torch.compile of it"] = step(torch.compile(F.gumbel_softmax), logits, grad, hard)
            bars["torch.compile of it"] = 5.0
        what = f"{'hard' if hard else 'soft'} at tau {tau:g}, forward+backward"
        found = medians(calls, seconds, device)
        for peer in [name for name in calls if name != "softdraw"]:
            yield Row(what, shape, dtype, peer, found["softdraw"], found[peer], bars.get(peer))
        if "torch.compile of it" in calls and device == "cpu" and importlib.util.find_spec("jax"):
            # in a pair of its own: its threads go on spinning, which would slow down whoever comes next
            name = "JAX jit, value and gradient"
            found = medians({"softdraw": calls["softdraw"], name: jax_step(shape)}, seconds, device)
            yield Row(what, shape, dtype, name, found["softdraw"], found[name])


def jax_step(shape: tuple[int, int]) -> Callable[[], object]:
    """Gumbel noise, softmax and the gradient of a weighted sum in JAX."""
    import jax
    import jax.numpy as jnp

    logits, weight = (jax.random.normal(jax.random.key(i), shape, jnp.float32) for i in (1, 2))

    @jax.jit
    def both(key: object, x: object) -> object:
        def loss(x: object) -> object:
            return (jax.nn.softmax(x + jax.random.gumbel(key, shape)) * weight).sum()

        return jax.value_and_grad(loss)(x)

    key = jax.random.key(0)
    return lambda: jax.block_until_ready(both(key, logits))


def grid(seconds: float, device: str = "cpu") -> Iterator[Row]:
    """Small to large shapes in every dtype: never slower."""
    for shape in GRID:
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            logits = torch.randn(shape, dtype=dtype, device=device, requires_grad=True)
            grad = torch.randn_like(logits)
            for hard in (False, True):
                calls = {
                    "softdraw": step(sd.gumbel_softmax, logits, grad, hard),
                    "F.gumbel_softmax": step(F.gumbel_softmax, logits, grad, hard),
                }
                found = medians(calls, seconds, device)
                what = f"grid, {'hard' if hard else 'soft'}"
                yield Row(
                    what, shape, dtype, "F.gumbel_softmax", found["softdraw"], found["F.gumbel_softmax"], 1.0
                )
