"""Gumbel-Softmax over a vocabulary, straight to the mixture of its embeddings."""

from typing import Any, Literal, get_args, overload

import torch
from torch import Tensor

from softdraw.arguments import read_choice, wrong_value
from softdraw.kernels.fast_path import is_distributed
from softdraw.random import Key, source
from softdraw.vocabulary._mixing import Mixture, mix

__all__ = ["MixtureEstimator", "gumbel_softmax"]

#: whose gradient a hard mixture has
MixtureEstimator = Literal["st-gumbel-softmax", "st", "reinmax", "entropy-weighted"]


@overload
def gumbel_softmax(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    estimator: MixtureEstimator = "st-gumbel-softmax",
    group: Any = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    return_index: Literal[False] = False,
) -> Tensor: ...
@overload
def gumbel_softmax(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    estimator: MixtureEstimator = "st-gumbel-softmax",
    group: Any = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    return_index: Literal[True],
) -> Mixture: ...
def gumbel_softmax(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    estimator: MixtureEstimator = "st-gumbel-softmax",
    group: Any = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    return_index: bool = False,
) -> Tensor | Mixture:
    """Mix the embeddings of a vocabulary by Gumbel-Softmax: softmax((h W^T + b + G) / tau) E.

    Equal, gradients included and up to rounding, to ``softdraw.gumbel_softmax(hidden @ weight.T + bias, tau,
    hard, key=key) @ embedding``, but no tensor of rows x classes is ever made: logits come tile by tile, with
    an online softmax forward, and once more in the backward. Memory beside inputs, result and gradients is
    some rows of the result and a few MiB. With ``hard=True`` the result is the winner's embedding, and the
    gradient of the embedding goes to the rows that were drawn.

    Logits, noise and sums are float32 whatever the dtypes (float64 where hidden, weight or embedding is),
    also under autocast, and the result is rounded once. The gradient can not be differentiated again.

    Args:
        hidden: h, ``[*batch, d]``.
        weight: W, ``[V, d]``, of the head that gives the logits.
        embedding: E, ``[V, e]``. The same tensor as ``weight`` may be given (tied weights): it then gets one
            gradient, the sum of both, in the memory of one.
        tau: temperature >= 0; a float, a tensor scalar, or a tensor with one value per row, ``[*batch]`` or
            ``[*batch, 1]``, or what broadcasts to these. Gradients reach it (not with ReinMax).
        hard: return the embedding of one class, with the gradient that ``estimator`` says.
        bias: b, ``[V]``.
        mask: boolean, broadcastable to ``[*batch, V]``, True where a class is allowed.
        estimator: the gradient of ``hard=True``. ``"st-gumbel-softmax"``: that of the soft mixture at the
            same noise. ``"st"``: that of softmax((h W^T + b) / tau) E, without noise, for an exact draw.
            ``"reinmax"``: ReinMax's, as ``softdraw.estimators.ReinMax`` at tau. ``"entropy-weighted"``:
            EntRGi's, whose result is s + w (E[index] - s) with s = q E, q = softmax((h W^T + b) / tau) and w
            = H(q) / ln K for K allowed classes, so that a sure row is soft and an unsure one hard; the index
            is an exact draw, and the gradient is that of s.
        group: the ranks over which head and embeddings are split by their rows, as in
            :func:`softdraw.vocabulary.gumbel_max`: ``weight``, ``embedding``, ``bias`` and the classes of
            ``mask`` are then this rank's part, with gradients of their own; the result and the other
            gradients are those of the whole.
        key: the noise, that of ``softdraw.gumbel_max(hidden @ weight.T, key=key)``.
        generator: where to take a fresh key from; torch's default generator without either.
        return_index: return the winners, too.

    Returns:
        ``[*batch, e]`` in the dtype of ``hidden``, or a ``Mixture`` of it and the winners. A row without an
        allowed class is 0, with gradient 0; one with a logit of NaN or +inf is NaN, with gradient 0.

    Raises:
        TypeError: tensors that are no dense ones of float16, bfloat16, float32 or float64, a mask that is
            none of bool, or ``key`` or ``generator`` of another type.
        ValueError: shapes that do not fit, a tensor on another device, a negative temperature, an unknown
            estimator, one beside ``hard=False``, or both ``key`` and ``generator``.
        RuntimeError: in the backward of the backward.

    Shapes:
        hidden ``[*batch, d]``, weight ``[V, d]``, embedding ``[V, e]`` to ``[*batch, e]``.

    Example:
        >>> import torch, softdraw as sd
        >>> hidden, table = torch.randn(4, 8, requires_grad=True), torch.randn(1000, 8)
        >>> drawn = {"key": sd.Key(0), "return_index": True}
        >>> token = sd.vocabulary.gumbel_softmax(hidden, table, table, hard=True, **drawn)
        >>> torch.equal(token.value, table[token.index])
        True
        >>> torch.equal(token.index, sd.gumbel_max(hidden @ table.T, key=sd.Key(0)))
        True
        >>> token.value.sum().backward(); hidden.grad.shape
        torch.Size([4, 8])

    Reference:
        Jang, Gu, Poole, "Categorical reparameterization with Gumbel-Softmax", ICLR 2017.
        Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018.
        Tejaswi et al., "EntRGi: Entropy aware Reward Guidance for Diffusion Language Models", 2026.
    """
    read_choice("estimator", estimator, get_args(MixtureEstimator))
    if estimator != "st-gumbel-softmax" and not hard:
        expected = "'st-gumbel-softmax' beside hard=False: it is a gradient of hard rows"
        raise wrong_value("estimator", estimator, expected)
    source.one_source(key, generator)
    tensors = hidden, weight, embedding, bias, mask, tau
    if any(is_distributed(one) for one in tensors if isinstance(one, Tensor)):
        from softdraw.sharding.tables import read_tables  # here, since DTensor takes its time to import

        given = read_tables(hidden, weight, embedding, bias, mask, tau, group, key, generator)
        tables = given.hidden, given.weight, given.embedding, given.tau, bool(hard), given.bias, given.mask
        mixed = Mixture(*map(given.result, mix(*tables, estimator, given.key, None, given.group)))
        return mixed if return_index else mixed.value
    mixed = mix(hidden, weight, embedding, tau, bool(hard), bias, mask, estimator, key, generator, group)
    return mixed if return_index else mixed.value
