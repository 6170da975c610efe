"""``top_p``: the likeliest classes that together have probability p."""

from torch import Tensor

from softdraw.arguments import read_count, read_number
from softdraw.filters import rows
from softdraw.recording import recordable

__all__ = ["top_p"]


@recordable
def top_p(
    logits: Tensor, p: float | Tensor, *, mask: Tensor | None = None, min_tokens_to_keep: int = 1
) -> Tensor:
    """The fewest likeliest classes whose probabilities sum to p or more: the nucleus.

    The probabilities are those of the classes that ``mask`` allows. Of classes that are equally likely at the
    edge, as many as are needed are kept, the higher ones. The sum is of float32 (float64 for float64 logits),
    also for half precision.

    Args:
        logits: ``[*batch, classes]``, of any floating dtype.
        p: from 0 (the likeliest alone) to 1 (all whose probability is above 0 in float32); or a tensor that
            broadcasts to the batch shape, ``[*batch]`` or ``[*batch, 1]``.
        mask: boolean, broadcastable to the logits, True where a class is allowed: what filters before this
            one have left.
        min_tokens_to_keep: how many of the likeliest are kept at least.

    Returns:
        A boolean mask in the shape of the logits, True where a class is kept; never at ``-inf`` or where
        ``mask`` is False. A row with NaN or ``+inf`` keeps all that was allowed, so that the draw reports it.

    Raises:
        TypeError: ``logits`` is no dense floating tensor, ``mask`` not boolean, ``p`` neither a number nor a
            floating tensor, or ``min_tokens_to_keep`` no int.
        ValueError: no classes, a ``mask`` or ``p`` that does not fit, a ``p`` out of [0, 1] (a tensor's
            values are read on the CPU only, outside graphs), or a ``min_tokens_to_keep`` below 1.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
        >>> sd.filters.top_p(logits, 0.7)
        tensor([ True,  True, False, False])

    Reference:
        Holtzman, Buys, Du, Forbes, Choi, "The curious case of neural text degeneration", ICLR 2020; kept as
        by ``TopPLogitsWarper`` of Hugging Face Transformers.
    """
    x = rows.read(logits, mask)
    share = rows.per_row("p", p, logits, lambda name, value: read_number(name, value, least=0.0, most=1.0))
    least = read_count("min_tokens_to_keep", min_tokens_to_keep, 1)
    order = rows.wide(x).sort(dim=-1, stable=True)
    below = rows.running_sum(order.values.softmax(-1))
    # a difference of float64 that is then rounded, as of a Python float
    rest = (1 - share).to(below.dtype) if isinstance(share, Tensor) else 1 - share
    kept = below > rest
    kept[..., -least:] = True
    return x.keep(kept.new_zeros(kept.shape).scatter(-1, order.indices, kept))
