"""A transformer block whose attention reads a bias for every pair of tokens.

Attention and perceptron stand side by side and share their projections (Wang and Komatsuzaki 2021, GPT-J),
so that a block is two matrix products. The bias is a table of how two atoms are related, in the way of
relative positions (Shaw et al. 2018, arXiv:1803.02155; Ying et al. 2021, arXiv:2106.05234, equation 6).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softdraw.molecules.model.growing import Growing

__all__ = ["Block", "Cache"]


class Cache:
    """Keys and values of the tokens so far, ``[T, B, heads, width / heads]``.

    A query for each graph is little work on many numbers. Products of elements, with the graphs in the
    middle, take half of the time of as many small matrix products.
    """

    def __init__(self, most: int) -> None:
        self.keys, self.values = Growing(0, most), Growing(0, most)

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the graphs alone, by their numbers among those so far."""
        self.keys.keep(1, rows)
        self.values.keep(1, rows)

    def hear(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """What a new token of each graph hears from those before it and itself: ``[B, heads, d]``.

        Args:
            query: ``[B, heads, d]``, scaled.
            key: ``[B, heads, d]``, of the new token, which is added to the cache, as is ``value``.
            value: ``[B, heads, d]``.
            bias: of attention, ``[B, heads, T]`` with the new token; a dim of 1 broadcasts.
        """
        keys, values = self.keys.append(key.unsqueeze(0)), self.values.append(value.unsqueeze(0))
        scores = (query * keys).sum(3) + bias.permute(2, 0, 1)
        heard: Tensor = (scores.softmax(0).unsqueeze(3) * values).sum(0)
        return heard


class Block(nn.Module):
    """Pre-norm attention and perceptron in parallel.

    Args:
        width: features of a token, a multiple of ``heads``.
        heads: of attention.
        expand: hidden features of the perceptron, in widths.
    """

    def __init__(self, width: int, heads: int, expand: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, (3 + expand) * width)
        self.leave = nn.Linear((1 + expand) * width, width)

    def forward(self, tokens: Tensor, bias: Tensor, cache: Cache | None = None) -> Tensor:
        """Tokens after this block.

        Args:
            tokens: ``[B, Q, width]``.
            bias: of attention, ``[B, heads, Q, T]`` where ``T`` counts the cached tokens and these.
            cache: of the tokens before this one, where ``Q`` is 1; it is added to them.
        """
        batch, queries, width = tokens.shape
        inside = self.enter(self.norm(tokens))
        if cache is not None:
            # converting all cached keys would cost more than float32 products of them
            inside = inside.to(tokens.dtype)
        split = inside[..., : 3 * width].view(batch, queries, 3, self.heads, width // self.heads)
        scale = (width // self.heads) ** -0.5
        if cache is not None:
            query, key, value = split[:, 0].unbind(1)
            heard = cache.hear(query * scale, key, value, bias[:, :, 0]).reshape(batch, 1, width)
        else:
            query, key, value = split.permute(2, 0, 3, 1, 4)
            scores = (query * scale) @ key.transpose(2, 3) + bias
            heard = scores.softmax(-1).to(value.dtype) @ value
            heard = heard.transpose(1, 2).reshape(batch, queries, width)
        out = self.leave(torch.cat((heard, F.relu(inside[..., 3 * width :])), -1))
        after: Tensor = tokens + out
        return after
