"""The gates: their penalty, their eval value, one draw a pass or one an example."""

import math

import pytest
import torch

import softdraw as sd

from ..statistics import assert_share


def test_penalty_is_the_expected_number_of_open_gates():
    gate = sd.nn.HardConcreteGate(4, per_example=True)
    with torch.no_grad():
        gate.logits.copy_(torch.tensor([-3.0, 0.0, 1.0, 4.0]))
    drawn = gate(torch.ones(100_000, 4), key=sd.Key(0))
    for count, probability in zip((drawn != 0).sum(0), gate.open_probability(), strict=True):
        assert_share(count, 100_000, probability, comparisons=4)
    assert gate.penalty().item() == pytest.approx(gate.open_probability().sum().item())
    gate.penalty().backward()
    assert (gate.logits.grad > 0).all()


def test_eval_value_is_that_of_the_paper():
    gate = sd.nn.HardConcreteGate(4)
    with torch.no_grad():
        gate.logits.copy_(torch.tensor([-3.0, 0.0, 1.0, 4.0]))
    expected = [min(1, max(0, 1.2 / (1 + math.exp(-a)) - 0.1)) for a in (-3.0, 0.0, 1.0, 4.0)]
    assert gate.eval()(torch.ones(4)).tolist() == pytest.approx(expected)
    assert expected[0] == 0.0


def test_one_draw_a_pass_or_one_an_example():
    x = torch.ones(5, 3)
    shared = sd.nn.HardConcreteGate(3)(x, key=sd.Key(1))
    assert (shared == shared[0]).all()
    own = sd.nn.HardConcreteGate(3, per_example=True)(x, key=sd.Key(1))
    assert not (own == own[0]).all()
    weight = torch.ones(2, 3, 4)
    assert sd.nn.HardConcreteGate((3, 4))(weight, key=sd.Key(0)).shape == (2, 3, 4)


def test_one_gate_for_each_channel():
    x = torch.ones(6, 3, 4, 5)
    for per_example in (False, True):
        gate = sd.nn.HardConcreteGate((3, 1, 1), per_example=per_example)
        y = gate(x, key=sd.Key(0))
        assert y.shape == x.shape
        assert (y == y[..., :1, :1]).all()  # one value on all of a channel
        assert not (y == y[:, :1]).all()
        assert (y == y[:1]).all() != per_example
    with torch.no_grad():
        gate.logits.copy_(torch.tensor([-3.0, 0.0, 3.0]).view(3, 1, 1))
    torch.testing.assert_close(gate.eval()(x)[5, :, 3, 4], gate.gates().flatten())
    with pytest.raises(ValueError, match=r"x: got .*\(6, 2, 4, 5\).*, expected shape \[\*batch, 3, 1, 1\]"):
        gate(torch.ones(6, 2, 4, 5))


def test_binary_gates_by_another_estimator():
    gate = sd.nn.HardConcreteGate(3, estimator="reinmax", per_example=True)
    drawn = gate(torch.ones(100, 3), key=sd.Key(0))
    assert set(drawn.flatten().tolist()) == {0.0, 1.0}
    assert gate.open_probability().tolist() == [0.5] * 3
    with pytest.raises(ValueError, match="have no HardConcrete distribution"):
        gate.distribution()
    with torch.no_grad():
        gate.logits.copy_(torch.tensor([-1.0, 1.0, 2.0]))
    assert gate.eval()(torch.ones(3)).tolist() == [0.0, 1.0, 1.0]


def test_initial_probability_and_wrong_arguments():
    gate = sd.nn.HardConcreteGate(2, initial=0.9)
    torch.testing.assert_close(gate.logits.sigmoid(), torch.full((2,), 0.9))
    for options, words in (
        ({"initial": 1.0}, r"initial: got 1\.0, expected a number > 0 and < 1"),
        ({"gamma": 0.1}, r"gamma: got 0\.1, expected a finite number < 0"),
        ({"zeta": 0.9}, r"zeta: got 0\.9, expected a finite number > 1"),
        ({"tau": 0.0}, r"tau: got 0\.0, expected a temperature > 0"),
        ({"tau": -1.0}, r"tau: got -1\.0, expected a number >= 0"),
    ):
        with pytest.raises(ValueError, match=words):
            sd.nn.HardConcreteGate(2, **options)
    with pytest.raises(ValueError, match=r"x: got .*\(3,\).*, expected shape \[\*batch, 2\]"):
        gate(torch.ones(3))
