"""The gate: who is chosen, what the weights' gradients are, how even the routing is, who finds no room."""

import itertools
import math

import pytest
import torch

import softdraw as sd
from softdraw.kernels.formulas import scores
from softdraw.nn.structured.routing import inclusion

from ..statistics import assert_mean

LOGITS = torch.tensor([0.8, -0.3, 0.1, -1.0], dtype=torch.float64)
#: what four experts make of one token, and what they should
EXPERTS = torch.tensor([[1.0, 0.2], [-0.5, 1.0], [0.3, -2.0], [2.0, 0.7]], dtype=torch.float64)
TARGET = torch.tensor([0.6, -0.4], dtype=torch.float64)


def identity(k=1, **options):
    """A gate whose logits are its input."""
    gate = sd.nn.TopKGate(4, 4, k, dtype=torch.float64, **options)
    with torch.no_grad():
        gate.projection.weight.copy_(torch.eye(4))
    return gate


def quadratic(output):
    return (output - TARGET).square().sum(-1) + output.prod(-1)


def gradients(gate, loss, tokens, key):
    """The gradient of each token's loss in its logits."""
    x = LOGITS.expand(tokens, 4).clone().requires_grad_()
    loss(gate(x, key=sd.Key(key)).weights @ EXPERTS).sum().backward()
    return x.grad


@pytest.mark.parametrize("tau", [1.0, 0.6])
def test_midpoint_is_the_gradient_of_the_expected_loss(tau):
    """Unbiased for a quadratic loss: by enumeration of the experts."""
    drawn = gradients(identity(gradient="midpoint", tau=tau), quadratic, 100_000, 0)
    x = LOGITS.clone().requires_grad_()
    p = (x / tau).softmax(-1)
    (exact,) = torch.autograd.grad((p * quadratic(p.unsqueeze(-1) * EXPERTS)).sum(), x)
    assert_mean(drawn, exact, precise=0.05)
    # without the choice's part it would be found out
    (weights_only,) = torch.autograd.grad(
        (p.detach() * quadratic((p := (x / tau).softmax(-1)).unsqueeze(-1) * EXPERTS)).sum(), x
    )
    assert (exact - weights_only).norm() > 0.3 * exact.norm()
    assert_mean(gradients(identity(tau=tau), quadratic, 100_000, 1), weights_only, precise=0.05)


def test_midpoint_halves_one_weight_in_two_and_none_in_eval_mode():
    gate = identity(gradient="midpoint")
    out = gate(LOGITS.expand(50_000, 4), key=sd.Key(2))
    p = LOGITS.softmax(-1)
    ratio = out.weights.sum(-1) / p[out.indices.squeeze(-1)]
    torch.testing.assert_close(ratio, halves := ratio.mul(2).round() / 2)
    assert halves.unique().tolist() == [0.5, 1.0]
    best = out.indices.squeeze(-1) == 0
    assert_mean((halves[best] == 0.5).double(), 0.5)  # whoever is chosen: the coin has noise of its own
    assert_mean((halves[~best] == 0.5).double(), 0.5)
    assert gate.eval()(LOGITS).weights.tolist() == pytest.approx([p[0].item(), 0, 0, 0])


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_choice_is_gumbel_top_k_and_the_weights_know_no_noise(k):
    x = LOGITS.expand(64, 4)
    for tau in (1.0, 0.5):
        out = identity(k, tau=tau)(x, key=sd.Key(3))
        assert torch.equal(out.indices, sd.gumbel_top_k(x / tau, k, key=sd.Key(3)))
        p = (x / tau).softmax(-1)
        torch.testing.assert_close(out.weights, torch.zeros_like(x).scatter(-1, out.indices, 1.0) * p)
    for gate in (identity(k, noise=False), identity(k).eval()):
        assert (gate(x).indices == LOGITS.argsort(descending=True)[:k]).all()


