"""``Subset``: what it alone promises."""

import math

import pytest
import torch

import softdraw as sd

from .laws import WIDE, normal

Subset = sd.structured.Subset


def test_one_item_is_the_one_hot_categorical():
    logits = normal(4, 6)
    ours, theirs = Subset(logits, 1), sd.distributions.OneHotCategorical(logits=logits)
    assert torch.equal(ours.sample((50,), key=sd.Key(0)), theirs.sample((50,), key=sd.Key(0)))
    torch.testing.assert_close(ours.marginals, theirs.probs)
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    support = theirs.enumerate_support()
    torch.testing.assert_close(ours.log_prob(support), theirs.log_prob(support))
    assert torch.equal(ours.mode, theirs.mode)


def test_covariance_is_that_of_all_subsets_and_has_a_gradient():
    logits = normal(2, 5).requires_grad_()
    d = Subset(logits, 2)
    support = d.enumerate_support()
    p = d.log_prob(support).exp()
    means = torch.einsum("sb,sbi->bi", p, support)
    exact = torch.einsum("sb,sbi,sbj->bij", p, support, support) - means[:, :, None] * means[:, None]
    torch.testing.assert_close(d.covariance, exact, rtol=0, atol=1e-10)
    direction = normal(2, 5, seed=1)
    product = (exact @ direction.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(d.covariance_product(direction), product, rtol=0, atol=1e-10)
    weight = normal(2, 5, 5, seed=2)
    ours, theirs = (torch.autograd.grad((c * weight).sum(), logits)[0] for c in (d.covariance, exact))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8)


@pytest.mark.parametrize("scale", [80.0, 1e4])
def test_extreme_logits(scale):
    logits = (normal(20, 12).sign() * scale).float().requires_grad_()
    d = Subset(logits, 5)
    p = d.log_prob(d.enumerate_support()).exp()
    torch.testing.assert_close(p.sum(0), torch.ones(20), rtol=0, atol=1e-4)
    torch.testing.assert_close(d.marginals.sum(-1), torch.full((20,), 5.0))
    (gradient,) = torch.autograd.grad(d.entropy().sum() + d.log_partition.sum(), logits)
    assert bool(gradient.isfinite().all())
    drawn = d.sample((5,), key=sd.Key(0))
    assert bool((drawn.sum(-1) == 5).all())
    assert bool(d.log_prob(drawn).isfinite().all())


def test_a_constant_changes_nothing():
    logits = normal(3, 6)
    one, other = Subset(logits, 2), Subset(logits + 1e6, 2)
    torch.testing.assert_close(one.marginals, other.marginals, rtol=0, atol=1e-8)
    torch.testing.assert_close(one.entropy(), other.entropy(), rtol=0, atol=1e-8)


def test_a_mask_that_leaves_exactly_k():
    mask = torch.tensor([[True, False, True, False], [True, True, True, False]])
    d = Subset(normal(2, 4).requires_grad_(), 2, mask=mask)
    assert d.marginals[0].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert bool((d.sample((9,), key=sd.Key(0))[:, 0] == d.marginals[0]).all())
    assert d.entropy()[0].abs() < 1e-12
    assert d.log_prob(d.enumerate_support()).exp().sum(0).tolist() == pytest.approx([1.0, 1.0])
    assert d.log_prob(torch.tensor([1.0, 0.0, 0.0, 1.0])).tolist() == [-math.inf, -math.inf]
    with pytest.raises(ValueError, match="logits: got 1 rows with fewer than k = 3 items"):
        Subset(normal(2, 4), 3, mask=mask)


def test_many_items():
    """100,000 items in memory that does not hold n k numbers."""
    n, k = 100_000, 10
    logits = normal(1, n).float().requires_grad_()
    d = Subset(logits, k)
    torch.testing.assert_close(d.marginals.sum(), torch.tensor(float(k)), rtol=1e-5, atol=0)
    assert d.sample(key=sd.Key(0)).sum() == k
    assert d.mode.sum() == k
    torch.testing.assert_close(torch.autograd.grad(d.log_partition.sum(), logits)[0], d.marginals)
    with pytest.raises(ValueError, match=r"enumerate_support: got .* expected at most 1048576"):
        d.enumerate_support()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, WIDE])
@pytest.mark.parametrize(("n", "k"), [(2, 1), (5, 4), (40, 20), (60, 3)])
def test_inclusion_probabilities_are_met(n, k, dtype):
    wanted = (normal(3, n, seed=k) * 3).sigmoid()
    for _ in range(200):  # clipped and scaled until the sums are k
        wanted = (wanted * k / wanted.sum(-1, keepdim=True)).clamp(max=0.999)
    d = Subset.with_inclusion(wanted.to(dtype))
    assert d.k == k
    assert d.marginals.dtype == dtype
    tolerance = {torch.float16: 3e-3, torch.float32: 1e-5, WIDE: 1e-10}[dtype]
    torch.testing.assert_close(d.marginals.to(WIDE), wanted, rtol=0, atol=tolerance)


def test_inclusion_of_what_is_certain():
    wanted = torch.tensor([[1.0, 0.0, 0.4, 0.6], [0.5, 0.5, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]], dtype=WIDE)
    d = Subset.with_inclusion(wanted)
    torch.testing.assert_close(d.marginals, wanted, rtol=0, atol=1e-10)
    for wrong, text in (
        (torch.tensor([0.5, 0.3]), "probs: got rows with sums such as"),
        (torch.tensor([1.5, 0.5]), r"probs: got a tensor .* expected values from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=text):
            Subset.with_inclusion(wrong)


def test_a_row_of_padding_allows_nothing_that_is_listed():
    d = Subset(normal(2, 4), 2, mask=torch.tensor([[True], [False]]))
    log_p = d.log_prob(d.enumerate_support())
    assert bool((log_p[:, 1] == -math.inf).all())
    torch.testing.assert_close(log_p[:, 0].exp().sum(), torch.ones((), dtype=WIDE))


def test_errors_of_arguments():
    for k in (-1, 5):
        with pytest.raises(ValueError, match=f"k: got {k}, expected an int from 0 to 4"):
            Subset(normal(4), k)
    with pytest.raises(TypeError, match=r"k: got 2\.0"):
        Subset(normal(4), 2.0)
    with pytest.raises(TypeError, match="logits: got"):
        Subset(torch.arange(4), 2)
    with pytest.raises(TypeError, match="mask: got"):
        Subset(normal(4), 2, mask=torch.ones(4))
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="logits: got values such as"):
            Subset(torch.tensor([bad, 0.0, 1.0]), 2)
    with pytest.raises(ValueError, match="method: got 'other'"):
        Subset(normal(4), 2).relax(0.5, method="other")


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own
def test_forward_mode_and_higher_derivatives_by_func():
    logits, direction = normal(5), normal(5, seed=1)
    value, slope = torch.func.jvp(lambda x: Subset(x, 2).log_partition, (logits,), (direction,))
    d = Subset(logits, 2)
    torch.testing.assert_close(value, d.log_partition)
    torch.testing.assert_close(slope, (d.marginals * direction).sum())
    hessian = torch.func.jacrev(torch.func.grad(lambda x: Subset(x, 2).log_partition))(logits)
    torch.testing.assert_close(hessian, d.covariance, rtol=0, atol=1e-10)
    forward = torch.func.jacfwd(lambda x: Subset(x, 2).marginals)(logits)
    torch.testing.assert_close(forward, d.covariance, rtol=0, atol=1e-10)
