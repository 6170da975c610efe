"""Noise of a shard of the classes: bit for bit what the whole vocabulary draws there."""

import itertools

import pytest
import torch

import softdraw as sd
from softdraw.kernels import ops, reference
from softdraw.random import source

from .backends import BACKENDS, backend

KEY = sd.Key(0x123456789ABCDEF, 2**40 + 3)
SEED, OFFSET = KEY._numbers()
LAWS = ["gumbel", "logistic", "exponential", "uniform"]
#: uneven, of every remainder by four, within a tile of the loops (2048), across and beyond it
CUTS = [0, 1, 3, 6, 12, 13, 2047, 2055, 4500, 4501, 5003]


@pytest.mark.parametrize("name", ["reference", *BACKENDS])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("law", LAWS)
def test_pieces_are_the_whole(name, dtype, law):
    with backend(name) as (module, device):
        whole = module.noise(law, 2, 7, CUTS[-1], SEED, OFFSET, dtype, device)
        parts = [
            module.noise(law, 2, 7, end - start, SEED, OFFSET, dtype, device, start)
            for start, end in itertools.pairwise(CUTS)
        ]
    assert torch.equal(torch.cat(parts, -1), whole)


@pytest.mark.parametrize("name", ["reference", *BACKENDS])
@pytest.mark.parametrize("classes", [1, 2, 3, 5, 9, 40])
def test_many_short_rows_share_a_tile(name, classes):
    rows = 6 if name == "triton" else 300  # Triton's interpreter is slow
    with backend(name) as (module, device):
        whole = module.noise("uniform", 2, rows, 50, SEED, OFFSET, torch.float32, device)
        for start in range(8):
            part = module.noise("uniform", 2, rows, classes, SEED, OFFSET, torch.float32, device, start)
            assert torch.equal(part, whole[..., start : start + classes])


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_classes_have_the_bits_of_the_reference(name, dtype):
    for start in (2**31 - 5, 2**32 + 3, 2**33 - 11):
        with backend(name) as (module, device):
            got = module.noise("uniform", 1, 3, 11, SEED, OFFSET, dtype, device, start).cpu()
        expected = reference.noise("uniform", 1, 3, 11, SEED, OFFSET, dtype, torch.device("cpu"), start)
        assert torch.equal(got, expected)


@pytest.mark.parametrize("name", BACKENDS)
def test_the_rare_low_words_are_those_of_the_whole(name):
    with backend(name) as (module, device):
        whole = module.noise("uniform", 1, 100, 10_000, 5, 0, torch.float32, device)
        refined = whole < 2.0**-16
        part = module.noise("uniform", 1, 100, 9_997, 5, 0, torch.float32, device, 3)
    assert int(refined[..., 3:].sum()) > 5  # 15 expected
    assert torch.equal(part, whole[..., 3:])


def _shard(key, like, start):
    return source.noise("gumbel", like, 3, key, class_start=start)


def _of_shape(key, like, start):
    return source.noise_of_shape(
        "gumbel", tuple(like.shape), (3,), key, None, like.dtype, like.device, class_start=start
    )


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("draw", [_shard, _of_shape])
@pytest.mark.parametrize("start", [4, 6])
def test_eager_compiled_and_transformed_code_agree(draw, start, dtype):
    whole = draw(KEY, torch.zeros(2, 5, 20, dtype=dtype), 0)
    like = torch.zeros(2, 5, 11, dtype=dtype)
    expected = whole[..., start : start + 11]
    assert torch.equal(draw(KEY, like, start), expected)
    torch._dynamo.reset()
    compiled = torch.compile(draw, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(KEY, like, start), expected)
    rows = torch.vmap(lambda one: draw(KEY, one, start))(like)
    assert torch.equal(rows[0], draw(KEY, like[0], start))
    assert torch.equal(rows[1], rows[0])  # one key: the same noise for each example
    assert draw(KEY, like.to("meta"), start).shape == expected.shape
    traced = torch.jit.trace(lambda x: draw(KEY, x, start), (like,), check_trace=False)
    assert torch.equal(traced(like), expected)


def test_keys_of_vmap_draw_apart():
    states = torch.stack([sd.Key(i).state for i in range(3)])
    drawn = torch.vmap(
        lambda state: ops.noise(state, "gumbel", 1, 2, 5, torch.float32, torch.device("cpu"), 7)
    )(states)
    for i in range(3):
        whole = sd.random.gumbel((2, 12), key=sd.Key(i))
        assert torch.equal(drawn[i, 0], whole[:, 7:])


def test_a_compiled_graph_serves_every_start():
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(_shard, fullgraph=True, backend=counter, dynamic=True)
    whole = _shard(KEY, torch.zeros(2, 40), 0)
    for start in (5, 6, 11):
        assert torch.equal(compiled(KEY, torch.zeros(2, 9), start), whole[..., start : start + 9])
    assert counter.frame_count == 1
