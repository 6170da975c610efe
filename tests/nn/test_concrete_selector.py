"""The selector: what it picks, and what it reports."""

import pytest
import torch

import softdraw as sd


def test_rows_pick_features():
    layer = sd.nn.ConcreteSelector(5, 3)
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    out = layer(x, key=sd.Key(2))
    rows = sd.gumbel_softmax(layer.logits, layer.tau, hard=True, key=sd.Key(2))
    torch.testing.assert_close(out, x @ rows.T)
    with torch.no_grad():
        layer.logits.copy_(10 * torch.eye(5)[[4, 1, 1]])
    assert layer.selection().tolist() == [4, 1, 1]
    assert layer.duplicates() == 1
    assert torch.equal(layer.eval()(x), x[:, [4, 1, 1]])
    assert layer.certainty().item() == pytest.approx(torch.eye(5)[0].mul(10).softmax(0)[0].item())


def test_one_choice_a_pass_or_one_an_example():
    x = torch.arange(5.0).expand(64, 5)
    shared = sd.nn.ConcreteSelector(5, 2)(x, key=sd.Key(0))
    assert (shared == shared[0]).all()
    own = sd.nn.ConcreteSelector(5, 2, per_example=True)(x, key=sd.Key(0))
    assert not (own == own[0]).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match="selected: got 0, expected an int >= 1"):
        sd.nn.ConcreteSelector(5, 0)
    with pytest.raises(
        ValueError, match=r"x: got a tensor of shape \(2, 4\) of float32, expected shape \[\*batch, 5\]"
    ):
        sd.nn.ConcreteSelector(5, 2)(torch.zeros(2, 4))
