"""The k best by bounds of the noise are those of a sort of all scores, bit for bit."""

import pytest
import torch

from softdraw.kernels.formulas import compute_dtype, scores

from .backends import INSTRUCTIONS, instructions

#: rows of a few kinds: what each does to standard normal logits
KINDS = {
    "usual": lambda x: x,
    "flat": lambda x: x * 0,
    "with ties": lambda x: x.round(),
    "steep": lambda x: x * 100,
    "far apart": lambda x: x * 3e4,
    "rising": lambda x: x + torch.arange(x.shape[-1]) * 0.02,
    "falling": lambda x: x - torch.arange(x.shape[-1]) * 0.02,
    # the best lie in few groups of lanes: the guess is low, and too many are above it to be packed
    "two of 64 high": lambda x: x + 30.0 * (torch.arange(x.shape[-1]) % 64 < 2),
    "few allowed": lambda x: x.masked_fill(x < 2, -torch.inf),
    "two allowed": lambda x: x.masked_fill(torch.arange(x.shape[-1]) > 1, -torch.inf),
    "one of them NaN": lambda x: x.masked_fill(torch.arange(x.numel()).view_as(x) == 3, torch.nan),
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_the_order_is_that_of_all_scores(name, dtype, kind):
    with instructions(name) as module:
        for number, (classes, k) in enumerate(
            # beside and beyond a vector, a tile, and the k for which bounds are looked at
            (
                (33, 1),
                (65, 2),
                (320, 10),
                (352, 11),
                (1000, 10),
                (1000, 31),
                (1025, 32),
                (3001, 5),
                (3001, 16),
                (9000, 256),
            )
        ):
            generator = torch.Generator().manual_seed(number)
            x = KINDS[kind](torch.randn(6, classes, generator=generator)).to(dtype)
            for mask in (None, torch.rand(6, classes, generator=generator) < 0.3):
                order = module.top_k(x, mask, 11, 2**40 + number, 2, k)
                noise = module.noise(
                    "gumbel", 2, 6, classes, 11, 2**40 + number, compute_dtype(dtype), x.device
                )
                assert torch.equal(order, scores(x, mask, noise.view(2, 6, classes)).best(k)), (classes, k)
