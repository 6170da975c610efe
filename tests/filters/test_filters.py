"""What every filter promises: masks that compose, rows apart, the draw kept where its winner is."""

import itertools

import pytest
import torch

import softdraw as sd
from softdraw.filters.rows import first_largest, running_sum, whole_sum

from .examples import EXAMPLES, PARAMETERS

each = pytest.mark.parametrize("name", EXAMPLES)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def some_logits(*shape, dtype=torch.float32, seed=0, scale=2.0):
    return (sd.random.gumbel(shape, key=sd.Key(seed), dtype=torch.float64) * scale).to(dtype)


def with_parameter(name, value):
    argument = PARAMETERS[name][0]
    return lambda logits, **given: getattr(sd.filters, name)(logits, **{argument: value}, **given)


@each
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mask_of_the_logits_shape_without_gradient(name, dtype):
    logits = some_logits(2, 3, 11, dtype=dtype).requires_grad_()
    kept = EXAMPLES[name](logits)
    assert kept.dtype == torch.bool
    assert kept.shape == logits.shape
    assert kept.any(-1).all()
    assert not kept.all(-1).any()
    assert torch.equal(kept[1, 2], EXAMPLES[name](logits[1, 2]))


@each
def test_half_precision_is_judged_in_float32(name):
    for dtype in DTYPES[:2]:
        logits = some_logits(50, 300, dtype=dtype)
        assert torch.equal(EXAMPLES[name](logits), EXAMPLES[name](logits.float()))


@each
@pytest.mark.parametrize("classes", [5, 300, 5000])
def test_a_row_does_not_depend_on_its_batch_mates(name, classes):
    logits = some_logits(37, classes, seed=1)
    whole = EXAMPLES[name](logits)
    key = sd.Key(3)
    drawn = sd.gumbel_max(logits, mask=whole, key=key)
    for row in (0, 17, 36):
        alone = EXAMPLES[name](logits[row : row + 1])
        assert torch.equal(alone[0], whole[row])
        assert sd.gumbel_max(logits[row : row + 1], mask=alone, key=key.rows(row)) == drawn[row]
    order = torch.arange(37).flip(0)
    assert torch.equal(EXAMPLES[name](logits[order]), whole[order])


@each
def test_the_draw_is_kept_where_its_winner_is(name):
    logits, key = some_logits(2000, 30, seed=2), sd.Key(4)
    free, kept = sd.gumbel_max(logits, key=key), EXAMPLES[name](logits)
    drawn = sd.gumbel_max(logits, mask=kept, key=key)
    same = kept.gather(-1, free.unsqueeze(-1)).squeeze(-1)
    assert 100 < same.sum() < 1900
    assert torch.equal(drawn[same], free[same])
    assert (drawn[~same] != free[~same]).all()
    assert kept.gather(-1, drawn.unsqueeze(-1)).all()


@each
def test_within_a_mask_a_filter_sees_nothing_else(name):
    logits = some_logits(40, 20, seed=5)
    allowed = some_logits(40, 20, seed=6) > 0
    allowed[0] = False
    inside = EXAMPLES[name](logits, mask=allowed)
    assert torch.equal(inside, EXAMPLES[name](logits.masked_fill(~allowed, -torch.inf)))
    assert not (inside & ~allowed).any()
    assert torch.equal(inside.any(-1), allowed.any(-1))
    # whatever stands under the mask
    hidden = torch.where(allowed, logits, torch.tensor([torch.nan, torch.inf, 99.0, -torch.inf]).repeat(5))
    assert torch.equal(inside, EXAMPLES[name](hidden, mask=allowed))


def test_filters_compose_as_processors_in_a_row_do():
    logits = some_logits(100, 50, seed=7)
    mask = None
    for name in EXAMPLES:
        mask = EXAMPLES[name](logits, mask=mask)
    step = logits
    for name in EXAMPLES:
        step = step.masked_fill(~EXAMPLES[name](step), -torch.inf)
    assert torch.equal(mask, step > -torch.inf)


@each
def test_rows_that_no_filter_can_judge_are_left_alone(name):
    logits = some_logits(4, 6, seed=8)
    logits[0, 2], logits[1, 3], logits[2] = torch.nan, torch.inf, -torch.inf
    logits[:2, 5] = -torch.inf
    kept = EXAMPLES[name](logits)
    assert torch.equal(kept[:3], logits[:3] != -torch.inf)
    assert torch.equal(kept[3], EXAMPLES[name](logits[3]))
    assert sd.gumbel_max(logits, mask=kept, key=sd.Key(0))[:3].tolist() == [-1, -1, -1]


@each
def test_a_larger_parameter_keeps_no_less(name):
    logits = some_logits(60, 40, seed=9)
    logits[30:] = logits[30:].round()
    values = PARAMETERS[name][1]
    masks = [with_parameter(name, value)(logits) for value in values]
    if name == "min_p":
        masks.reverse()
    for smaller, larger in itertools.pairwise(masks):
        assert not (smaller & ~larger).any()
    sizes = [int(mask.sum()) for mask in masks]
    assert sizes[0] < sizes[-1]


