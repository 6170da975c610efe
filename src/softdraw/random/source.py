"""Where noise comes from: the one place that knows eager mode, graphs, transforms, capture and ranks.

Every room that draws hands the ``key=`` and ``generator=`` of its caller to this module, which decides:

- eager mode: seed and offset are numbers (``numbers``), and a kernel is called with them;
- compiled graphs, ``torch.func``, modes such as fake tensors: the key is a tensor (``state``), which an
  operation of the graph draws, so that the next call, or the next example of ``vmap``, has another one;
- a CUDA graph being captured: no fresh seed, because it would be replayed;
- activation checkpointing: no private generator, because torch cannot rewind it;
- ONNX exports: the runtime draws, at its own seed;
- ``torch.distributed``: a layer's key has the rank folded in (``layer_key``).
"""

import math

import torch
import torch.distributed as dist
from torch import Tensor

from softdraw._torch import dispatch_modes, innermost_transform, is_checkpointed, jit_traces
from softdraw.arguments import wrong_type
from softdraw.kernels import autograd, ops
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype
from softdraw.random.key import Key, key_from_numbers, key_from_state
from softdraw.random.ranks import Ranks

__all__ = [
    "call_key",
    "fresh_key",
    "in_graph",
    "layer_key",
    "noise",
    "noise_of_shape",
    "numbers",
    "one_source",
    "state",
]


def one_source(key: Key | None, generator: torch.Generator | None, noise: Tensor | None = None) -> None:
    """Refuse more than one source of noise, and what is no source.

    Raises:
        TypeError: ``key`` is no ``Key`` or ``generator`` no ``torch.Generator``.
        ValueError: more than one is given.
    """
    if key is not None and not isinstance(key, Key):
        raise wrong_type("key", key, "a softdraw.Key, such as softdraw.Key(0)")
    if generator is not None and not isinstance(generator, torch.Generator):
        raise wrong_type("generator", generator, "a torch.Generator")
    named = (("key", key), ("generator", generator), ("noise", noise))
    given = [name for name, value in named if value is not None]
    if len(given) > 1:
        count = "both" if len(given) == 2 else "all three"
        raise ValueError(f"{' and '.join(given)}: got {count}, expected at most one source of noise")


def in_graph() -> bool:
    """Whether a graph, a transform or a mode sees each operation, so that a fresh key has to be one."""
    return (
        torch.compiler.is_compiling()
        or innermost_transform() is not None
        or dispatch_modes() != 0
        or jit_traces()
    )


def numbers(key: Key | None, generator: torch.Generator | None, like: Tensor) -> tuple[int, int]:
    """Signed seed and offset of ``key`` or of a fresh one, for a kernel that ``is_plain(like)`` allows."""
    if key is not None:
        return key._numbers()
    if like.is_cuda:
        _refuse_capture()
    if generator is not None:
        _refuse_checkpoint()
    return ops.random_seed(generator), 0


def state(key: Key | None, generator: torch.Generator | None) -> Tensor:
    """``key`` or a fresh one as a tensor, for graphs and transforms; a fresh one follows ``randomness=``."""
    return fresh_key(generator).state if key is None else key.state


def call_key(key: Key | None, generator: torch.Generator | None) -> Key:
    """The key of one call that draws several times: the caller's, or a fresh one that is made once.

    Raises:
        TypeError: ``key`` is no ``Key`` or ``generator`` no ``torch.Generator``.
        ValueError: both are given.
    """
    if key is not None or generator is not None:
        one_source(key, generator)
    return fresh_key(generator) if key is None else key


def fresh_key(generator: torch.Generator | None = None) -> Key:
    """A key with a seed from ``generator``, or from torch's default generator on the CPU.

    A generator on another device is read, which waits for that device. In a compiled graph the seed is drawn
    at each call, as part of the graph; under ``vmap`` it follows ``randomness=``.

    Raises:
        RuntimeError: while a CUDA graph is captured; with ``generator`` inside ``torch.compile`` or
            activation checkpointing.

    Example:
        >>> import softdraw as sd, torch
        >>> seeds = torch.Generator().manual_seed(0)
        >>> first = sd.random.fresh_key(seeds)
        >>> first == sd.random.fresh_key(seeds.manual_seed(0))
        True
    """
    if torch.compiler.is_compiling():
        if generator is not None:
            raise RuntimeError(
                "generator: got one in a compiled graph, which cannot hold it; expected key=, for example "
                "softdraw.random.fresh_key(generator) of outside the graph"
            )
        # An empty permutation draws nothing. Under vmap with randomness="different" it is batched, and with
        # it the operation that draws.
        return key_from_state(ops.fresh_state(torch.randperm(0, device="cpu")))
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        _refuse_capture()
    if generator is not None:
        _refuse_checkpoint()
    if in_graph():
        return key_from_state(ops.random_state((), generator))
    return key_from_numbers(ops.random_seed(generator), 0)


