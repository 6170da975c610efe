"""Graphs, transforms, devices and arguments of draws over a vocabulary."""

import re

import pytest
import torch

import softdraw as sd

KEY = sd.Key(5)


def head(batch=(4,), width=3, classes=70, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    shapes = (*batch, width), (classes, width), (classes,)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def loss(hidden, weight, bias, key=KEY):
    drawn = sd.vocabulary.gumbel_max(
        hidden, weight, bias, tau=0.8, sample_shape=(2,), key=key, return_log_prob=True
    )
    return drawn.log_prob.square().sum() + drawn.entropy.sum(), drawn.index


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_compiled_graph_draws_and_differentiates_alike(dynamic):
    inputs = [one.requires_grad_() for one in head()]
    expected, index = loss(*inputs)
    grads = torch.autograd.grad(expected, inputs)
    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for seed in (KEY, sd.Key(6)):
        value, found = compiled(*inputs, seed)
        assert torch.equal(found, loss(*inputs, seed)[1])
    value, found = compiled(*inputs)
    assert torch.equal(found, index)
    torch.testing.assert_close(value, expected)
    for got, exact in zip(torch.autograd.grad(value, inputs), grads, strict=True):
        torch.testing.assert_close(got, exact)


def test_a_compiled_graph_without_a_key_draws_anew():
    torch._dynamo.reset()
    hidden, weight, _ = head((30,))
    compiled = torch.compile(
        lambda h: sd.vocabulary.gumbel_max(h, weight) + 0, fullgraph=True, backend="aot_eager"
    )
    assert not torch.equal(compiled(hidden), compiled(hidden))


def test_vmap_over_rows_keys_and_heads():
    hidden, weight, bias = head((5, 4))

    def draw(h, w, b):
        return tuple(sd.vocabulary.gumbel_max(h, w, b, key=KEY, return_log_prob=True))

    for got, one in zip(
        torch.vmap(draw, (0, None, None))(hidden, weight, bias), draw(hidden[1], weight, bias), strict=True
    ):
        torch.testing.assert_close(got[1], one)
    heads = torch.stack([weight, -weight])
    for got, one in zip(
        torch.vmap(draw, (None, 0, None))(hidden[0], heads, bias), draw(hidden[0], -weight, bias), strict=True
    ):
        torch.testing.assert_close(got[1], one)
    torch.manual_seed(0)
    fresh = torch.vmap(lambda h: sd.vocabulary.gumbel_max(h, weight), randomness="different")(
        hidden[:1].expand(9, 4, 3)
    )
    assert len(fresh.unique(dim=0)) > 1


def test_gradients_of_each_example():
    hidden, weight, bias = head((5, 4))

    def value(h, w):
        return loss(h, w, bias)[0]

    got = torch.vmap(torch.func.grad(value, (0, 1)), (0, None))(hidden, weight)
    for number in range(5):
        alone = torch.func.grad(value, (0, 1))(hidden[number], weight)
        for one, exact in zip(got, alone, strict=True):
            torch.testing.assert_close(one[number], exact)
    rows = [hidden[0].clone().requires_grad_(), weight.clone().requires_grad_()]
    for one, exact in zip(
        alone, torch.autograd.grad(value(hidden[4].requires_grad_(), rows[1]), rows[1:]), strict=False
    ):
        assert one.shape == hidden[4].shape
        torch.testing.assert_close(alone[1], exact)


def test_meta_tensors_have_the_shapes():
    hidden, weight, bias = (one.to("meta") for one in head((2, 4)))
    drawn = sd.vocabulary.gumbel_max(hidden, weight, bias, sample_shape=(3,), key=KEY, return_log_prob=True)
    assert [tuple(one.shape) for one in drawn] == [(3, 2, 4), (3, 2, 4), (2, 4)]
    assert drawn.index.dtype == torch.int64
    assert all(one.is_meta for one in drawn)
    assert sd.vocabulary.gumbel_max(hidden, weight, bias).shape == (2, 4)


def test_a_default_device_changes_nothing():
    inputs = head()
    expected = sd.vocabulary.gumbel_max(*inputs, key=KEY, return_log_prob=True)
    with torch.device("meta"):
        got = sd.vocabulary.gumbel_max(*inputs, key=KEY, return_log_prob=True)
    assert torch.equal(got.index, expected.index)
    assert torch.equal(got.entropy, expected.entropy)


def test_autocast_changes_nothing():
    inputs = [one.float() for one in head()]
    expected = sd.vocabulary.gumbel_max(*inputs, key=KEY, return_log_prob=True)
    with torch.autocast("cpu", torch.bfloat16):
        got = sd.vocabulary.gumbel_max(*inputs, key=KEY, return_log_prob=True)
    assert torch.equal(got.log_prob, expected.log_prob)


def test_operations_pass_the_checks_of_torch():
    hidden, weight, bias = head((3,), 2, 9)
    tau, mask = torch.full((3,), 0.7, dtype=torch.float64), torch.rand(3, 9) < 0.7
    inputs = hidden, weight, bias, mask, tau
    checks = "test_schema", "test_faketensor"
    for measured in (False, True):
        arguments = (*inputs, KEY.state, 2, measured)
        torch.library.opcheck(torch.ops.softdraw.vocabulary_index.default, arguments, test_utils=checks)
    found, log_prob, entropy, *known = torch.ops.softdraw.vocabulary_index(*inputs, KEY.state, 2, True)
    for needs in ([True] * 4, [False, True, False, False]):
        arguments = (log_prob, entropy, found, *known, *inputs, needs)
        operation = torch.ops.softdraw.vocabulary_index_backward.default
        torch.library.opcheck(operation, arguments, test_utils=checks)


WRONG = {
    "hidden as integers": (TypeError, "hidden", {"hidden": torch.ones(4, 3, dtype=torch.int64)}),
    "hidden without dims": (ValueError, "hidden", {"hidden": torch.ones(())}),
    "hidden as a list": (TypeError, "hidden", {"hidden": [1.0, 2.0, 3.0]}),
    "weight of another width": (ValueError, "weight", {"weight": torch.ones(70, 4)}),
    "weight of one dim": (ValueError, "weight", {"weight": torch.ones(3)}),
    "weight as integers": (TypeError, "weight", {"weight": torch.ones(70, 3, dtype=torch.int32)}),
    "no classes": (ValueError, "weight", {"weight": torch.ones(0, 3), "bias": None}),
    "weight on another device": (ValueError, "weight", {"weight": torch.ones(70, 3, device="meta")}),
    "bias of another size": (ValueError, "bias", {"bias": torch.ones(69)}),
    "bias as a number": (TypeError, "bias", {"bias": 1.0}),
    "mask of numbers": (TypeError, "mask", {"mask": torch.ones(70)}),
    "mask of another shape": (ValueError, "mask", {"mask": torch.ones(69, dtype=torch.bool)}),
    "tau 0": (ValueError, "tau", {"tau": 0.0}),
    "tau infinite": (ValueError, "tau", {"tau": torch.inf}),
    "tau negative": (ValueError, "tau", {"tau": torch.tensor([1.0, -1.0, 1.0, 1.0])}),
    "tau NaN": (ValueError, "tau", {"tau": torch.tensor(torch.nan)}),
    "tau of classes": (ValueError, "tau", {"tau": torch.ones(70)}),
    "tau as text": (TypeError, "tau", {"tau": "1"}),
    "tau as a schedule": (TypeError, "tau", {"tau": sd.schedules.Constant(1.0)}),
    "negative samples": (ValueError, "sample_shape", {"sample_shape": (-1,)}),
    "samples as a number": (TypeError, "sample_shape", {"sample_shape": 3}),
    "key as a number": (TypeError, "key", {"key": 3}),
    "two sources": (ValueError, "key and generator", {"key": KEY, "generator": torch.Generator()}),
    "return_log_prob as a number": (TypeError, "return_log_prob", {"return_log_prob": 1}),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_named(name):
    error, argument, change = WRONG[name]
    hidden, weight, bias = (one.float() for one in head())
    with pytest.raises(error) as info:
        sd.vocabulary.gumbel_max(**({"hidden": hidden, "weight": weight, "bias": bias} | change))
    assert type(info.value) is error
    assert re.match(rf"{argument}: got .+, expected .+", str(info.value), re.DOTALL), str(info.value)
