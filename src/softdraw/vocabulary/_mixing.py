"""A mixture of embeddings from tensors of any batch shape: how its arguments are read."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from softdraw.arguments import check_floating, read_tau, wrong_value
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.vocabulary import mixture_op
from softdraw.kernels.vocabulary.tiles import computed
from softdraw.random import Key, source
from softdraw.vocabulary._arguments import check_head, rows_of_mask

__all__ = ["Mixture", "mix"]


class Mixture(NamedTuple):
    """What ``gumbel_softmax(..., return_index=True)`` returns.

    Attributes:
        value: ``[*batch, e]``: the mixtures of embeddings.
        index: int64 ``[*batch]``: the winners, those of ``softdraw.gumbel_max`` at the same key; -1 for a row
            without an allowed class, or with NaN.
    """

    value: Tensor
    index: Tensor  # type: ignore[assignment] # a tuple has a method of this name


def mix(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor,
    tau: float | Tensor,
    hard: bool,
    bias: Tensor | None,
    mask: Tensor | None,
    estimator: str,
    key: Key | None,
    generator: torch.Generator | None,
    group: Any = None,
) -> Mixture:
    """``gumbel_softmax``, where ``estimator`` may be ``"none"``, too: the best class, or the mean, without
    noise and without a key.
    """
    batch = check_head(hidden, weight, bias)
    _check_embedding(hidden, weight, embedding)
    classes, eager = weight.shape[0], is_plain(hidden)
    # a tensor in the shape of the logits that takes no memory
    logits = hidden.detach().new_empty(()).expand(*batch, classes)
    if embedding.dtype == torch.float64 or weight.dtype == torch.float64:
        logits = logits.double()
    tau = read_tau(tau, logits, eager=eager)
    if isinstance(tau, Tensor):
        # a copy in full: a schedule may step before the backward
        tau = tau.expand(batch).clone(memory_format=torch.contiguous_format).reshape(-1)
    learned = [hidden, weight, *(one for one in (bias, tau) if isinstance(one, Tensor))]
    centred = not eager or (torch.is_grad_enabled() and any(one.requires_grad for one in learned))
    quiet = estimator == "none"
    # not by numbers, which a traced graph would keep
    rows = hidden.flatten(end_dim=-2) if batch else hidden.unsqueeze(0)
    tables = weight, None if embedding is weight else embedding, bias, rows_of_mask(mask, logits)
    if group is None:
        state = torch.zeros(2, dtype=torch.int64, device="cpu") if quiet else source.state(key, generator)
        value, index = mixture_op.mix(rows, *tables, tau, state, estimator, hard, centred)
    else:
        from softdraw.sharding import heads, vocabulary_mixture

        part = heads.part_of(group, classes, key, generator, hidden.device)
        rest: Any = tau, part.state, estimator, hard, centred, part.start, part.axes
        # in the dtype that is computed in, so that gradients are rounded once they are summed
        wide = rows.to(computed(hidden, weight, embedding))
        value, index = vocabulary_mixture.mix(wide, *tables, *rest)
        value = value.to(hidden.dtype)
    return Mixture(value.reshape(*batch, embedding.shape[1]), index.reshape(batch))


def _check_embedding(hidden: Tensor, weight: Tensor, embedding: Tensor) -> None:
    check_floating("embedding", embedding)
    if embedding.dim() != 2 or embedding.shape[0] != weight.shape[0]:
        raise wrong_value("embedding", embedding, f"shape [{weight.shape[0]}, e], a row for each of weight")
    if embedding.device != hidden.device:
        raise ValueError(
            f"embedding: got a tensor on {embedding.device}, expected one on {hidden.device}, as hidden"
        )
