"""REINFORCE's baselines."""

import torch

import softdraw as sd


def test_score_function_by_hand(lab):
    """f(z) (z - p) sample by sample."""
    problem = lab.random_problem(2, 3, seed=60)
    logits = problem.logits.expand(20, 2, 3).clone().requires_grad_()
    est = sd.estimators.get("reinforce", baseline="none")
    seen = []
    value = est.expectation(
        lambda z: seen.append(z) or problem.cost(z, problem.parameter), logits, key=sd.Key(0)
    )
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    expected = problem.cost(seen[0][0], problem.parameter)[:, None, None] * (seen[0][0] - logits.softmax(-1))
    torch.testing.assert_close(gradient, expected.detach())


def test_moving_average_is_that_of_earlier_calls():
    est = sd.estimators.get("reinforce", decay=0.5)
    logits = torch.zeros(1, 2)
    for level, average in ((8.0, 8.0), (0.0, 4.0), (0.0, 2.0)):
        est.expectation(lambda z, level=level: z[..., 0, 0] * 0 + level, logits, key=sd.Key(0))
        assert est.average.item() == average
    est.eval()
    est.expectation(lambda z: z[..., 0, 0] * 0 + 100, logits, key=sd.Key(0))
    assert est.average.item() == 2.0


def test_learned_baseline_learns_the_mean_cost():
    """One optimiser over est.parameters() brings the baseline to each batch element's own mean."""
    est = sd.estimators.get("reinforce", baseline="learned", samples=4)
    torch.manual_seed(0)
    logits = torch.tensor([[[2.0, -2.0]], [[-2.0, 2.0]]])

    def cost(z):
        return 3 * z[..., 0, 0]

    est.expectation(cost, logits, key=sd.Key(0))
    optimiser = torch.optim.Adam(est.parameters(), lr=0.02)
    for step in range(600):
        optimiser.zero_grad()
        est.expectation(cost, logits.clone().requires_grad_(), key=sd.Key(step)).sum().backward()
        optimiser.step()
    allowed = torch.ones_like(logits, dtype=torch.bool)
    predicted = est._predict(est.network, logits, allowed)
    expected = 3 * logits.softmax(-1)[:, 0, 0]
    torch.testing.assert_close(predicted, expected, rtol=0.0, atol=0.3)
