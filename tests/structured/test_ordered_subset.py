"""``OrderedSubset``: what it alone promises."""

import itertools
import math

import pytest
import torch

import softdraw as sd

from .laws import WIDE, k_hots, normal, plackett_luce

OrderedSubset = sd.structured.OrderedSubset


def sets(logits, k):
    """All k-hots, and their log probabilities by all orders of each."""
    n = logits.shape[-1]
    orders = torch.tensor(list(itertools.permutations(range(n), k)))
    log_p = plackett_luce(orders, logits)
    hots = torch.zeros(len(orders), n, dtype=WIDE).scatter(-1, orders, 1.0)
    all_sets = k_hots(n, k)
    same = (hots.unsqueeze(0) == all_sets.unsqueeze(1)).all(-1)
    return all_sets, torch.where(same.unsqueeze(-1), log_p, -torch.inf).logsumexp(1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, WIDE])
def test_one_item_is_gumbel_max_bit_for_bit(dtype):
    logits = normal(40, 7).to(dtype)
    drawn = OrderedSubset(logits, 1).sample((30,), key=sd.Key(0))
    assert torch.equal(drawn.squeeze(-1), sd.gumbel_max(logits, sample_shape=(30,), key=sd.Key(0)))


@pytest.mark.parametrize("method", ["softsort", "neuralsort"])
def test_a_relaxation_has_the_noise_of_the_draw(method):
    d = OrderedSubset(normal(40, 7), 4)
    drawn = d.sample((30,), key=sd.Key(0))
    rows = d.relax(0.5, hard=True, sample_shape=(30,), key=sd.Key(0), method=method)
    assert torch.equal(rows.argmax(-1), drawn)
    torch.testing.assert_close(d.log_prob(rows), d.log_prob(drawn))
    soft = d.relax(0.5, sample_shape=(30,), key=sd.Key(0), method=method)
    torch.testing.assert_close(soft.sum(-1), torch.ones(30, 40, 4, dtype=WIDE))


@pytest.mark.parametrize("scale", [1.0, 10.0, 80.0])
@pytest.mark.parametrize(("n", "k"), [(6, 1), (6, 3), (6, 5), (6, 6), (5, 0)])
def test_sets_are_the_sum_of_their_orders(n, k, scale):
    exact = (normal(3, n) * scale).requires_grad_()
    all_sets, log_p = sets(exact, k)
    logits = exact.detach().clone().requires_grad_()
    d = OrderedSubset(logits, k)
    ours = d.set_log_prob(all_sets.unsqueeze(1))
    torch.testing.assert_close(ours, log_p, rtol=1e-8, atol=1e-8)
    means = (log_p.exp().unsqueeze(-1) * all_sets.unsqueeze(1)).sum(0)
    torch.testing.assert_close(d.marginals, means, rtol=0, atol=1e-8)
    if k == 0:
        return
    for one, other in ((ours, log_p), (d.marginals, means)):
        weight = normal(*other.shape, seed=1)
        gradients = [
            torch.autograd.grad((y * weight).sum(), x, retain_graph=True)[0]
            for y, x in ((one, logits), (other, exact))
        ]
        torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-7)


def test_marginals_of_equals_and_of_many():
    torch.testing.assert_close(OrderedSubset(torch.zeros(90), 20).marginals, torch.full((90,), 20 / 90))
    d = OrderedSubset(normal(1, 300), 15)
    torch.testing.assert_close(d.marginals.sum(-1), torch.tensor([15.0], dtype=WIDE), rtol=1e-9, atol=0)
    share = torch.zeros(4000, 300, dtype=WIDE).scatter(-1, d.sample((4000,), key=sd.Key(0))[:, 0], 1.0)
    error = (d.marginals[0] * (1 - d.marginals[0]) / 4000).sqrt()
    # 5.9 standard errors: a chance of 1e-6 over 300 items together
    assert bool(((share.mean(0) - d.marginals[0]).abs() < 5.9 * error + 1e-3).all())


def test_the_set_of_many_items_and_very_improbable_ones():
    logits = torch.cat((torch.full((5,), -200.0), torch.zeros(20))).double()
    d = OrderedSubset(logits, 5)
    far = torch.cat((torch.ones(5), torch.zeros(20))).double()
    # all five must come first: nearly 5! e^-1000 / 20^5
    wanted = math.lgamma(6) - 1000 - 5 * math.log(20)
    assert d.set_log_prob(far).item() == pytest.approx(wanted, rel=1e-9)
    d = OrderedSubset(normal(2, 100_000).float(), 50)
    drawn = d.sample(key=sd.Key(0))
    value = d.set_log_prob(torch.zeros(2, 100_000).scatter(-1, drawn, 1.0))
    order = d.log_prob(drawn)
    # 50 of 100,000 take little of the whole: all orders are nearly as probable
    assert bool((value - order - math.lgamma(51)).abs().max() < 0.05)