def test_softmax_weights_sum_to_one_over_the_chosen():
    x = LOGITS.expand(64, 4).clone().requires_grad_()
    out = identity(2, gradient="softmax", tau=0.7)(x, key=sd.Key(4))
    chosen = (x.gather(-1, out.indices) / 0.7).softmax(-1)
    torch.testing.assert_close(out.weights.gather(-1, out.indices), chosen)
    torch.testing.assert_close(out.weights.sum(-1), torch.ones(64, dtype=torch.float64))
    # far below the best expert, where probabilities round to 0, a pair of others still shares 1
    far = torch.tensor([0.0, -2000.0, -2001.0, -2002.0], dtype=torch.float64)
    mask = torch.tensor([False, True, True, True])
    weights = identity(2, gradient="softmax").eval()(far, mask=mask).weights
    torch.testing.assert_close(weights[1:3], torch.tensor([1.0, 0.0], dtype=torch.float64).softmax(-1))


def test_straight_through_has_the_gradient_of_the_relaxed_draw():
    x = LOGITS.expand(16, 4).clone().requires_grad_()
    upstream = torch.linspace(-1, 2, 64, dtype=torch.float64).reshape(16, 4)
    out = identity(2, gradient="straight-through", tau=0.8)(x, key=sd.Key(5))
    noise = 0.8 * sd.random.gumbel((16, 4), key=sd.Key(5), dtype=torch.float64)
    expected = sd.relaxed_top_k(x, 2, 0.8, hard=True, noise=noise)
    assert torch.equal(out.weights, expected)
    grads = [torch.autograd.grad((y * upstream).sum(), x)[0] for y in (out.weights, expected)]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("tau", [1.0, 0.6])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_smooth_load_has_the_mean_and_the_gradient_of_the_inclusion(k, tau):
    """Against the sum over all orders."""
    x = LOGITS.clone().requires_grad_()
    exact = torch.zeros(4, dtype=torch.float64)
    for order in itertools.permutations(range(4), k):
        w, left, p = (x / tau).exp(), list(range(4)), 1.0
        for i in order:
            p = p * w[i] / w[left].sum()
            left.remove(i)
        exact = exact + p * torch.eye(4, dtype=torch.float64)[list(order)].sum(0)
    rows = LOGITS.expand(40_000, 4).clone().requires_grad_()
    noise = sd.random.gumbel((40_000, 4), key=sd.Key(6), dtype=torch.float64)
    zero = torch.zeros(())
    load = inclusion(scores(rows, None, zero).z, scores(rows, None, tau * noise), k, tau)
    assert_mean(load, exact, precise=0.01)
    upstream = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    (exact_grad,) = torch.autograd.grad((exact * upstream).sum(), x)
    assert_mean(
        torch.autograd.grad((load * upstream).sum(), rows)[0], exact_grad, precise=None if k == 4 else 0.05
    )


def test_losses_are_least_where_the_routing_is_even():
    rows = torch.eye(4, dtype=torch.float64).repeat(8, 1) * 9
    even = identity(1)(rows, key=sd.Key(7))
    assert even.importance_loss.item() == pytest.approx(0, abs=1e-12)
    assert even.load_loss.item() < 1e-4
    assert even.balance_loss.item() == pytest.approx(1, abs=1e-3)
    crowd = identity(1)(9 * torch.eye(4, dtype=torch.float64)[:1].expand(32, 4), key=sd.Key(7))
    for loss, most in ((crowd.importance_loss, 3), (crowd.load_loss, 3), (crowd.balance_loss, 4)):
        assert loss.item() == pytest.approx(most, rel=1e-2)
    x = LOGITS.expand(256, 4).clone()
    for name in ("importance_loss", "load_loss", "balance_loss"):
        tokens = x.clone().requires_grad_()
        before = getattr(identity(2)(tokens, key=sd.Key(8)), name)
        (grad,) = torch.autograd.grad(before, tokens)
        assert getattr(identity(2)(tokens - 20 * grad, key=sd.Key(8)), name) < before, name


