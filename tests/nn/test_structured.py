"""What layers of structures promise beyond those of all layers: transforms and autocast."""

import pytest
import torch

import softdraw as sd

from .examples import STRUCTURED, first, make


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", STRUCTURED)
def test_vmap_gives_each_example_what_it_has_alone(name, mode):
    layer, x = make(name)
    layer.train(mode == "train")
    key = sd.Key(3)
    alone = torch.stack([first(layer(row, key=key)) for row in x])
    torch.testing.assert_close(torch.func.vmap(lambda row: first(layer(row, key=key)))(x), alone)


@pytest.mark.parametrize("name", STRUCTURED)
def test_gradients_of_torch_func_are_those_of_autograd(name):
    layer, x = make(name)
    layer, x = layer.double(), x.double()
    upstream = torch.linspace(-1, 2, first(layer(x, key=sd.Key(4))).numel(), dtype=torch.float64)

    def loss(value):
        return (first(layer(value, key=sd.Key(4))).flatten() * upstream).sum()

    x.requires_grad_()
    (expected,) = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(torch.func.grad(loss)(x.detach()), expected)
    assert (expected != 0).any()


@pytest.mark.parametrize("name", STRUCTURED)
def test_no_examples(name):
    layer, x = make(name)
    for mode in (True, False):
        out = first(layer.train(mode)(x[:0], key=sd.Key(0)))
        assert out.shape[0] == 0


def test_a_gate_under_autocast_has_weights_that_sum_as_they_should():
    gate, x = make("TopKGate", gradient="softmax")
    with torch.autocast("cpu", torch.bfloat16):
        out = gate(x, key=sd.Key(5))
    assert out.weights.dtype == torch.bfloat16
    torch.testing.assert_close(out.weights.float().sum(-1), torch.ones(2, 5), atol=1e-2, rtol=0)
    assert out.balance_loss.dtype == torch.float32


def test_a_matching_has_its_gradients_for_each_example_by_vmap():
    layer, x = make("SinkhornMatching", tolerance=1e-9)
    x = x.double()
    upstream = torch.linspace(-1, 2, 20, dtype=torch.float64).reshape(5, 4)

    def loss(scores):
        return (layer(scores, key=sd.Key(6)) * upstream).sum()

    expected = torch.stack([torch.func.grad(loss)(scores) for scores in x])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), expected)
