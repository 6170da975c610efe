"""Training and eval behaviour of the draw inside every layer, and of the two plain layers."""

import math

import pytest
import torch

import softdraw as sd

from ..statistics import assert_share

LOGITS = torch.tensor([[0.5, -1.0, 2.0, 0.0], [1.0, 0.9, -3.0, 0.2]])
MASK = torch.tensor([[True, True, False, True], [False] * 4])


@pytest.mark.parametrize(("estimator", "hard"), [("st-gumbel-softmax", True), ("gumbel-softmax", False)])
def test_training_is_the_function_at_the_same_key(estimator, hard):
    layer = sd.nn.GumbelSoftmax(0.7, estimator=estimator)
    assert torch.equal(layer(LOGITS, key=sd.Key(3)), sd.gumbel_softmax(LOGITS, 0.7, hard, key=sd.Key(3)))
    masked = layer(LOGITS, mask=MASK, key=sd.Key(3))
    assert torch.equal(masked, sd.gumbel_softmax(LOGITS, 0.7, hard, mask=MASK, key=sd.Key(3)))
    binary = sd.nn.GumbelSigmoid(0.7, estimator=estimator)
    assert torch.equal(binary(LOGITS, key=sd.Key(3)), sd.gumbel_sigmoid(LOGITS, 0.7, hard, key=sd.Key(3)))
    masked = binary(LOGITS, mask=MASK, key=sd.Key(3))
    assert torch.equal(masked, sd.gumbel_sigmoid(LOGITS, 0.7, hard, mask=MASK, key=sd.Key(3)))


def test_layers_that_share_an_estimator_keep_their_own_temperatures():
    shared = sd.estimators.get("gumbel-softmax", tau=1.0)
    falling = sd.schedules.Constant(0.1)
    cold, warm = sd.nn.GumbelSoftmax(falling, estimator=shared), sd.nn.GumbelSoftmax(estimator=shared)
    gate = sd.nn.GumbelSigmoid(falling, estimator=shared)
    expected = sd.gumbel_softmax(LOGITS, 1.0, key=sd.Key(1))
    for draw in (cold, gate):
        draw(LOGITS, key=sd.Key(1))
        assert (shared.tau, warm.tau, float(cold.tau)) == (1.0, 1.0, pytest.approx(0.1))
        assert torch.equal(warm(LOGITS, key=sd.Key(1)), expected)
        assert torch.equal(shared(LOGITS, key=sd.Key(1)), expected)
    assert torch.equal(cold(LOGITS, key=sd.Key(1)), sd.gumbel_softmax(LOGITS, falling.tau, key=sd.Key(1)))


def test_an_estimator_brings_its_own_schedule():
    schedule = sd.schedules.Linear(2.0, 0.5, steps=2)
    layer = sd.nn.GumbelSoftmax(estimator=sd.estimators.get("gumbel-softmax", tau=schedule))
    for _ in range(3):
        assert float(layer.tau) == schedule.value
        expected = sd.gumbel_softmax(LOGITS, schedule.tau, key=sd.Key(1))
        assert torch.equal(layer(LOGITS, key=sd.Key(1)), expected)
        schedule.step()
    other = sd.nn.GumbelSoftmax(
        estimator=sd.estimators.get("gumbel-softmax", tau=sd.schedules.Linear(2.0, 0.5, steps=2))
    )
    other.load_state_dict(layer.state_dict())
    assert float(other.tau) == 0.5


def test_default_temperatures_are_the_estimators_own():
    for name in ("st-gumbel-softmax", "gumbel-softmax", "reinmax", "st"):
        assert sd.nn.GumbelSoftmax(estimator=name).tau == sd.estimators.get(name).default_tau
    assert sd.nn.GumbelSoftmax(estimator="reinmax").tau >= 1
    assert sd.nn.GumbelSoftmax().tau < 1


