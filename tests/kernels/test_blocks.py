"""Blocks of unequal sizes in the C loops: each is the draw of its own rows, on every instruction set."""

import pytest
import torch

from softdraw.kernels import reference
from softdraw.kernels.blocks import layout

from .backends import INSTRUCTIONS, instructions

SEED, OFFSET = 0x123456789ABCDEF, 2**64 - 20
#: narrow for all vectors, for some and for none; with bounds; more than one tile
SIZES = [(3, 5, 2), (1, 16, 17, 4), (9, 100, 2, 33), (2500, 3, 70)]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]


@pytest.mark.parametrize("name", INSTRUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("rows", [1, 37])
def test_blocks_agree_with_the_padded_reference(name, dtype, sizes, rows):
    generator = torch.Generator().manual_seed(rows)
    shape = rows, sum(sizes)
    signed = OFFSET - 2**64
    logits = (torch.randn(shape, generator=generator) * 3).to(dtype)
    grad = torch.randn(shape, generator=generator).to(dtype)
    some = torch.rand(shape, generator=generator) < 0.8
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    column = (torch.rand(rows, len(sizes), generator=generator) + 0.3).to(wide)
    places = layout(sizes, torch.device("cpu"))
    for mask in (None, some, some[:1].expand(shape)):
        x, inside = places.pad(logits), places.mask(mask).expand(rows, len(sizes), places.width)
        with instructions(name) as module:
            loops = module.blocks
            index = loops.index(logits, mask, SEED, signed, 2, sizes)
            hard = loops.hard(logits, mask, SEED, signed, sizes)
            assert torch.equal(index, reference.index(x, inside, SEED, signed, 2))
            assert torch.equal(hard, places.unpad(reference.hard(x, inside, SEED, signed)))
            for tau in (1.0, 0.4, 0.0, column):
                y = loops.soft(logits, mask, tau, SEED, signed, sizes)
                torch.testing.assert_close(y, places.unpad(reference.soft(x, inside, tau, SEED, signed)))
                back = loops.soft_backward(grad, y, tau, sizes)
                whole = torch.where(places.real, places.pad(y), 0.0)
                expected = reference.soft_backward(places.pad(grad), whole, tau)
                torch.testing.assert_close(back, places.unpad(expected))
                assert torch.equal(loops.hard_backward(grad, logits, mask, tau, SEED, signed, sizes), back)


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_threads_share_the_rows_of_blocks(name):
    logits, before = (
        torch.randn(4000, 40, generator=torch.Generator().manual_seed(0)),
        torch.get_num_threads(),
    )
    with instructions(name) as module:
        found = []
        try:
            for threads in (1, 2):
                torch.set_num_threads(threads)
                found.append(module.blocks.soft(logits, None, 0.5, 1, 2, (3, 20, 10, 7)))
        finally:
            torch.set_num_threads(before)
    assert torch.equal(*found)


def test_sizes_that_are_not_the_row_are_refused():
    with (
        instructions("generic") as module,
        pytest.raises(ValueError, match=r"sizes: got \(3, 5\), expected .* sum is 10"),
    ):
        module.blocks.hard(torch.zeros(2, 10), None, 1, 2, (3, 5))
