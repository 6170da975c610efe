"""Trees: the relaxation of the law in training, its mode, draws or marginals in eval mode."""

import pytest
import torch

import softdraw as sd

LOGITS = torch.linspace(-2, 2, 48).mul(7).sin().mul(2).reshape(3, 4, 4)
EVEN = 0.5 * (LOGITS + LOGITS.mT)


def law(directed, logits=LOGITS, **options):
    if directed:
        return sd.structured.Arborescence(logits, 2, **options)
    return sd.structured.SpanningTree(0.5 * (logits + logits.mT), **options)


def layer(directed, *arguments, **options):
    return sd.nn.LatentTree(*arguments, directed=directed, root=2 if directed else 0, **options)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("directed", [False, True])
def test_training_is_the_relaxation_of_the_law(directed, hard):
    x = LOGITS.clone().requires_grad_()
    drawn = layer(directed, 0.6, hard=hard)(x, key=sd.Key(1))
    expected = law(directed, x).relax(0.6, hard=hard, key=sd.Key(1))
    torch.testing.assert_close(drawn, expected)
    edges = 3.0 if directed else 6.0
    torch.testing.assert_close(drawn.sum((-2, -1)), torch.full((3,), edges))
    upstream = torch.linspace(-1, 2, 48).reshape(3, 4, 4)
    grads = [torch.autograd.grad((y * upstream).sum(), x)[0] for y in (drawn, expected)]
    torch.testing.assert_close(*grads)
    assert (grads[0] != 0).any()


@pytest.mark.parametrize("directed", [False, True])
def test_eval_mode_is_the_mode_a_draw_or_the_marginals(directed):
    d = law(directed)
    trees = d.enumerate_support()
    best = trees.gather(0, d.log_prob(trees).argmax(0)[None, :, None, None].expand(1, 3, 4, 4))[0]
    assert torch.equal(layer(directed).eval()(LOGITS), best)
    marginals = (d.log_prob(trees).exp()[..., None, None] * trees).sum(0)
    torch.testing.assert_close(layer(directed, evaluation="mean").eval()(LOGITS), marginals)
    drawn = layer(directed, evaluation="sample").eval()(LOGITS, key=sd.Key(2))
    assert torch.equal(drawn, d.sample(key=sd.Key(2)))
    torch.testing.assert_close(layer(directed).distribution(LOGITS).entropy(), d.entropy())


def test_an_edge_needs_both_entries_without_directions():
    mask = torch.ones(4, 4, dtype=torch.bool)
    mask[0, 1] = False  # one way alone
    for one in (sd.nn.LatentTree(0.5), sd.nn.LatentTree().eval()):
        drawn = one(LOGITS, mask=mask, key=sd.Key(0))
        assert not drawn[:, 0, 1].any()
        assert not drawn[:, 1, 0].any()
        torch.testing.assert_close(drawn, drawn.mT)
    padded = sd.nn.LatentTree().eval()(LOGITS, mask=torch.arange(4) < 3)
    assert not padded[:, 3].any()
    assert torch.equal(padded[:, :3, :3], sd.nn.LatentTree().eval()(LOGITS[:, :3, :3]))


def test_wrong_arguments():
    for options, words in (
        ({"root": 1}, "root: got 1, expected 0 without directed=True"),
        ({"root": -1, "directed": True}, "root: got -1, expected an int >= 0"),
        ({"evaluation": "argmax"}, "evaluation: got 'argmax', expected one of 'mode', 'sample', 'mean'"),
    ):
        with pytest.raises(ValueError, match=words):
            sd.nn.LatentTree(**options)
    with pytest.raises(ValueError, match="root: got 4, expected an int from 0 to 3"):
        sd.nn.LatentTree(root=4, directed=True)(LOGITS)
    with pytest.raises(ValueError, match=r"edge_logits: got .*\(3, 4\).*, expected shape"):
        sd.nn.LatentTree()(LOGITS[0, :3])
