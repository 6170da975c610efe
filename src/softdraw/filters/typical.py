"""``typical``: the classes that surprise about as much as the row does on average."""

from torch import Tensor

from softdraw.arguments import read_count, read_number
from softdraw.filters import rows
from softdraw.recording import recordable

__all__ = ["typical"]


@recordable
def typical(
    logits: Tensor, mass: float | Tensor, *, mask: Tensor | None = None, min_tokens_to_keep: int = 1
) -> Tensor:
    """The classes whose -log p is nearest to the entropy, as many as together have probability ``mass``.

    The likeliest class may be dropped. Classes equally near at the edge are all kept; of such the lower ones
    fill up to ``min_tokens_to_keep``. Entropy and sums are of float32 (float64 for float64 logits), also
    for half precision.

    Args:
        logits: ``[*batch, classes]``, of any floating dtype.
        mass: between 0 and 1, neither of them; or a tensor that broadcasts to the batch shape, ``[*batch]``
            or ``[*batch, 1]``.
        mask: boolean, broadcastable to the logits, True where a class is allowed: what filters before this
            one have left.
        min_tokens_to_keep: how many of the nearest are kept at least.

    Returns:
        A boolean mask in the shape of the logits, True where a class is kept; never at ``-inf`` or where
        ``mask`` is False. A row with NaN or ``+inf`` keeps all that was allowed, so that the draw reports it.

    Raises:
        TypeError: ``logits`` is no dense floating tensor, ``mask`` not boolean, ``mass`` neither a number nor
            a floating tensor, or ``min_tokens_to_keep`` no int.
        ValueError: no classes, a ``mask`` or ``mass`` that does not fit, a ``mass`` out of (0, 1) (a tensor's
            values are read on the CPU only, outside graphs), or a ``min_tokens_to_keep`` below 1.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
        >>> sd.filters.typical(logits, 0.2)
        tensor([False,  True, False, False])

    Reference:
        Meister, Pimentel, Wiher, Cotterell, "Locally typical sampling", TACL 2023; kept as by
        ``TypicalLogitsWarper`` of Hugging Face Transformers.
    """
    x = rows.read(logits, mask)
    share = rows.per_row("mass", mass, logits, lambda name, value: read_number(name, value, above=0, below=1))
    least = read_count("min_tokens_to_keep", min_tokens_to_keep, 1)
    surprise = -rows.wide(x).log_softmax(-1)
    entropy = (surprise * (-surprise).exp()).nansum(-1, keepdim=True)
    order = (entropy - surprise).abs().sort(dim=-1, stable=True)
    below = rows.running_sum(rows.wide(x).gather(-1, order.indices).softmax(-1))
    if isinstance(share, Tensor):
        share = share.to(below.dtype)
    last = (below < share).sum(-1, keepdim=True).clamp(max=below.shape[-1] - 1)
    kept = order.values <= order.values.gather(-1, last)
    kept[..., :least] = True
    return x.keep(kept.new_zeros(kept.shape).scatter(-1, order.indices, kept))
