"""Gumbel-Rao: the noise integrated out given the sample."""

import subprocess
import sys

import pytest
import torch

import softdraw as sd
from softdraw.kernels import ops
from softdraw.kernels.estimator_gradients import race_weights

from ...statistics import assert_same_law, assert_same_mean


def test_conditional_noise_is_that_of_the_race():
    """Noisy logits less the winner's, given the winner: against draws of the race that this class won."""
    log_p = torch.tensor([0.5, -1.0, 0.2, -0.3], dtype=torch.float64).log_softmax(-1)
    noise = sd.random.gumbel((4,), sample_shape=(60_000,), key=sd.Key(0), dtype=torch.float64)
    race = log_p + noise
    winner = race.argmax(-1)
    for z in range(4):
        won = race[winner == z]
        gaps = won - won[:, z : z + 1]
        fresh = sd.random.gumbel((len(won), 4), key=sd.Key(1), dtype=torch.float64)
        drawn = race_weights(log_p.expand(len(won), 4), torch.full((len(won),), z), fresh, 1.0).log()
        assert bool((drawn[:, z] == 0).all())
        for j in range(4):
            if j != z:
                assert_same_law(gaps[:, j], drawn[:, j], comparisons=12)


@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_mean_of_st_gumbel_softmax_and_no_more_variance(lab, tau):
    problem = lab.random_problem(2, 3, seed=14)
    _, plain, _ = lab.draws_of(sd.estimators.get("st-gumbel-softmax", tau=tau), problem, 20_000, sd.Key(1))
    _, rao, _ = lab.draws_of(sd.estimators.get("gumbel-rao", tau=tau, draws=30), problem, 20_000, sd.Key(2))
    assert_same_mean(plain, rao)
    # the drop is far larger than the 1 % that 20,000 draws leave uncertain
    assert rao.var(0).sum() < 0.95 * plain.var(0).sum()


def test_one_draw_is_st_gumbel_softmax_in_law():
    """Each gradient entry has the same law."""
    logits = torch.tensor([0.8, -0.5, 0.1], dtype=torch.float64)
    weight = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, -1.0], [2.0, 0.0, 1.0]], dtype=torch.float64)
    gradients = []
    for est, key in (
        (sd.estimators.get("gumbel-rao", tau=0.7, draws=1), sd.Key(1)),
        (sd.estimators.get("st-gumbel-softmax", tau=0.7), sd.Key(2)),
    ):
        leaf = logits.expand(20_000, 3).clone().requires_grad_()
        y = est(leaf, key=key)
        # a quadratic form: the upstream depends on the sample, so the joint law is tested
        ((y @ weight) * y).sum().backward()
        gradients.append(leaf.grad)
    for entry in range(3):
        assert_same_law(gradients[0][:, entry], gradients[1][:, entry], comparisons=3)


def test_cold_limit_is_reinmax():
    """As tau falls the averaged Jacobian tends to ZGR, which is ReinMax at tau 1, whatever was drawn.

    At tau 0.03 and 24,000 rows the largest error is about 0.02 of bias and 0.01 of noise: the bound is three
    deviations off.
    """
    logits = torch.tensor([0.8, -0.5, 0.1], dtype=torch.float64)
    upstream = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def mean_by_sample(est):
        leaf = logits.expand(24_000, 3).clone().requires_grad_()
        y = est(leaf, key=sd.Key(0))
        (y * upstream).sum().backward()
        return torch.stack([leaf.grad[y.argmax(-1) == z].mean(0) for z in range(3)])

    zgr = mean_by_sample(sd.estimators.get("reinmax"))
    errors = [
        float((mean_by_sample(sd.estimators.get("gumbel-rao", tau=tau, draws=64)) - zgr).abs().max())
        for tau in (1.0, 0.3, 0.03)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05


@pytest.mark.parametrize("name", ["gumbel-rao", "reinmax-rao"])
def test_far_logits_stay_finite(name):
    """exp(logits), as others have it, overflows at 89."""
    logits = torch.tensor([[1000.0, 0.0, -1000.0]], requires_grad=True)
    (sd.estimators.get(name)(logits, key=sd.Key(0)) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert bool(logits.grad.isfinite().all())


MEMORY = """
import torch, softdraw as sd
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
def run(size):
    logits = torch.zeros(256, size, requires_grad=True)
    y = sd.estimators.get("gumbel-rao", draws=60)(logits, key=sd.Key(0))
    before = peak()
    (y * y.detach()).sum().backward()
    return peak() - before
run(8)
print(run(16384))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_number_of_draws():
    """A soft sample is 16 MB here, and K = 60 of them would be 1 GB: the backward takes a few of them."""
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 5 * 256 * 16384 * 4


def test_memory_under_transforms_does_not_hold_k_soft_samples(monkeypatch):
    """K = 60 soft samples of 1 MB each would be 60 MB; no block of noise has more than 8."""
    monkeypatch.setattr("softdraw.estimators._core.draws.Draws.fused", lambda *arguments: None)
    logits = torch.zeros(256, 1024, requires_grad=True)
    y = sd.estimators.get("gumbel-rao", draws=60)(logits, key=sd.Key(0))
    largest = 0
    original = ops.noise

    def spy(*args, **options):
        nonlocal largest
        noise = original(*args, **options)
        largest = max(largest, noise.numel() * noise.element_size())
        return noise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "noise", spy)
        (y * y.detach()).sum().backward()
    assert 0 < largest <= 8 << 20