def test_capacity_takes_first_choices_and_earlier_tokens_first():
    x = torch.tensor([[3.0, 2.0, 0, 0], [2.0, 3.0, 0, 0], [3.0, 2.0, 0, 0], [3.0, 0, 2.0, 0]])
    gate = sd.nn.TopKGate(4, 4, 2, capacity=1.0, noise=False)
    with torch.no_grad():
        gate.projection.weight.copy_(torch.eye(4))
    out = gate(x)  # 8 assignments, room for 2 each
    assert out.indices.tolist() == [[0, 1], [1, -1], [0, -1], [-1, 2]]
    assert out.load.tolist() == [2, 2, 1, 0]
    assert out.dropped == 3
    assert torch.equal(
        out.weights != 0,
        torch.zeros(4, 5).scatter(-1, out.indices.where(out.indices >= 0, 4), 1.0)[:, :4] > 0,
    )
    free = sd.nn.TopKGate(4, 4, 2, noise=False)
    free.load_state_dict(gate.state_dict())
    assert free(x).dropped == 0
    for name in ("importance_loss", "load_loss", "balance_loss"):  # of what was asked for
        torch.testing.assert_close(getattr(free(x), name), getattr(out, name))


def test_padding_counts_nowhere():
    x = torch.linspace(-2, 2, 24, dtype=torch.float64).mul(5).sin().reshape(6, 4)
    padded = torch.cat([x, torch.full((2, 4), 7.0, dtype=torch.float64)])
    mask = torch.ones(8, 1, dtype=torch.bool)
    mask[6:] = False
    gate = identity(2)
    whole, part = gate(padded, mask=mask, key=sd.Key(9)), gate(x, key=sd.Key(9))
    assert (whole.indices[6:] == -1).all()
    assert not whole.weights[6:].any()
    assert torch.equal(whole.indices[:6], part.indices)
    for one, two in zip(whole[2:], part[2:], strict=True):
        torch.testing.assert_close(one, two)
    nothing = gate(x, mask=torch.zeros(4, dtype=torch.bool), key=sd.Key(9))
    assert nothing.load.tolist() == [0] * 4
    assert all(t.isfinite().all() for t in nothing[2:5])
    one = gate(x, mask=torch.tensor([False, False, True, False]), key=sd.Key(9))
    assert one.indices.tolist() == [[2, -1]] * 6
    assert one.dropped == 0


def test_extremes():
    x = torch.tensor([[80.0, -80.0, 0.0, 80.0]], dtype=torch.float32)
    for gradient, k in (("probability", 2), ("softmax", 2), ("straight-through", 2), ("midpoint", 1)):
        for tau in (0.0, 1e-3, 1.0, math.inf):
            gate = sd.nn.TopKGate(4, 4, k, gradient=gradient, tau=tau)
            with torch.no_grad():
                gate.projection.weight.copy_(torch.eye(4))
            rows = x.clone().requires_grad_()
            out = gate(rows, key=sd.Key(10))
            (out.weights.sum() + out.importance_loss + out.load_loss + out.balance_loss).backward()
            assert all(t.isfinite().all() for t in (*out, rows.grad)), (gradient, tau)
    bad = gate(torch.tensor([[math.nan, 0, 0, 0], [0, 0, 0, 0.0]]), key=sd.Key(0))
    assert bad.weights[0].isnan().all()
    assert bad.indices[0].tolist() == [-1]
    assert bad.weights[1].isfinite().all()


def test_wrong_arguments():
    for options, words in (
        ({"k": 5}, "k: got 5, expected an int from 1 to 4"),
        ({"k": 1, "gradient": "softmax"}, "gradient: got 'softmax', expected another one for k=1"),
        ({"k": 2, "gradient": "midpoint"}, "gradient: got 'midpoint', expected another one unless k=1"),
        ({"k": 1, "gradient": "midpoint", "noise": False}, "gradient: got 'midpoint', expected another"),
        ({"gradient": "reinmax"}, "gradient: got 'reinmax', expected one of 'probability'"),
        ({"capacity": 0.0}, r"capacity: got 0\.0, expected a finite number > 0"),
    ):
        with pytest.raises(ValueError, match=words):
            sd.nn.TopKGate(6, 4, **options)
    with pytest.raises(ValueError, match=r"x: got .*\(5,\).*, expected shape \[\*batch, 6\]"):
        sd.nn.TopKGate(6, 4)(torch.zeros(5))
