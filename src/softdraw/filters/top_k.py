"""``top_k``: the k likeliest classes."""

import torch
from torch import Tensor

from softdraw.arguments import read_count, sizes_of
from softdraw.filters import rows
from softdraw.kernels.fast_path import is_plain
from softdraw.recording import recordable

__all__ = ["top_k"]


@recordable
def top_k(
    logits: Tensor, k: int | Tensor, *, mask: Tensor | None = None, min_tokens_to_keep: int = 1
) -> Tensor:
    """The k largest logits of each row, and all that equal the k-th. Found by its value, without a sort.

    Args:
        logits: ``[*batch, classes]``, of any floating dtype.
        k: how many, 1 or more (beyond the number of classes, all); or ints that broadcast to the batch shape,
            ``[*batch]`` or ``[*batch, 1]``.
        mask: boolean, broadcastable to the logits, True where a class is allowed: what filters before this
            one have left.
        min_tokens_to_keep: a least k.

    Returns:
        A boolean mask in the shape of the logits, True where a class is kept; never at ``-inf`` or where
        ``mask`` is False. A row with NaN or ``+inf`` keeps all that was allowed, so that the draw reports
        it.

    Raises:
        TypeError: ``logits`` is no dense floating tensor, ``mask`` not boolean, ``k`` neither an int nor a
            tensor of ints, or ``min_tokens_to_keep`` no int.
        ValueError: no classes, a ``mask`` or ``k`` that does not fit, or a ``k`` or ``min_tokens_to_keep``
            below 1 (a tensor's values are read on the CPU only, outside graphs).

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([2.0, 0.5, 1.0, -1.0])
        >>> sd.filters.top_k(logits, 2)
        tensor([ True, False,  True, False])
        >>> both = sd.filters.top_p(logits, 0.6, mask=sd.filters.top_k(logits, 2))
        >>> int(sd.gumbel_max(logits, mask=both, key=sd.Key(0)))
        0

    Reference:
        Fan, Lewis, Dauphin, "Hierarchical neural story generation", ACL 2018; kept as by ``TopKLogitsWarper``
        of Hugging Face Transformers.
    """
    x = rows.read(logits, mask)
    least = read_count("min_tokens_to_keep", min_tokens_to_keep, 1)
    count = rows.per_row("k", k, logits, lambda name, value: read_count(name, value, 1), whole=True)
    classes = sizes_of(logits)[-1]
    if isinstance(count, Tensor):
        count = count.clamp(max(1, min(least, classes)), classes)
        # The largest k is read where that waits for no device and breaks no graph.
        known = count.device.type == "cpu" and is_plain(count) and count.numel() > 0
        best = x.values.topk(int(count.max()) if known else classes, -1).values
        edge = best.gather(-1, (count - 1).expand(*x.values.shape[:-1], 1))
    else:
        edge = x.values.topk(min(max(int(count), least), classes), -1).values[..., -1:]
    return x.keep(torch.ge(x.values, edge))
