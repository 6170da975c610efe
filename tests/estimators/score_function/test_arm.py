"""ARM, DisARM and ARSM: how they relate."""

import torch

import softdraw as sd

from ...statistics import assert_same_mean


def test_disarm_never_has_more_variance_than_arm(lab):
    """DisARM is ARM's conditional mean, so its variance is smaller in expectation; here by far more than
    chance."""
    for variables in (1, 3):
        for seed in range(4):
            problem = lab.random_problem(variables, 2, seed=30 + seed)
            spread = {}
            for name in ("arm", "disarm"):
                _, gradients, _ = lab.draws_of(sd.estimators.get(name), problem, 10_000, sd.Key(seed))
                spread[name] = float(gradients.var(0).sum())
            assert spread["disarm"] < spread["arm"]


def test_disarm_is_the_conditional_mean_of_arm():
    """Given the two samples the uniform is uniform on an interval; averaging u - 1/2 over it gives DisARM's
    weight."""
    phi = torch.tensor([0.8], dtype=torch.float64)
    s = torch.sigmoid(phi)
    u = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 400_000
    first, second = u > 1 - s, u < s
    weight = 0.5 * torch.where(second, -1.0, 1.0) * (first != second) * torch.sigmoid(phi.abs())
    for a in (False, True):
        for b in (False, True):
            group = (first == a) & (second == b)
            if group.any() and a != b:
                # for one variable f is constant on the group, and so is DisARM's weight
                torch.testing.assert_close(
                    (u[group] - 0.5).mean(), weight[group].mean(), rtol=1e-4, atol=1e-6
                )
    est = sd.estimators.get("disarm")
    got = est._weight(first, second, u.logit(), phi)
    torch.testing.assert_close(got, weight)


def test_arsm_with_two_classes_is_arm_in_law(lab):
    problem = lab.random_problem(2, 2, seed=40)
    _, arm, _ = lab.draws_of(sd.estimators.get("arm"), problem, 20_000, sd.Key(1))
    _, arsm, _ = lab.draws_of(sd.estimators.get("arsm"), problem, 20_000, sd.Key(2))
    assert_same_mean(arm, arsm)
    assert_same_mean(arm.square(), arsm.square())
