import itertools
import math
import warnings

import pytest
import torch

import softdraw as sd

WIDE = torch.float64


def normal(*shape, seed=0, dtype=WIDE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def zeros(*shape):
    return torch.zeros(shape, dtype=WIDE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, WIDE])
@pytest.mark.parametrize(("n", "m"), [(4, 4), (3, 6), (6, 3), (1, 1), (1, 5), (5, 1)])
def test_rows_and_columns(n, m, dtype):
    y, error = sd.gumbel_sinkhorn(normal(7, n, m, dtype=dtype), 0.5, key=sd.Key(0), return_error=True)
    assert (y.dtype, y.shape, error.shape) == (dtype, (7, n, m), (7,))
    assert (error <= 1e-3).all()
    slack = 1e-3 + 4 * torch.finfo(dtype).eps * max(n, m)
    long, short = (y.sum(-1), y.sum(-2)) if n <= m else (y.sum(-2), y.sum(-1))
    assert ((long - 1).abs() <= slack).all()
    assert (short <= 1 + slack).all()
    assert (y >= 0).all()


def test_twenty_iterations_are_not_enough_and_the_tolerance_is_kept():
    scores = normal(20, 50, 50)
    with pytest.warns(RuntimeWarning, match="off by up to .* after 20 iterations"):
        _, error = sd.gumbel_sinkhorn(scores, 0.1, key=sd.Key(0), max_iterations=20, return_error=True)
    assert error.median() > 0.1
    y, error = sd.gumbel_sinkhorn(scores, 0.1, key=sd.Key(0), return_error=True)
    assert (error <= 1e-3).all()
    torch.testing.assert_close((y.sum(-1) - 1).abs().amax(-1), error)


def test_limit_of_low_and_of_high_temperature():
    scores, key = normal(50, 4, 4), sd.Key(1)
    perturbed = scores + sd.random.gumbel(scores.shape, key=key, dtype=WIDE)
    orders = torch.tensor(list(itertools.permutations(range(4))))
    matchings = torch.eye(4, dtype=WIDE)[orders]
    best = matchings[torch.einsum("pij,bij->bp", matchings, perturbed).argmax(-1)]
    hard = sd.gumbel_sinkhorn(scores, 1.0, hard=True, key=key)
    assert torch.equal(hard, best)
    assert torch.equal(sd.gumbel_sinkhorn(scores, 0.0, key=key), best)
    per_matrix = torch.linspace(0.0, 1.0, 50, dtype=WIDE).round()
    assert torch.equal(sd.gumbel_sinkhorn(scores, per_matrix, key=key)[:25], best[:25])
    uniform = sd.gumbel_sinkhorn(scores, math.inf, key=key)
    torch.testing.assert_close(uniform, torch.full_like(uniform, 0.25))


@pytest.mark.parametrize(("n", "m"), [(3, 3), (2, 4), (4, 2)])
def test_gradient_of_the_limit_to_scores_tau_and_noise(n, m):
    scores, noise = normal(2, n, m).requires_grad_(), normal(2, n, m, seed=1).requires_grad_()
    tau = torch.tensor([0.7, 1.3], dtype=WIDE, requires_grad=True)

    def limit(scores, tau, noise):
        return sd.gumbel_sinkhorn(scores, tau, noise=noise, tolerance=1e-13)

    torch.autograd.gradcheck(limit, (scores, tau, noise))
    torch.autograd.gradgradcheck(limit, (scores, tau, noise))


def test_gradient_is_that_of_five_thousand_iterations():
    scores, weight = normal(5, 6, 6).requires_grad_(), normal(5, 6, 6, seed=1)
    x = scores / 0.3
    for _ in range(5000):
        x = x - x.logsumexp(-1, keepdim=True)
        x = x - x.logsumexp(-2, keepdim=True)
    y = sd.gumbel_sinkhorn(scores, 0.3, noise=zeros(6, 6), tolerance=1e-13)
    torch.testing.assert_close(y, x.exp(), rtol=0, atol=1e-9)
    ours, theirs = (torch.autograd.grad((one * weight).sum(), scores)[0] for one in (y, x.exp()))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-8)


