"""``gumbel_softmax``: relaxed or straight-through samples of a categorical variable."""

from collections.abc import Sequence

import torch
from torch import Tensor

from softdraw.arguments import class_dim, is_usual, read_mask, read_noise, read_tau
from softdraw.kernels import autograd
from softdraw.kernels.fast_path import is_distributed, is_plain
from softdraw.kernels.formulas import Scores, relaxed, scores
from softdraw.random import Key, source
from softdraw.recording import is_symbol, record

__all__ = ["gumbel_softmax", "sample_plain"]


def gumbel_softmax(
    logits: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    eps: float | None = None,
    dim: int = -1,
    *,
    mask: Tensor | None = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
    sizes: Sequence[int] | None = None,
) -> Tensor:
    """softmax((logits + Gumbel noise) / tau), or its one-hot with the gradient of the soft sample.

    The positional arguments are those of ``torch.nn.functional.gumbel_softmax``. Noise and softmax are
    computed in float32 (float64 for float64 logits) on logits less their row's maximum. Masked classes and
    logits of ``-inf`` get exactly 0; a row with no allowed class is a row of zeros; NaN or ``+inf`` in a row
    makes the row NaN.

    Args:
        logits: unnormalised log-probabilities ``[*]`` with classes in ``dim``, of any floating dtype. A
            DTensor draws what one process with all of it would.
        tau: the temperature, >= 0: a float, a 0-dim tensor, a tensor with as many dims as the logits and
            size 1 at ``dim``, or one with fewer dims that broadcasts to the batch shape (the logits' shape
            without ``dim``). A ``[k]`` or ``[n, k]`` tensor, which ``F.gumbel_softmax`` would divide by
            class for class, is refused unless it fits the batch shape. 0 gives a one-hot without gradient,
            ``inf`` the uniform distribution.
        hard: exact zeros and ones in the forward pass, the gradient of the soft sample in the backward pass.
        eps: ignored, as in torch.
        dim: where the classes are.
        mask: boolean, broadcastable to the logits, True where a class is allowed.
        key: the name of the noise.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        noise: the caller's own noise, broadcastable to the logits; gradients reach it.
        sizes: the sizes of the blocks that the last dim consists of, such as ``[3, 5, 2]``: each is a choice
            of its own, and rows are counted over batch and blocks. Blocks of one size draw what logits
            ``[*batch, blocks, size]`` would. ``tau`` then broadcasts to ``[*batch, blocks]``.

    Returns:
        Samples in the shape and dtype of ``logits``, contiguous. Gradients reach ``logits``, ``tau`` and
        ``noise``.

    Raises:
        TypeError: ``logits`` or ``noise`` is no dense tensor of float16, bfloat16, float32 or float64,
            ``mask`` none of bool, ``tau`` no number and no such tensor, or ``dim``, ``key`` or ``generator``
            of another type.
        ValueError: ``tau`` is negative or NaN or does not fit, ``mask`` or ``noise`` does not broadcast or
            is on another device, there is no dim ``dim`` or no class in it, more than one of key,
            generator and noise is given, or ``sizes`` are not the last dim's.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([[0.0, 1.0, 2.0]], requires_grad=True)
        >>> y = sd.gumbel_softmax(logits, tau=0.5, key=sd.Key(0))
        >>> y.shape, bool((y.sum(-1) - 1).abs() < 1e-6)
        (torch.Size([1, 3]), True)
        >>> z = sd.gumbel_softmax(logits, tau=0.5, hard=True, key=sd.Key(0))
        >>> bool((z.argmax(-1) == y.argmax(-1)).all()), z.sum().item()
        (True, 1.0)
        >>> mask = torch.tensor([True, False, True])
        >>> sd.gumbel_softmax(logits, mask=mask, key=sd.Key(0))[0, 1].item()
        0.0
        >>> blocks = sd.gumbel_softmax(torch.zeros(4, 10), sizes=[3, 5, 2]).split([3, 5, 2], -1)
        >>> all(bool((block.sum(-1) - 1).abs().max() < 1e-6) for block in blocks)
        True

    Reference:
        Jang, Gu, Poole, "Categorical reparameterization with Gumbel-Softmax", ICLR 2017, eq. 2.
        Maddison, Mnih, Teh, "The Concrete distribution", ICLR 2017, eq. 10.
    """
    eager = is_plain(logits)
    if not eager:
        if is_symbol(logits):
            options = {"mask": mask, "key": key, "generator": generator, "noise": noise, "sizes": sizes}
            return record(gumbel_softmax, logits, tau, hard, eps, dim, **options)
        if is_distributed(logits):
            from softdraw.sharding import draws  # here, since DTensor takes its time to import

            return draws.sample(gumbel_softmax, logits, tau, hard, dim, mask, key, generator, noise, sizes)
    if sizes is not None:
        from softdraw.functional import blocks  # here, so that a program without them starts sooner

        return blocks.sample(gumbel_softmax, sizes, logits, tau, hard, dim, mask, key, generator, noise)
    last = eager and dim == -1 and is_usual(logits)
    if not last:
        dim = class_dim(logits, dim)
        last = dim == logits.dim() - 1
    if key is not None or generator is not None or noise is not None:
        source.one_source(key, generator, noise)
    if type(tau) is not float or not tau >= 0.0:
        tau = read_tau(tau, logits, dim, eager=eager)
    if mask is not None:
        mask = read_mask(mask, logits)
    x = logits if last else logits.movedim(dim, -1)
    if mask is not None and not last:
        mask = mask.movedim(dim, -1)
    if eager and noise is None and not (isinstance(tau, Tensor) and tau.requires_grad):
        y = sample_plain(x, mask, tau, hard, key, generator)
        return y if last else y.movedim(-1, dim).contiguous()
    if noise is None:
        noise = source.noise("gumbel", x, 1, key, generator, eager)[0]
    else:
        noise = read_noise(noise, logits.shape, logits)
        noise = noise if last else noise.movedim(dim, -1)
    y = _relax(scores(x, mask, noise), tau, hard, logits.dtype)
    return (y if last else y.movedim(-1, dim)).contiguous()


def sample_plain(
    logits: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    hard: bool,
    key: Key | None,
    generator: torch.Generator | None,
) -> Tensor:
    """The same for arguments that were read: logits that ``is_plain`` allows, with their classes last."""
    seed, offset = source.numbers(key, generator, logits)
    if isinstance(tau, Tensor):
        # A copy in full: a schedule may step before the backward.
        tau = tau.expand(logits.shape[:-1]).clone(memory_format=torch.contiguous_format)
    draw = autograd.hard if hard else autograd.soft
    return draw(logits, mask, tau, seed, offset)


def _relax(drawn: Scores, tau: float | Tensor, hard: bool, dtype: torch.dtype) -> Tensor:
    """The soft sample, or the hard one with its gradient; ``tau`` has one value a row."""
    column = tau.unsqueeze(-1) if isinstance(tau, Tensor) and tau.dim() else tau
    y = relaxed(drawn, column)
    if hard:
        # In the wide dtype, where y - y is exactly 0 and the sum therefore exactly 0 or 1.
        y = drawn.hot() + (y - y.detach())
    return y.to(dtype)
