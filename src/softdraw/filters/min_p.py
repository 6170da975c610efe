"""``min_p``: the classes that are not much less likely than the likeliest."""

from torch import Tensor

from softdraw.arguments import read_count, read_number
from softdraw.filters import rows
from softdraw.recording import recordable

__all__ = ["min_p"]


@recordable
def min_p(
    logits: Tensor, p: float | Tensor, *, mask: Tensor | None = None, min_tokens_to_keep: int = 1
) -> Tensor:
    """The classes whose probability is at least p times that of the likeliest.

    Equally likely classes are kept or not together, but that of equals the lower ones fill up to
    ``min_tokens_to_keep``. Probabilities are float32 (float64 for float64 logits), also of half precision.

    Args:
        logits: ``[*batch, classes]``, of any floating dtype.
        p: from 0 (all classes) to 1 (the likeliest alone, with its equals); or a tensor that broadcasts to
            the batch shape, ``[*batch]`` or ``[*batch, 1]``.
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
        >>> sd.filters.min_p(logits, 0.2)
        tensor([ True,  True,  True, False])

    Reference:
        Nguyen, Baker, Neo, Roush, Kirsch, Shwartz-Ziv, "Turning up the heat: min-p sampling for creative and
        coherent LLM outputs", ICLR 2025; kept as by ``MinPLogitsWarper`` of Hugging Face Transformers.
    """
    x = rows.read(logits, mask)
    share = rows.per_row("p", p, logits, lambda name, value: read_number(name, value, least=0.0, most=1.0))
    least = read_count("min_tokens_to_keep", min_tokens_to_keep, 1)
    probs = rows.wide(x).softmax(-1)
    if isinstance(share, Tensor):
        share = share.to(probs.dtype)
    kept = probs >= share * probs.amax(-1, keepdim=True)
    return x.keep(kept if least == 1 else kept | rows.first_largest(x.values, least))
