"""The operations that graphs carry: ``softdraw::noise``, ``softdraw::fresh_state`` and a twin of the first.

Compiled graphs, exports and ``torch.func`` see these and plain PyTorch around them, so that every transform
that PyTorch knows applies. Keys are tensors here, or each new key would be a recompilation.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import activation_memory_budget, register_fake
from softdraw.kernels import dispatch
from softdraw.kernels.formulas import compute_dtype

__all__ = ["fresh_state", "noise", "noise_beside", "noise_like", "one_by_one", "random_seed", "random_state"]

_library = torch.library.Library("softdraw", "DEF")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "noise(Tensor state, str law, SymInt samples, SymInt rows, SymInt classes, ScalarType dtype, "
    "Device device, SymInt class_start=0) -> Tensor"
)
# For torch.jit.trace, which records neither devices nor, for an operation of Python, the sizes of a tensor.
_library.define(  # type: ignore[no-untyped-call]
    "noise_like(Tensor state, str law, int samples, Tensor like, int class_start=0) -> Tensor"
)
# The tag forbids a partitioner to call it a second time in the backward (pytorch#190758).
_library.define(  # type: ignore[no-untyped-call]
    "fresh_state(Tensor like, SymInt[] count=[]) -> Tensor", tags=(torch.Tag.nondeterministic_seeded,)
)


def _noise(
    state: Tensor,
    law: str,
    samples: int,
    rows: int,
    classes: int,
    dtype: torch.dtype,
    device: torch.device,
    class_start: int = 0,
) -> Tensor:
    seed, offset = state.tolist()
    backend = dispatch.backend_for(device.type)
    drawn: Tensor = backend.noise(law, samples, rows, classes, seed, offset, dtype, device, class_start)
    return drawn


def _noise_fake(
    state: Tensor,
    law: str,
    samples: int,
    rows: int,
    classes: int,
    dtype: torch.dtype,
    device: torch.device,
    class_start: int = 0,
) -> Tensor:
    return state.new_empty((samples, rows, classes), dtype=dtype, device=device)


def _noise_vmap(info: Any, in_dims: tuple[int | None, ...], state: Tensor, *rest: Any) -> tuple[Tensor, int]:
    states = state.movedim(in_dims[0] or 0, 0)
    return torch.stack([torch.ops.softdraw.noise(one, *rest) for one in states.unbind(0)]), 0


def _noise_like(state: Tensor, law: str, samples: int, like: Tensor, class_start: int = 0) -> Tensor:
    size = samples, math.prod(like.shape[:-1]), like.shape[-1]
    drawn = _noise(state, law, *size, compute_dtype(like.dtype), like.device, class_start)
    return drawn.reshape(samples, *like.shape)


_LEAST = -(2**63)
#: one thread's memory for a seed, because a new tensor takes longer than its number
_own = threading.local()


def random_seed(generator: torch.Generator | None = None) -> int:
    """A fresh signed seed from ``generator`` or torch's default generator on the CPU."""
    if generator is None:
        try:
            place = _own.place
        except AttributeError:
            with torch.inference_mode(False):
                place = _own.place = torch.empty((), dtype=torch.int64, device="cpu")
        return int(place.random_(_LEAST, -_LEAST - 1).item())
    place = torch.empty((), dtype=torch.int64, device=generator.device)
    return int(place.random_(_LEAST, -_LEAST - 1, generator=generator).item())


def random_state(count: tuple[int, ...] = (), generator: torch.Generator | None = None) -> Tensor:
    """States ``[*count, 2]`` of fresh seeds, from ``generator`` or torch's default generator on the CPU."""
    # randint, because under torch.func it follows the randomness that was asked for
    device = torch.device("cpu") if generator is None else generator.device
    seed = torch.randint(_LEAST, -_LEAST - 1, count, dtype=torch.int64, generator=generator, device=device)
    return torch.stack((seed, torch.zeros_like(seed)), -1)


def _fresh_state(like: Tensor, count: tuple[int, ...] = ()) -> Tensor:
    return random_state(count)


def _fresh_state_fake(like: Tensor, count: tuple[int, ...] = ()) -> Tensor:
    # pytorch#190758: such a graph draws again in its backward, whatever the tag says, and nothing would tell.
    if torch.is_grad_enabled() and (budget := activation_memory_budget()) < 1:
        raise RuntimeError(
            f"key: torch._functorch.config.activation_memory_budget is {budget}, "
            "and below 1 torch.compile may draw a new seed in the backward, whose gradient is then that of "
            "other noise; pass key= (or noise=), which is recomputed exactly"
        )
    return torch.empty((*count, 2), dtype=torch.int64, device="cpu")


def _fresh_state_vmap(
    info: Any, in_dims: tuple[int | None, ...], like: Tensor, count: tuple[int, ...] = ()
) -> tuple[Tensor, int | None]:
    like = like.select(in_dims[0] or 0, 0)
    if info.randomness == "different":
        return torch.ops.softdraw.fresh_state(like, (info.batch_size, *count)), 0
    return torch.ops.softdraw.fresh_state(like, count), None


_key = "CompositeExplicitAutograd"
_library.impl("noise", _noise, _key)  # type: ignore[no-untyped-call]
_library.impl("noise_like", _noise_like, _key)  # type: ignore[no-untyped-call]
_library.impl("fresh_state", _fresh_state, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "noise", _noise_fake)
register_fake(_library, "fresh_state", _fresh_state_fake)
torch.library.register_vmap("softdraw::noise", _noise_vmap, lib=_library)
torch.library.register_vmap("softdraw::fresh_state", _fresh_state_vmap, lib=_library)


def noise(
    state: Tensor,
    law: str,
    samples: int,
    rows: int,
    classes: int,
    dtype: torch.dtype,
    device: torch.device,
    class_start: int = 0,
) -> Tensor:
    """Noise ``[samples, rows, classes]`` for a key that is a tensor; the first class is ``class_start``."""
    drawn: Tensor = torch.ops.softdraw.noise(state, law, samples, rows, classes, dtype, device, class_start)
    return drawn


def noise_like(state: Tensor, law: str, samples: int, like: Tensor, class_start: int = 0) -> Tensor:
    """Noise ``[samples, *like.shape]``, classes last, as ``torch.jit.trace`` can record it."""
    drawn: Tensor = torch.ops.softdraw.noise_like(state, law, samples, like, class_start)
    return drawn


def fresh_state(like: Tensor) -> Tensor:
    """The state of a fresh key, as an operation of the graph: one for each example where ``vmap`` batches
    ``like``.
    """
    state: Tensor = torch.ops.softdraw.fresh_state(like)
    return state


def noise_beside(state: Tensor, law: str, samples: int, logits: Tensor) -> Tensor:
    """Noise ``[samples, rows, classes]`` for such logits, by the operation of graphs."""
    *rows, classes = logits.shape
    dtype = compute_dtype(logits.dtype)
    drawn: Tensor = noise(state, law, samples, math.prod(rows), classes, dtype, logits.device)
    return drawn


def one_by_one(name: str) -> Callable[..., Any]:
    """A rule for ``vmap`` that calls the operation ``softdraw::name`` once for each example."""

    def rule(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        found = []
        for number in range(info.batch_size):
            # a list among the arguments has a list of dims, all None
            picked = [
                one.select(dim, number) if isinstance(dim, int) else one
                for one, dim in zip(args, in_dims, strict=True)
            ]
            found.append(getattr(torch.ops.softdraw, name)(*picked))
        outs = tuple(torch.stack(parts) for parts in zip(*found, strict=True))
        return outs, (0,) * len(outs)

    return rule
