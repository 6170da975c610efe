"""The selector draws what ``relaxed_top_k`` draws, and picks k in eval mode."""

import pytest
import torch

import softdraw as sd

LOGITS = torch.linspace(-2, 2, 60).sin().mul(3).reshape(12, 5)


@pytest.mark.parametrize("method", ["entropic", "successive", "sparse"])
@pytest.mark.parametrize("hard", [False, True])
def test_training_is_the_relaxed_draw(method, hard):
    layer = sd.nn.SubsetSelector(2, tau=0.7, hard=hard, method=method)
    mask = torch.tensor([True, True, False, True, True])
    drawn = layer(LOGITS, mask=mask, key=sd.Key(1))
    expected = sd.relaxed_top_k(LOGITS, 2, 0.7, hard, method=method, mask=mask, key=sd.Key(1))
    assert torch.equal(drawn, expected)
    assert (drawn[:, 2] == 0).all()
    torch.testing.assert_close(drawn.sum(-1), torch.full((12,), 2.0))


def test_eval_picks_the_best_or_draws_without_replacement():
    layer = sd.nn.SubsetSelector(2).eval()
    assert torch.equal(layer(LOGITS).topk(2).indices.sort().values, LOGITS.topk(2).indices.sort().values)
    assert layer(LOGITS).sum(-1).tolist() == [2.0] * 12
    assert layer(torch.zeros(4)).tolist() == [1.0, 1.0, 0.0, 0.0]  # of equals the lower index
    few = layer(torch.tensor([1.0, -torch.inf, 0.5, 2.0]), mask=torch.tensor([True, True, True, False]))
    assert few.tolist() == [1.0, 0.0, 1.0, 0.0]
    drawn = sd.nn.SubsetSelector(2, evaluation="sample").eval()(LOGITS, key=sd.Key(3))
    index = sd.gumbel_top_k(LOGITS, 2, key=sd.Key(3))
    assert torch.equal(drawn, torch.zeros_like(LOGITS).scatter(-1, index, 1.0))


def test_wrong_arguments():
    for options, words in (
        ({"k": -1}, "k: got -1, expected an int >= 0"),
        ({"k": 2, "method": "soft"}, "method: got 'soft', expected one of 'entropic'"),
        ({"k": 2, "evaluation": "mean"}, "evaluation: got 'mean', expected one of 'mode', 'sample'"),
    ):
        with pytest.raises(ValueError, match=words):
            sd.nn.SubsetSelector(**options)
    for mode in (True, False):
        with pytest.raises(ValueError, match="k: got 6, expected an int from 0 to 5"):
            sd.nn.SubsetSelector(6).train(mode)(LOGITS)