def test_eval_modes():
    argmax, sample, mean = (sd.nn.GumbelSoftmax(evaluation=e).eval() for e in ("argmax", "sample", "mean"))
    assert argmax(LOGITS).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    torch.testing.assert_close(mean(LOGITS), LOGITS.softmax(-1))
    drawn = sample(LOGITS, key=sd.Key(4))
    expected = torch.nn.functional.one_hot(sd.gumbel_max(LOGITS, key=sd.Key(4)), 4)
    assert torch.equal(drawn, expected.float())
    binary = [sd.nn.GumbelSigmoid(evaluation=e).eval() for e in ("argmax", "sample", "mean")]
    assert torch.equal(binary[0](LOGITS), (LOGITS > 0).float())
    assert set(binary[1](LOGITS, key=sd.Key(0)).flatten().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(binary[2](LOGITS), LOGITS.sigmoid())


@pytest.mark.parametrize("evaluation", ["argmax", "sample", "mean"])
def test_eval_modes_with_masks_and_empty_rows(evaluation):
    layer = sd.nn.GumbelSoftmax(evaluation=evaluation).eval()
    for rows in (
        layer(LOGITS, mask=MASK, key=sd.Key(0)),
        layer(LOGITS.masked_fill(~MASK, -math.inf), key=sd.Key(0)),
    ):
        assert (rows[~MASK] == 0).all()
        torch.testing.assert_close(rows.sum(-1), torch.tensor([1.0, 0.0]))
    binary = sd.nn.GumbelSigmoid(evaluation=evaluation).eval()
    assert (binary(LOGITS + 5, mask=MASK, key=sd.Key(0))[~MASK] == 0).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dim", [0, 1, -2, 2, -1])
def test_any_dim_holds_the_classes(training, dim):
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(1)) > 0.2
    layer = sd.nn.GumbelSoftmax(0.5, dim=dim).train(training)
    last = sd.nn.GumbelSoftmax(0.5).train(training)
    expected = last(logits.movedim(dim, -1), mask=mask.movedim(dim, -1), key=sd.Key(1)).movedim(-1, dim)
    assert torch.equal(layer(logits, mask=mask, key=sd.Key(1)), expected)


def test_sigmoid_by_two_classes_has_the_law_of_the_logit():
    layer = sd.nn.GumbelSigmoid(estimator="reinmax")
    logits = torch.tensor([-2.0, 0.0, 1.0]).expand(200_000, 3)
    for count, probability in zip(layer(logits, key=sd.Key(0)).sum(0), logits[0].sigmoid(), strict=True):
        assert_share(count, 200_000, probability, comparisons=3)


def test_adaptive_leaves_padding_out():
    s = sd.schedules.Adaptive(1.0, factor=0.5, every=1, max_dead=0.0)
    layer = sd.nn.GumbelSoftmax(s)
    logits = LOGITS.clone().requires_grad_()
    (layer(logits, mask=MASK, key=sd.Key(0)) * torch.arange(4.0)).sum().backward()
    s.step()
    assert s.measured.rows == 1
    assert s.measured.dead == 0.0


def test_adaptive_settles_where_gradients_begin_to_die():
    # At tau 1 no row of ten classes is dead, at 0.01 most are: the controller must stop between.
    s = sd.schedules.Adaptive(1.0, floor=0.01, factor=0.8, every=1, max_dead=0.1, max_variance=None)
    layer = sd.nn.GumbelSoftmax(s)
    generator = torch.Generator().manual_seed(0)
    for step in range(60):
        logits = torch.randn(500, 10, generator=generator).requires_grad_()
        (
            layer(logits, key=sd.Key(1).fold_in(step)) * torch.randn(500, 10, generator=generator)
        ).sum().backward()
        s.step()
    assert 0.05 < s.value < 0.5
    assert 0.02 < s.measured.dead < 0.3


@pytest.mark.parametrize(("tau", "share"), [(1.0, 0.0), (0.1, 0.26), (0.01, 0.87)])
def test_share_of_dead_rows_that_the_docs_name(tau, share):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 10, generator=generator).requires_grad_()
    drawn = sd.gumbel_softmax(logits, tau, hard=True, key=sd.Key(0))
    (grad,) = torch.autograd.grad((drawn * torch.randn(20_000, 10, generator=generator)).sum(), logits)
    dead = (grad.norm(dim=-1) < 1e-6).float().mean().item()
    assert dead == pytest.approx(share, abs=0.03)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="evaluation: got 'max', expected one of 'argmax', 'sample', 'mean'"):
        sd.nn.Choice(evaluation="max")
    with pytest.raises(ValueError, match="tau"):
        sd.nn.Choice(tau=-1.0)