def test_hard_has_the_gradient_of_soft():
    scores = normal(3, 4, 5).requires_grad_()
    weight = normal(3, 4, 5, seed=1)
    soft, hard = (sd.gumbel_sinkhorn(scores, 0.8, one, key=sd.Key(0)) for one in (False, True))
    assert set(hard.flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(*(torch.autograd.grad((one * weight).sum(), scores)[0] for one in (soft, hard)))


def test_padding_is_matched_as_if_it_were_not_there():
    scores, noise = normal(4, 5, 6).requires_grad_(), normal(4, 5, 6, seed=1)
    mask = torch.ones(5, 6, dtype=torch.bool)
    mask[3:], mask[:, 4:] = False, False
    y = sd.gumbel_sinkhorn(scores, 0.5, mask=mask, noise=noise, tolerance=1e-12)
    inner = sd.gumbel_sinkhorn(scores[:, :3, :4], 0.5, noise=noise[:, :3, :4], tolerance=1e-12)
    torch.testing.assert_close(y[:, :3, :4], inner)
    assert not y[:, 3:].any()
    assert not y[:, :, 4:].any()
    (gradient,) = torch.autograd.grad(y.square().sum(), scores)
    assert not gradient[:, 3:].any()
    assert torch.isfinite(gradient).all()
    hard = sd.gumbel_sinkhorn(scores, 0.5, True, mask=mask, noise=noise)
    assert not hard[:, 3:].any()
    assert torch.equal(hard.sum((-2, -1)), torch.full((4,), 3.0, dtype=WIDE))
    none = torch.zeros(5, 6, dtype=torch.bool)
    assert not sd.gumbel_sinkhorn(scores, 0.5, mask=none, key=sd.Key(0)).any()


def test_nan_and_infinity_reach_their_matrix_only():
    scores = normal(3, 3, 3)
    scores[1, 0, 0], scores[2, 1, 1] = math.nan, math.inf
    for hard in (False, True):
        y = sd.gumbel_sinkhorn(scores, 0.7, hard, key=sd.Key(0))
        assert torch.isfinite(y[0]).all()
        assert y[1:].isnan().all()


@pytest.mark.parametrize("shift", [2.0**18, -(2.0**18)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_changes_nothing(dtype, shift):
    # Multiples of 1/32, which float32 has beside 2^18: noise that is added there would be rounded to them.
    scores = (normal(2, 4, 4) * 32).round().to(dtype) / 32
    for hard in (False, True):
        torch.testing.assert_close(
            sd.gumbel_sinkhorn(scores + shift, 0.5, hard, key=sd.Key(0)),
            sd.gumbel_sinkhorn(scores, 0.5, hard, key=sd.Key(0)),
            rtol=0,
            atol=1e-6,
        )


def test_scores_of_opposite_extremes_are_finite():
    top = torch.finfo(torch.float32).max
    scores = torch.tensor([[top, -top], [-top, top]])
    assert torch.equal(sd.gumbel_sinkhorn(scores, 0.5, key=sd.Key(0)), torch.eye(2))


def test_finite_at_any_temperature_and_scale():
    for tau in (1e-30, 1e-3, 1e3, 1e30):
        for scale in (1e-3, 1e3, 1e30):
            scores = (normal(5, 4, 4) * scale).requires_grad_()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                y = sd.gumbel_sinkhorn(scores, tau, key=sd.Key(0), max_iterations=50)
            assert torch.isfinite(y).all()
            assert not torch.autograd.grad(y.square().sum(), scores)[0].isnan().any()


def test_chunks_of_a_batch_draw_what_the_whole_does():
    scores, key = normal(4, 3, 5), sd.Key(3)
    whole = sd.gumbel_sinkhorn(scores, key=key)
    parts = [sd.gumbel_sinkhorn(scores[i : i + 2], key=key.rows(3 * i)) for i in (0, 2)]
    assert torch.equal(whole, torch.cat(parts))


def test_compile_and_vmap():
    scores = normal(3, 4, 4).requires_grad_()

    def draw(scores):
        return sd.gumbel_sinkhorn(scores, 0.5, True, key=sd.Key(0))

    compiled = torch.compile(draw, fullgraph=True, backend="aot_eager")
    weight = normal(4, seed=1)
    results = []
    for function in (draw, compiled):
        y = function(scores)
        results += [y, torch.autograd.grad((y * weight).sum(), scores)[0]]
    assert torch.equal(results[0], results[2])
    torch.testing.assert_close(results[1], results[3])
    each = torch.func.vmap(lambda one: sd.gumbel_sinkhorn(one, 0.5, noise=zeros(4, 4)))(scores.detach())
    torch.testing.assert_close(each, sd.gumbel_sinkhorn(scores.detach(), 0.5, noise=zeros(4, 4)))


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"scores": torch.zeros(3)}, ValueError, "scores: got a tensor of shape"),
        ({"scores": torch.zeros(2, 2, dtype=torch.int64)}, TypeError, "scores: got a tensor"),
        ({"tau": -1.0}, ValueError, "tau: got -1"),
        ({"tau": torch.ones(4, 4)}, ValueError, "tau: got a tensor of shape"),
        ({"tolerance": 0.0}, ValueError, "tolerance: got 0"),
        ({"max_iterations": 0}, ValueError, "max_iterations: got 0"),
        ({"mask": torch.ones(2, 2)}, TypeError, "mask: got"),
        ({"noise": torch.zeros(2, 2), "key": sd.Key(0)}, ValueError, "key and noise: got both"),
    ],
)
def test_errors_name_the_argument(kwargs, error, text):
    with pytest.raises(error, match=text):
        sd.gumbel_sinkhorn(**({"scores": torch.zeros(2, 2)} | kwargs))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("shape", [(5, 5), (2, 3, 7), (2, 7, 3), (3, 1, 1), (1, 6)], ids=str)
@pytest.mark.parametrize("tau", [1.0, 0.05, 1e6])
def test_a_mask_of_true_changes_nothing(shape, dtype, tau):
    """Without a mask and with finite scores fewer operations lead to the same."""
    scores = (torch.randn(shape, generator=torch.Generator().manual_seed(3)) * 4 + 100).to(dtype)
    everything = torch.ones(shape, dtype=torch.bool)
    found = []
    for mask in (None, everything):
        x = scores.clone().requires_grad_()
        y, error = sd.gumbel_sinkhorn(x, tau, mask=mask, key=sd.Key(4), return_error=True)
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(5)).to(dtype)
        (grad,) = torch.autograd.grad((y * weight).sum(), x)
        found.append((y, error, grad * min(tau, 1.0)))
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=1e-5, atol=2e-6)


def test_scores_of_every_size_are_matched():
    """Their differences overflow float32."""
    scores = torch.tensor([[3e38, -3e38], [0.0, 0.0]])
    y = sd.gumbel_sinkhorn(scores, 0.5, key=sd.Key(0))
    torch.testing.assert_close(y, torch.eye(2), rtol=0, atol=2e-3)
