"""Compiled graphs, vmap, torch.func.grad, fake tensors, autocast: the mixture does in each what it does in
eager mode."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import softdraw as sd

from .plain import KINDS, mixture, problem

KEY = sd.Key(5)
draw = sd.vocabulary.gumbel_softmax


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
def test_compiled_graphs(hard, estimator):
    hidden, weight, embedding, bias = problem((4,), 300)
    tau = torch.linspace(0.4, 1.0, 4, dtype=torch.float64).requires_grad_()

    def loss(hidden, weight, embedding, bias, tau):
        value = draw(hidden * 1.0, weight, embedding, tau, hard, bias=bias, estimator=estimator, key=KEY)
        return value.square().sum()

    learned = [hidden, weight, embedding, bias, tau]
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    grads = [torch.autograd.grad(call(*learned), learned, allow_unused=True) for call in (loss, compiled)]
    for one, two in zip(*grads, strict=True):
        assert (one is None) == (two is None)
        if one is not None:
            torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)

    def tied(hidden, weight):
        return draw(hidden, weight, weight, 0.5, hard, estimator=estimator, key=KEY)

    compiled = torch.compile(tied, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(hidden, weight), tied(hidden, weight))


def test_a_compiled_graph_draws_anew_at_each_call():
    hidden, weight, embedding, _ = (one if one is None else one.detach() for one in problem((4,), 300))
    compiled = torch.compile(
        lambda: draw(hidden, weight, embedding, hard=True), fullgraph=True, backend="aot_eager"
    )
    assert not torch.equal(compiled(), compiled())


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
def test_vmap_and_grad(hard, estimator):
    hidden, weight, embedding, bias = (one.detach() for one in problem((3, 4), 300))

    def loss(hidden, weight):
        value = draw(hidden, weight, embedding, 0.6, hard, bias=bias, estimator=estimator, key=KEY)
        return value.square().sum()

    got = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)), in_dims=(0, None))(hidden, weight)
    for number in range(3):
        learned = [hidden[number].clone().requires_grad_(), weight.clone().requires_grad_()]
        expected = torch.autograd.grad(loss(*learned), learned)
        for one, two in zip(got, expected, strict=True):
            torch.testing.assert_close(one[number], two, rtol=1e-12, atol=1e-12)
    alone = torch.func.grad(loss, argnums=1)(hidden[0], weight)
    torch.testing.assert_close(alone, got[1][0], rtol=1e-12, atol=1e-12)


def test_vmap_follows_randomness():
    hidden, weight, embedding, _ = (one if one is None else one.detach() for one in problem((4,), 300))

    def one(hidden):
        return draw(hidden, weight, embedding, hard=True)

    many = hidden.expand(3, 4, 7)
    alike = torch.func.vmap(one, randomness="same")(many)
    assert torch.equal(alike[0], alike[1])
    apart = torch.func.vmap(one, randomness="different")(many)
    assert not torch.equal(apart[0], apart[1])


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
@pytest.mark.parametrize("tied", [False, True])
def test_shapes_are_known_without_values(hard, estimator, tied):
    hidden, weight, embedding, bias = problem((2, 3), 300, tied=tied)
    with FakeTensorMode() as mode:
        fakes = [mode.from_tensor(one) for one in (hidden, weight, bias)]
        table = fakes[1] if tied else mode.from_tensor(embedding)
        value = draw(fakes[0], fakes[1], table, 0.5, hard, bias=fakes[2], estimator=estimator)
        assert value.shape == (2, 3, table.shape[1])
        assert torch.autograd.grad(value.sum(), fakes[0])[0].shape == (2, 3, 7)
    meta = [one.detach().to("meta") for one in (hidden, weight, weight if tied else embedding)]
    assert draw(*meta, 0.5, hard, estimator=estimator).shape == value.shape


def test_autocast_changes_nothing():
    hidden, weight, embedding, _ = problem((4,), 300, dtype=torch.float32)
    expected = draw(hidden, weight, embedding, 0.5, True, key=KEY)
    with torch.autocast("cpu", torch.bfloat16):
        got = draw(hidden, weight, embedding, 0.5, True, key=KEY)
        narrow = draw(hidden.bfloat16(), weight, embedding, 0.5, True, key=KEY)
    assert torch.equal(got, expected)
    assert narrow.dtype == torch.bfloat16
    grads = [torch.autograd.grad(one, weight, torch.ones_like(one)) for one in (got, expected)]
    assert torch.equal(grads[0][0], grads[1][0])


def test_a_schedule_may_step_before_the_backward():
    hidden, weight, embedding, _ = problem((4,), 300)
    tau = torch.tensor([0.5, 0.6, 0.7, 0.8], dtype=torch.float64)
    value = draw(hidden, weight, embedding, tau, key=KEY)
    tau.mul_(3)
    expected = mixture(hidden, weight, embedding, tau / 3, key=KEY)
    grads = [torch.autograd.grad(one.sum(), hidden)[0] for one in (value, expected)]
    torch.testing.assert_close(*grads, rtol=1e-11, atol=1e-11)


def test_checkpointing_draws_the_same_again():
    hidden, weight, embedding, _ = problem((4,), 300)

    def loss(hidden):
        return draw(hidden, weight, embedding, hard=True).square().sum()

    grads = []
    for call in (loss, lambda h: torch.utils.checkpoint.checkpoint(loss, h, use_reentrant=False)):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            grads.append(torch.autograd.grad(call(hidden), hidden)[0])
    assert torch.equal(*grads)