@each
def test_a_parameter_of_each_row(name):
    values = PARAMETERS[name][1]
    dtype = torch.int64 if name == "top_k" else torch.float64
    logits = some_logits(3, len(values), 12, seed=10)
    given = torch.tensor(values, dtype=dtype)
    expected = torch.stack([with_parameter(name, v)(logits[:, i]) for i, v in enumerate(values)], 1)
    for shape in ((-1,), (1, -1), (1, -1, 1)):
        assert torch.equal(with_parameter(name, given.reshape(shape))(logits), expected)
    assert torch.equal(with_parameter(name, given[1])(logits), with_parameter(name, values[1])(logits))
    assert torch.equal(with_parameter(name, given[:1])(logits[0, 0]), expected[0, 0])


@each
@pytest.mark.parametrize("least", [1, 3, 50])
def test_min_tokens_to_keep(name, least):
    logits = some_logits(200, 20, seed=11)
    few = with_parameter(name, PARAMETERS[name][1][0 if name != "min_p" else -1])
    plain, kept = few(logits), few(logits, min_tokens_to_keep=least)
    assert (kept | ~plain).all()
    assert (kept.sum(-1) == plain.sum(-1).clamp(min=min(least, 20))).all()


def test_ties_at_the_edge():
    level = torch.zeros(6)
    assert sd.filters.top_k(level, 2).all()
    assert sd.filters.min_p(level, 1.0).all()
    assert sd.filters.typical(level, 0.3).all()
    assert sd.filters.top_p(level, 0.4).tolist() == [False] * 3 + [True] * 3
    twice = torch.tensor([0.0, 3.0, 0.0, 3.0, 0.0, 0.0])
    assert sd.filters.min_p(twice, 0.9, min_tokens_to_keep=4).tolist() == [True] * 4 + [False] * 2
    assert sd.filters.top_k(twice, 1).tolist() == [False, True, False, True, False, False]
    assert sd.filters.top_k(twice, 3).all()


def test_the_first_of_equals():
    values = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    assert first_largest(values, 2).tolist() == [
        [False, True, True, False, False],
        [True, True, False, False, False],
    ]
    assert first_largest(values, 9).all()


def test_sums_in_whole_numbers_are_the_sums_from_left_to_right():
    probs = some_logits(20, 5000, seed=12).softmax(-1)
    torch.testing.assert_close(whole_sum(probs), probs.double().cumsum(-1).float(), rtol=0, atol=1e-7)
    assert (whole_sum(probs) == running_sum(probs)).float().mean() > 0.999
    assert whole_sum(torch.full((4,), 0.25)).tolist() == [0.25, 0.5, 0.75, 1.0]


@each
def test_transforms(name):
    torch.compiler.reset()  # all filters share one wrapper, whose recompilations are counted together
    logits = some_logits(5, 9, seed=13)
    expected = EXAMPLES[name](logits)
    assert torch.equal(torch.func.vmap(EXAMPLES[name])(logits), expected)
    values = PARAMETERS[name][1]
    compiled = torch.compile(EXAMPLES[name], fullgraph=True, backend="eager")
    assert torch.equal(compiled(logits), expected)
    compiled = torch.compile(lambda x, v: with_parameter(name, v)(x), fullgraph=True, backend="eager")
    rows = torch.tensor(values).repeat(5)[:5]
    for value in (*values[1:4], rows):  # the second number becomes an argument of the graph
        assert torch.equal(compiled(logits, value), with_parameter(name, value)(logits))


@each
def test_wrong_parameters(name):
    argument, *_ = PARAMETERS[name]
    logits = torch.zeros(4, 3)
    wrong = {
        "top_k": (0, -2, torch.tensor([1, 0, 1, 1]), torch.tensor([1, 2])),
        "typical": (0.0, 1.0, torch.tensor([0.5, 0.0, 0.5, 0.5]), torch.tensor([0.5, 0.5])),
    }.get(name, (-0.1, 1.1, float("nan"), torch.tensor([0.5, 1.5, 0.5, 0.5]), torch.tensor([0.5, 0.5])))
    for value in wrong:
        with pytest.raises(ValueError, match=rf"{argument}: got .+, expected .+"):
            with_parameter(name, value)(logits)
    for value in (
        "1",
        None,
        True,
        torch.tensor([True] * 4),
        *([1.5] if name == "top_k" else [torch.ones(4, dtype=int)]),
    ):
        with pytest.raises(TypeError, match=rf"{argument}: got .+, expected .+"):
            with_parameter(name, value)(logits)
    with pytest.raises(ValueError, match="min_tokens_to_keep: got 0, expected an int >= 1"):
        EXAMPLES[name](logits, min_tokens_to_keep=0)
    with pytest.raises(TypeError, match=r"min_tokens_to_keep: got 1\.5, expected an int >= 1"):
        EXAMPLES[name](logits, min_tokens_to_keep=1.5)


@each
def test_no_rows(name):
    assert EXAMPLES[name](torch.zeros(0, 4)).shape == (0, 4)
    dtype = torch.int64 if name == "top_k" else torch.float32
    assert with_parameter(name, torch.zeros(0, dtype=dtype))(torch.zeros(0, 4)).shape == (0, 4)