def layer_key(
    key: Key | None, generator: torch.Generator | None, ranks: Ranks
) -> tuple[Key | None, torch.Generator | None]:
    """``key`` and ``generator`` as a layer hands them on: folded with the rank under ``torch.distributed``.

    Ranks are seeded alike by most training code, and would draw the same noise for different examples.

    Args:
        key: the caller's.
        generator: the caller's.
        ranks: those that draw apart. Where several ranks hold parts of the same examples (tensor
            parallelism), they are the ranks over which the data is spread.

    Raises:
        TypeError: ``key`` is no ``Key`` or ``generator`` no ``torch.Generator``.
        ValueError: both are given, or this process is not among ``ranks``.
    """
    if key is not None or generator is not None:
        one_source(key, generator)
    if ranks.group is None or not (dist.is_available() and dist.is_initialized()):
        return key, generator
    if key is None and generator is None and torch.onnx.is_in_onnx_export():
        return None, None  # the runtime draws
    return call_key(key, generator).fold_in(ranks.rank()), None


def noise(
    law: str,
    like: Tensor,
    samples: int = 1,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    plain: bool | None = None,
    class_start: int = 0,
) -> Tensor:
    """Noise ``[samples, *like.shape]``, classes last; under ``torch.func``, in the shape of one example.

    ``plain`` is what ``is_plain(like)`` says, from a caller who has asked already. ``class_start`` is the
    number of the first class, where ``like`` is a shard of longer rows: it gets what they would get there.
    """
    if plain is not True and torch.onnx.is_in_onnx_export():
        return _onnx_noise(law, like.detach(), samples, key, generator)
    if jit_traces():
        return ops.noise_like(state(key, generator), law, samples, like.detach(), class_start)
    shape, dtype = like.shape, compute_dtype(like.dtype)
    size = samples, math.prod(shape[:-1]), shape[-1]
    if is_plain(like) if plain is None else plain:
        drawn = autograd.noise(law, *size, *numbers(key, generator, like), dtype, like.device, class_start)
    else:
        drawn = ops.noise(state(key, generator), law, *size, dtype, like.device, class_start)
    return drawn.reshape(samples, *shape)


def noise_of_shape(
    law: str,
    shape: tuple[int, ...],
    sample_shape: tuple[int, ...],
    key: Key | None,
    generator: torch.Generator | None,
    dtype: torch.dtype,
    device: torch.device,
    class_start: int = 0,
) -> Tensor:
    """Noise ``[*sample_shape, *shape]`` beside no other tensor; the first class is ``class_start``."""
    if jit_traces():
        like = torch.empty(shape or (1,), dtype=dtype, device=device)
        drawn = ops.noise_like(state(key, generator), law, math.prod(sample_shape), like, class_start)
        return drawn.reshape((*sample_shape, *shape)).to(dtype)
    size = math.prod(sample_shape), math.prod(shape[:-1]), shape[-1] if shape else 1
    key, wide = call_key(key, generator), compute_dtype(dtype)
    if in_graph() or device.type == "meta":
        # Under torch.func a new tensor is wrapped, and a kernel cannot write to it: the operation unwraps it.
        drawn = ops.noise(key.state, law, *size, wide, device, class_start)
    else:
        drawn = autograd.noise(law, *size, *key._numbers(), wide, device, class_start)
    return drawn.reshape((*sample_shape, *shape)).to(dtype)


def _onnx_noise(
    law: str, like: Tensor, samples: int, key: Key | None, generator: torch.Generator | None
) -> Tensor:
    """Noise that the runtime of an ONNX file draws, at its own seed."""
    if key is not None or generator is not None:
        name = "generator" if key is None else "key"
        raise RuntimeError(
            f"{name}: got one in an ONNX export, whose runtime draws noise of its own, expected none: export "
            "a layer in eval mode, where evaluation='sample' draws without a key"
        )
    wide = like.to(compute_dtype(like.dtype))
    # Multiples of 2^-24 in float32, as runtimes draw them; the ends move inside, so no noise is infinite.
    u = torch.rand_like(wide.expand(samples, *like.shape)).clamp(2.0**-25, 1.0 - 2.0**-24)
    if law == "uniform":
        return u
    if law == "logistic":
        return u.log() - (1.0 - u).log()
    waiting = -(1.0 - u).log()
    return waiting if law == "exponential" else -waiting.log()


def _refuse_capture() -> None:
    if torch.cuda.is_current_stream_capturing():
        raise RuntimeError(
            "key: got None while a CUDA graph is captured, which would replay the seed drawn now; expected "
            "key= (the draw is then the same at every replay) or noise="
        )


def _refuse_checkpoint() -> None:
    if is_checkpointed():
        raise RuntimeError(
            "generator: got one inside torch.utils.checkpoint, which runs this call twice and cannot rewind "
            "it, so that the gradient would be that of other noise; expected key=, or no source of noise "
            "(torch rewinds its default generator)"
        )
