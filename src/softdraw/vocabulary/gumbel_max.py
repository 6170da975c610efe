"""``vocabulary.gumbel_max``: exact draws from a head's softmax, without its logits in memory."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, overload

import torch
from torch import Tensor

from softdraw.arguments import check_samples, read_sample_shape, wrong_type
from softdraw.kernels.fast_path import is_distributed
from softdraw.kernels.vocabulary.index_op import draw
from softdraw.kernels.vocabulary.tiles import computed
from softdraw.random import Key, source
from softdraw.vocabulary._arguments import check_head, read_positive_tau, rows_of_mask

__all__ = ["VocabularyDraw", "gumbel_max"]


class VocabularyDraw(NamedTuple):
    """Indices, and what their distribution says of them.

    Attributes:
        index: int64 ``[*sample_shape, *batch]``.
        log_prob: ``[*sample_shape, *batch]``, the log probability of each index.
        entropy: ``[*batch]``, in nats.

    Example:
        >>> import torch, softdraw as sd
        >>> head = torch.zeros(8, 3)
        >>> drawn = sd.vocabulary.gumbel_max(torch.ones(2, 3), head, return_log_prob=True)
        >>> drawn.log_prob.exp(), drawn.entropy.exp()
        (tensor([0.1250, 0.1250]), tensor([8., 8.]))
    """

    index: Tensor  # type: ignore[assignment] # a tuple has a method of this name
    log_prob: Tensor
    entropy: Tensor


@overload
def gumbel_max(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    tau: float | Tensor = 1.0,
    mask: Tensor | None = None,
    sample_shape: Sequence[int] = (),
    group: Any = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    return_log_prob: Literal[False] = False,
) -> Tensor: ...
@overload
def gumbel_max(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    tau: float | Tensor = 1.0,
    mask: Tensor | None = None,
    sample_shape: Sequence[int] = (),
    group: Any = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    return_log_prob: Literal[True],
) -> VocabularyDraw: ...
def gumbel_max(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    tau: float | Tensor = 1.0,
    mask: Tensor | None = None,
    sample_shape: Sequence[int] = (),
    group: Any = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    return_log_prob: bool = False,
) -> Tensor | VocabularyDraw:
    """The index that ``softdraw.gumbel_max((hidden @ weight.T + bias) / tau)`` draws at the same key.

    The logits are made, searched and summed up a tile of classes at a time, so memory does not grow with the
    vocabulary. Products are accumulated in float32 (float64 for float64); where the two best classes are
    within the rounding of the products, the whole product may round to the other one.

    Args:
        hidden: hidden states h, ``[*batch, d]``, of any floating dtype.
        weight: the head's weights W, ``[V, d]``.
        bias: the head's bias, ``[V]``; ``-inf`` forbids a class.
        tau: temperatures > 0: a float, a tensor scalar, or a tensor with one value a row, ``[*batch]`` or
            ``[*batch, 1]``, or what broadcasts to these. Gradients reach it.
        mask: boolean ``[V]`` or broadcastable to ``[*batch, V]``, True where a class is allowed.
        sample_shape: leading dims of independent samples of every row; all come from one pass over the head.
        group: the ranks over which the head is split by its rows, in order and in parts of any size: a
            process group, or a dimension of a DeviceMesh. ``weight``, ``bias`` and the classes of ``mask``
            are then this rank's part, hidden states and temperatures are the same on all ranks, and so is the
            draw: that of the whole head. The gradients of weight and bias are this rank's, the others whole.
            DTensors need no group: a head with placement ``Shard(0)`` over one dimension of its mesh, and
            hidden states that all ranks of the mesh have whole, plain or as a DTensor, which is what they
            get back.
        key: the name of the noise; beside ``group`` the same on all ranks, who agree on a fresh one.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        return_log_prob: return log probabilities and entropies too, which are made in the same pass. Their
            gradients (REINFORCE, RLOO, entropy bonuses) are the fused linear cross entropy: tiles are made
            again, and only for what needs a gradient.

    Returns:
        int64 indices ``(*sample_shape, *batch)``, or a ``VocabularyDraw(index, log_prob, entropy)``, the
        latter two in float32 (float64 for float64). A row without an allowed class has index -1, log
        probability 0 and entropy 0; one with a logit of NaN or ``+inf`` -1, NaN and NaN. Neither has a
        gradient.

    Raises:
        TypeError: tensors that are no dense ones of float16, bfloat16, float32 or float64, a ``mask`` that is
            none of bool, ``tau`` no number and no such tensor, ``sample_shape`` no sequence of ints,
            ``return_log_prob`` no bool, or ``key`` or ``generator`` of another type.
        ValueError: shapes that do not fit, no class, a tensor on another device, a temperature that is not
            positive and finite, a sample size that is negative, a ``group`` without this rank, or both
            ``key`` and ``generator``.
        RuntimeError: in the backward of the backward, which the tiles do not do.

    Shapes:
        hidden ``[*batch, d]``, weight ``[V, d]``, bias ``[V]`` to ``[*sample_shape, *batch]``.

    Example:
        >>> import torch, softdraw as sd
        >>> hidden, head = torch.randn(4, 8, requires_grad=True), torch.randn(1000, 8)
        >>> token = sd.vocabulary.gumbel_max(hidden, head, tau=0.8, key=sd.Key(0))
        >>> torch.equal(token, sd.gumbel_max(hidden @ head.T / 0.8, key=sd.Key(0)))
        True
        >>> token, log_prob, entropy = sd.vocabulary.gumbel_max(hidden, head, return_log_prob=True)
        >>> reward = (token % 2).float()
        >>> (-(reward - 0.5) * log_prob - 0.01 * entropy).mean().backward()
        >>> hidden.grad.shape
        torch.Size([4, 8])

    Reference:
        Maddison, Tarlow, Minka, "A* sampling", NeurIPS 2014 (Gumbel-Max); Wijmans et al., "Cut your losses in
        large-vocabulary language models", ICLR 2025 (the gradient by tiles).
    """
    if key is not None or generator is not None:
        source.one_source(key, generator)
    if any(is_distributed(one) for one in (hidden, weight, bias, mask, tau) if isinstance(one, Tensor)):
        from softdraw.sharding.tables import read_tables  # here, since DTensor takes its time to import

        given = read_tables(hidden, weight, weight, bias, mask, tau, group, key, generator)
        options: Any = {"tau": given.tau, "mask": given.mask, "group": given.group, "key": given.key}
        options |= {"sample_shape": sample_shape, "return_log_prob": return_log_prob}
        drawn = gumbel_max(given.hidden, given.weight, given.bias, **options)
        if isinstance(drawn, VocabularyDraw):
            return VocabularyDraw(*map(given.result, drawn))
        return given.result(drawn)
    batch = check_head(hidden, weight, bias)
    if not isinstance(return_log_prob, bool):
        raise wrong_type("return_log_prob", return_log_prob, "a bool")
    shape = read_sample_shape(sample_shape)
    samples = math.prod(shape)
    check_samples(samples)
    # a tensor in the shape of the logits that takes no memory
    logits = hidden.detach().new_empty((), dtype=computed(hidden, weight)).expand(*batch, weight.shape[0])
    temperatures = read_positive_tau(tau, logits)
    # not by numbers, which a traced graph would keep
    rows = hidden.flatten(end_dim=-2) if batch else hidden.unsqueeze(0)
    allowed = rows_of_mask(mask, logits)
    if not return_log_prob:
        rows, weight, temperatures = rows.detach(), weight.detach(), temperatures.detach()
        bias = None if bias is None else bias.detach()
    inputs = rows, weight, bias, allowed, temperatures
    if group is None:
        index, log_prob, entropy = draw(*inputs, source.state(key, generator), samples, return_log_prob)
    else:
        from softdraw.sharding import heads, vocabulary_index

        part = heads.part_of(group, weight.shape[0], key, generator, hidden.device)
        rest = part.state, part.start, samples, return_log_prob, part.axes
        # in the dtype that is computed in, so that gradients are rounded once they are summed
        inputs = rows.to(logits.dtype), *inputs[1:]
        index, log_prob, entropy = vocabulary_index.draw(*inputs, *rest)
    index = index.reshape((*shape, *batch))
    if not return_log_prob:
        return index
    return VocabularyDraw(index, log_prob.reshape((*shape, *batch)), entropy.reshape(batch))
