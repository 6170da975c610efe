"""Draws without replacement and their weights, against enumeration of orders."""

import itertools

import pytest
import torch

import softdraw as sd
from softdraw.estimators._core.without_replacement import inclusion_weights, sample_states

from ...statistics import assert_frequencies


def in_order(p, order):
    """Probability of drawing these states in this order without replacement."""
    chance, left = 1.0, 1.0
    for s in order:
        chance *= p[s] / left
        left -= p[s]
    return chance


def of_set(p, members):
    return sum(in_order(p, order) for order in itertools.permutations(members))


@pytest.mark.parametrize("k", [2, 3, 4])
def test_weights_by_enumeration_of_orders(k):
    p = torch.tensor([0.35, 0.3, 0.2, 0.1, 0.05], dtype=torch.float64)
    for members in itertools.combinations(range(5), k):
        first, second = inclusion_weights(p[list(members)].log())
        for i, s in enumerate(members):
            rest = [t for t in members if t != s]
            without = p / (1 - p[s])
            ratio = of_set(without, rest) / of_set(p, members)
            torch.testing.assert_close(first[i], p[s] * ratio, rtol=1e-9, atol=0.0)
            for j, t in enumerate(members):
                if t == s:
                    torch.testing.assert_close(second[i, j], p[s])
                    continue
                twice = p / (1 - p[s] - p[t])
                again = of_set(twice, [u for u in rest if u != t]) / of_set(without, rest)
                torch.testing.assert_close(second[i, j], p[t] * again, rtol=1e-9, atol=0.0)


def test_law_of_the_sampled_set():
    """Frequencies of the sets of two states against their probabilities."""
    logits = torch.tensor([[0.5, -0.5], [1.0, 0.0]], dtype=torch.float64)
    log_p = logits.log_softmax(-1)
    count = 40_000
    noise = sd.random.gumbel((count, 2, 2), sample_shape=(2,), key=sd.Key(0), dtype=torch.float64)
    chosen, log_w = sample_states(log_p.expand(count, 2, 2), noise)
    state = chosen[..., 0] * 2 + chosen[..., 1]
    joint = (log_p[0].unsqueeze(-1) + log_p[1]).flatten().exp()
    torch.testing.assert_close(log_w.exp(), joint[state])
    pairs = list(itertools.permutations(range(4), 2))
    seen = [int(((state[0] == a) & (state[1] == b)).sum()) for a, b in pairs]
    assert_frequencies(seen, [float(in_order(joint, pair)) for pair in pairs])


def test_exact_when_it_holds_every_state(lab):
    problem = lab.random_problem(2, 3, seed=22)
    value, gradient, own = lab.exact_of(problem)
    est = sd.estimators.get("unordered-set", samples=12)
    assert est.evaluations(2, 3) == 9
    values, gradients, owns = lab.draws_of(est, problem, 4, sd.Key(0))
    torch.testing.assert_close(values, value.expand(4), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradients, gradient.expand_as(gradients), rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(owns, own.expand(4), rtol=1e-8, atol=1e-9)


def test_less_variance_than_rloo_at_equal_evaluations(lab):
    problem = lab.random_problem(2, 3, seed=23)
    spread = {}
    for name in ("rloo", "unordered-set"):
        _, gradients, _ = lab.draws_of(sd.estimators.get(name, samples=4), problem, 10_000, sd.Key(1))
        spread[name] = float(gradients.var(0).sum())
    assert spread["unordered-set"] < spread["rloo"]


def test_sharp_law():
    """One state holds all but 1e-40 of the mass; weights stay finite and the value is that state's cost."""
    logits = torch.tensor([[100.0, 0.0], [0.0, 100.0]], dtype=torch.float64, requires_grad=True)
    value = sd.estimators.get("unordered-set").expectation(lambda z: 3 * z[..., 0, 0], logits, key=sd.Key(0))
    assert value.item() == pytest.approx(3.0, abs=1e-12)
    assert bool(torch.autograd.grad(value, logits)[0].isfinite().all())


def test_k_is_limited():
    with pytest.raises(ValueError, match="at most 12"):
        sd.estimators.get("unordered-set", samples=13)
