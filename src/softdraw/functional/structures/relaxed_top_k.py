"""``relaxed_top_k``: relaxed or straight-through samples of k of n."""

import torch
from torch import Tensor

from softdraw.arguments import check_classes, read_count, read_mask, read_noise, read_tau, sizes_of
from softdraw.functional import topk
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import scores
from softdraw.random import Key, source
from softdraw.recording import recordable

__all__ = ["relaxed_top_k"]


@recordable
def relaxed_top_k(
    logits: Tensor,
    k: int,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    method: str = "entropic",
    mask: Tensor | None = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """A relaxation of the k-hot of the k largest of logits + Gumbel noise, or that k-hot with its gradient.

    A softmax of the noisy logits, which is often used, sums to 1 and not to k. Here the sum is k:

    - ``"entropic"``: y = sigmoid((x - ν) / tau) with the ν at which Σ y = k. Always in [0, 1]; the
      gradient is that of the exact root.
    - ``"successive"``: the sum of k softmaxes, for comparison with published results. Entries exceed 1.
    - ``"sparse"``: the nearest point to x / tau in [0, 1] with sum k, most of whose entries are exactly 0
      or 1.

    Without noise these are ``softdraw.topk.entropic``, ``successive`` and ``sparse``.

    Args:
        logits: ``[*batch, n]`` of any floating dtype.
        k: how many, from 0 to n.
        tau: the temperature, >= 0, as in :func:`softdraw.gumbel_softmax`; 0 gives the k-hot without gradient.
        hard: the k-hot in the forward pass, the gradient of the soft sample in the backward pass. At one
            key it is the set of :func:`softdraw.gumbel_top_k`.
        method: ``"entropic"``, ``"successive"`` or ``"sparse"``.
        mask: boolean, broadcastable to the logits; False gives exactly 0. A row with k allowed items or fewer
            is 1 on all of them.
        key: the name of the noise.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        noise: the caller's own noise, broadcastable to the logits; gradients reach it.

    Returns:
        Samples in the shape and dtype of ``logits``; gradients reach ``logits``, ``tau`` and ``noise``.
        NaN or ``+inf`` in a row makes it NaN.

    Raises:
        TypeError: ``logits`` or ``noise`` is no dense tensor of float16, bfloat16, float32 or float64,
            ``mask`` none of bool, or ``k``, ``tau``, ``key`` or ``generator`` of another type.
        ValueError: ``k`` is out of range, another ``method``, ``tau`` is negative or NaN or does not fit,
            ``mask`` or ``noise`` does not broadcast or is on another device, or more than one of key,
            generator and noise is given.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([2.0, 1.0, 0.0, -1.0], requires_grad=True)
        >>> y = sd.relaxed_top_k(logits, 2, tau=0.5, key=sd.Key(0))
        >>> bool((y.sum() - 2).abs() < 1e-5), bool((y <= 1).all())
        (True, True)
        >>> z = sd.relaxed_top_k(logits, 2, tau=0.5, hard=True, key=sd.Key(0))
        >>> index = sd.gumbel_top_k(logits, 2, key=sd.Key(0))
        >>> z[index], z.sum()
        (tensor([1., 1.], grad_fn=<IndexBackward0>), tensor(2., grad_fn=<SumBackward0>))

    Reference:
        Amos, Koltun, Kolter, "The limited multi-label projection layer", 2019 (entropic); Xie, Ermon,
        "Reparameterizable subset sampling via continuous relaxations", IJCAI 2019 (successive).
    """
    check_classes("logits", logits, "[*batch, n]")
    k = read_count("k", k, 0, sizes_of(logits)[-1])
    topk.check_method(method)
    if key is not None or generator is not None or noise is not None:
        source.one_source(key, generator, noise)
    tau = read_tau(tau, logits, eager=is_plain(logits))
    mask = read_mask(mask, logits)
    if noise is None:
        added = source.noise("gumbel", logits.detach(), 1, key, generator)[0]
    else:
        added = read_noise(noise, logits.shape, logits)
    drawn, y = scores(logits, mask, added), None
    if method == "entropic" and is_plain(logits) and is_plain(added):
        # what is allowed stays so, also where a difference of logits overflows
        z = torch.where(drawn.bad, torch.nan, drawn.z.clamp(min=torch.finfo(drawn.z.dtype).min))
        y = topk.fused_entropic(z, drawn.allowed, k, tau, hard)
    if y is None:
        y = topk.relax(method, drawn, k, tau, hard)
    return y.to(logits.dtype).contiguous()
