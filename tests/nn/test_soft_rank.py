"""Ranks and sorted values: exact in eval mode, between 1 and n in training, and differentiable."""

import pytest
import torch

import softdraw as sd

SCORES = torch.linspace(-2, 2, 60).mul(7).sin().mul(2).reshape(12, 5)
EXACT = SCORES.argsort(-1, descending=True).argsort(-1) + 1.0


@pytest.mark.parametrize("method", ["softsort", "neuralsort"])
def test_eval_mode_and_the_limit_are_exact(method):
    for layer in (
        sd.nn.SoftRank(0.3, method=method).eval(),
        sd.nn.SoftRank(1e-4, method=method),
        sd.nn.SoftRank(0.3, method=method, hard=True),
    ):
        out = layer(SCORES)
        torch.testing.assert_close(out.ranks, EXACT)
        torch.testing.assert_close(out.values, SCORES.sort(-1, descending=True).values)


@pytest.mark.parametrize("tau", [0.0, 0.1, 1.0, 30.0, float("inf")])
@pytest.mark.parametrize("method", ["softsort", "neuralsort"])
def test_ranks_lie_between_1_and_n_and_follow_the_order(method, tau):
    out = sd.nn.SoftRank(tau, method=method)(SCORES)
    assert (out.ranks >= 1 - 1e-5).all()
    assert (out.ranks <= 5 + 1e-5).all()
    by_rank = out.ranks.gather(-1, SCORES.argsort(-1, descending=True))
    assert (by_rank.diff(dim=-1) >= -1e-5).all()


@pytest.mark.parametrize("options", [{}, {"method": "neuralsort"}, {"hard": True}, {"noise": True}])
def test_gradients(options):
    soft = sd.nn.SoftRank(0.8, **(options | {"hard": False}))
    x = SCORES[:3].double().requires_grad_()
    if "hard" not in options:
        assert torch.autograd.gradcheck(lambda s: soft(s, key=sd.Key(0))[:2], (x,))
    weight = torch.linspace(-1, 2, 15, dtype=torch.float64).reshape(3, 5)
    hard = sd.nn.SoftRank(0.8, **(options | {"hard": True}))
    rows = [layer(x, key=sd.Key(0)).permutation for layer in (soft, hard)]
    grads = [torch.autograd.grad((p * weight.unsqueeze(-1)).sum(), x)[0] for p in rows]
    torch.testing.assert_close(*grads)
    assert (grads[0] != 0).any()


def test_masked_items_have_no_rank_and_move_no_other():
    mask = torch.tensor([True, False, True, True, False])
    for layer in (sd.nn.SoftRank(0.4), sd.nn.SoftRank(0.4, method="neuralsort"), sd.nn.SoftRank().eval()):
        whole, part = layer(SCORES, mask=mask), layer(SCORES[:, mask])
        assert (whole.ranks[:, ~mask] == 0).all()
        torch.testing.assert_close(whole.ranks[:, mask], part.ranks)
        torch.testing.assert_close(whole.values[:, :3], part.values)
        assert (whole.values[:, 3:] == 0).all()
        nothing = layer(SCORES, mask=torch.zeros(5, dtype=torch.bool))
        assert not any(t.any() for t in nothing)


def test_noise_draws_the_order_of_gumbel_top_k():
    out = sd.nn.SoftRank(0.0, noise=True)(SCORES, key=sd.Key(5))
    order = sd.gumbel_top_k(SCORES, 5, key=sd.Key(5))
    assert torch.equal(out.permutation.argmax(-1), order)
    assert torch.equal(out.ranks.argsort(-1), order)
    torch.testing.assert_close(out.values, SCORES.gather(-1, order))  # the scores themselves, without noise
    with pytest.raises(ValueError, match="method: got 'quick', expected one of 'softsort', 'neuralsort'"):
        sd.nn.SoftRank(method="quick")
