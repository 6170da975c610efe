"""Matchings: those of ``gumbel_sinkhorn`` in training, the best of all in eval mode."""

import itertools
import math

import pytest
import torch

import softdraw as sd

SCORES = torch.linspace(-2, 2, 64).mul(9).sin().mul(2).reshape(4, 4, 4)


def test_training_is_gumbel_sinkhorn():
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[3], mask[:, 3] = False, False
    for hard in (False, True):
        layer = sd.nn.SinkhornMatching(0.5, hard=hard, tolerance=1e-5)
        drawn = layer(SCORES, mask=mask, key=sd.Key(2))
        expected = sd.gumbel_sinkhorn(SCORES, 0.5, hard, tolerance=1e-5, mask=mask, key=sd.Key(2))
        assert torch.equal(drawn, expected)
        assert not drawn[:, 3].any()
        assert not drawn[:, :, 3].any()
    quiet = sd.nn.SinkhornMatching(0.5, noise=False)(SCORES)
    assert torch.equal(quiet, sd.gumbel_sinkhorn(SCORES, 0.5, noise=torch.zeros(())))


def test_eval_is_the_best_of_all_matchings():
    found = sd.nn.SinkhornMatching().eval()(SCORES)
    rows = torch.arange(4)
    for matrix, one in zip(SCORES, found, strict=True):
        best = max(itertools.permutations(range(4)), key=lambda p: matrix[rows, list(p)].sum().item())
        assert one.nonzero()[:, 1].tolist() == list(best)
    wide = sd.nn.SinkhornMatching().eval()(SCORES[:, :2])
    assert wide.sum(-1).tolist() == [[1.0, 1.0]] * 4
    drawn = sd.nn.SinkhornMatching(evaluation="sample").eval()(SCORES, key=sd.Key(4))
    noisy = SCORES + sd.random.gumbel(SCORES.shape, key=sd.Key(4))
    assert torch.equal(drawn, sd.nn.SinkhornMatching().eval()(noisy))
    assert not torch.equal(drawn, found)


def test_forbidden_pairs_and_nan_in_eval_mode():
    scores = SCORES[:2].clone()
    scores[0, 0] = torch.tensor([-math.inf, -math.inf, 5.0, -math.inf])
    scores[1, 2, 1] = math.nan
    found = sd.nn.SinkhornMatching().eval()(scores)
    assert found[0, 0].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert found[0].sum(0).tolist() == [1.0] * 4
    assert found[1].isnan().all()


def test_wrong_arguments():
    for options, words in (
        ({"tolerance": 0.0}, r"tolerance: got 0\.0, expected a number > 0"),
        ({"max_iterations": 0}, "max_iterations: got 0, expected an int >= 1"),
        ({"evaluation": "argmax"}, "evaluation: got 'argmax', expected one of 'mode', 'sample'"),
    ):
        with pytest.raises(ValueError, match=words):
            sd.nn.SinkhornMatching(**options)