def test_fewer_items_than_k_are_all_drawn():
    mask = torch.tensor([[True, False, True, False], [True, True, True, True]])
    d = OrderedSubset(normal(2, 4).requires_grad_(), 3, mask=mask)
    drawn = d.sample((200,), key=sd.Key(0))
    assert bool((drawn[:, 0, 2] == -1).all())
    assert bool((drawn[:, 0, :2] >= 0).all())
    assert d.mode[0, 2] == -1
    two = OrderedSubset(d._logits[0, [0, 2]], 2)
    for order, value in (((0, 2, -1), (0, 1)), ((2, 0, -1), (1, 0))):
        wanted = two.log_prob(torch.tensor(value))
        got = OrderedSubset(d._logits[0], 3, mask=mask[0]).log_prob(torch.tensor(order))
        torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(d.marginals[0], torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=WIDE))
    assert d.set_log_prob(torch.tensor([[1, 0, 1, 0], [1, 1, 1, 0]]))[0] == 0
    assert d.relax(0.5, key=sd.Key(0))[0, 2].tolist() == [0.0] * 4
    assert d.log_prob(torch.tensor([0, 1, 2]))[0] == -math.inf
    (gradient,) = torch.autograd.grad(d.log_prob(drawn).sum() + d.marginals[:, 0].sum(), d._logits)
    assert bool(gradient.isfinite().all())
    assert not gradient[0, [1, 3]].any()


def test_a_ranking_of_many():
    logits = normal(100_000).float().requires_grad_()
    d = OrderedSubset(logits, 100_000)
    ranking = d.sample(key=sd.Key(0))
    assert torch.equal(ranking.sort().values, torch.arange(100_000))
    (gradient,) = torch.autograd.grad(d.log_prob(ranking), logits)
    assert bool(gradient.isfinite().all())
    assert gradient.sum().abs() < 1.0


def test_extreme_logits():
    d = OrderedSubset((normal(20, 8).sign() * 80).float().requires_grad_(), 8)
    log_p = d.log_prob(d.sample((50,), key=sd.Key(0)))
    assert bool(log_p.isfinite().all())
    assert d.log_prob(d.mode.flip(-1)).min() < -300
    (gradient,) = torch.autograd.grad(log_p.sum(), d._logits)
    assert bool(gradient.isfinite().all())


def test_a_row_of_padding_allows_nothing_that_is_listed():
    d = OrderedSubset(normal(2, 4), 2, mask=torch.tensor([[True], [False]]))
    log_p = d.log_prob(d.enumerate_support())
    assert bool((log_p[:, 1] == -math.inf).all())
    torch.testing.assert_close(log_p[:, 0].exp().sum(), torch.ones((), dtype=WIDE))


def test_errors():
    d = OrderedSubset(normal(2, 4), 2)
    for k in (-1, 5):
        with pytest.raises(ValueError, match=f"k: got {k}, expected an int from 0 to 4"):
            OrderedSubset(normal(4), k)
    for wrong in ([0, 0], [0, 4], [-1, 0], [0, -1]):
        with pytest.raises(ValueError, match="value: got 2 of 2 that are no orders"):
            d.log_prob(torch.tensor(wrong))
    with pytest.raises(ValueError, match="value: got 2 of 2 that are no orders"):
        d.log_prob(torch.full((2, 4), 0.5))
    with pytest.raises(ValueError, match="value: got a tensor of shape"):
        d.log_prob(torch.zeros(3, 4))
    with pytest.raises(ValueError, match="k_hot: got 2 of 2 rows"):
        d.set_log_prob(torch.tensor([1, 1, 1, 0]))
    with pytest.raises(ValueError, match="k_hot: got a tensor of shape"):
        d.set_log_prob(torch.tensor([1, 1, 0]))
    with pytest.raises(TypeError, match="k_hot: got"):
        d.set_log_prob([1, 1, 0, 0])
    with pytest.raises(ValueError, match="method: got 'other'"):
        d.relax(0.5, method="other")
    with pytest.raises(NotImplementedError, match="mean"):
        d.mean  # noqa: B018
