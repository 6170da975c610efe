"""GumbelEmbedding: what it shares, what it draws, what eval mode returns."""

import copy
import pickle

import pytest
import torch
from torch import nn

import softdraw as sd

from ..statistics import assert_frequencies

KEY = sd.Key(2)


def states(rows=5, features=6):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(0), requires_grad=True)


def test_training_is_the_function():
    layer = sd.nn.GumbelEmbedding(30, 6, tau=0.7)
    hidden = states()
    table = layer.weight
    expected = sd.vocabulary.gumbel_softmax(hidden, table, table, 0.7, True, key=KEY, return_index=True)
    got = layer(hidden, key=KEY, return_index=True)
    assert torch.equal(got.value, expected.value)
    assert torch.equal(got.index, expected.index)
    assert torch.equal(layer(hidden, key=KEY), expected.value)
    grads = [torch.autograd.grad(one.value.square().sum(), (hidden, table)) for one in (got, expected)]
    for one, two in zip(*grads, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("estimator", ["st-gumbel-softmax", "st", "reinmax", "entropy-weighted"])
def test_estimators_have_their_own_temperatures(estimator):
    layer = sd.nn.GumbelEmbedding(30, 6, estimator=estimator)
    own = 1.0 if estimator == "entropy-weighted" else sd.estimators.get(estimator).tau
    assert layer.tau == own
    expected = sd.vocabulary.gumbel_softmax(
        states(), layer.weight, layer.weight, own, True, estimator=estimator, key=KEY
    )
    assert torch.equal(layer(states(), key=KEY), expected)
    assert sd.nn.GumbelEmbedding(30, 6, hard=False).tau == 1.0


def test_a_shared_parameter_stays_one():
    emb = nn.Embedding(30, 6)
    for weight in (emb, emb.weight):
        layer = sd.nn.GumbelEmbedding(weight=weight)
        assert layer.weight is layer.embedding is emb.weight
        assert [name for name, _ in layer.named_parameters()] == ["head.weight"]
        assert list(layer.state_dict()) == ["head.weight"]
        model = nn.ModuleList([emb, layer])
        assert len(list(model.parameters())) == 1
        twin = copy.deepcopy(model)
        assert twin[1].weight is twin[0].weight is not emb.weight
        twin = pickle.loads(pickle.dumps(model)).double()
        assert twin[1].weight is twin[0].weight
        twin.load_state_dict(model.state_dict())
        value = layer(states(), key=KEY)
        emb.weight.grad = None
        value.sum().backward()
        assert emb.weight.grad.abs().sum() > 0


def test_a_module_that_gets_another_parameter_is_followed():
    emb = nn.Embedding(30, 6)
    layer = sd.nn.GumbelEmbedding(weight=emb)
    emb.weight = nn.Parameter(torch.ones(30, 6))
    assert layer.weight is emb.weight


def test_a_head_with_a_bias_and_another_table():
    head, emb = nn.Linear(6, 30), nn.Embedding(30, 4)
    layer = sd.nn.GumbelEmbedding(weight=head, embedding=emb, tau=0.7, estimator="reinmax")
    expected = sd.vocabulary.gumbel_softmax(
        states(), head.weight, emb.weight, 0.7, True, bias=head.bias, estimator="reinmax", key=KEY
    )
    got = layer(states(), key=KEY)
    assert torch.equal(got, expected)
    got.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in (head.weight, head.bias, emb.weight))
    assert {name for name, _ in layer.named_parameters()} == {"head.weight", "head.bias", "table.weight"}


def test_a_tensor_does_not_learn():
    layer = sd.nn.GumbelEmbedding(weight=torch.randn(30, 6), embedding=torch.randn(30, 2))
    assert not list(layer.parameters())
    assert list(layer.state_dict()) == ["head.weight", "table.weight"]
    hidden = states()
    layer(hidden, key=KEY).sum().backward()
    assert hidden.grad.abs().sum() > 0


def test_eval_mode_returns_the_best_a_draw_or_the_mean():
    head, emb = nn.Linear(6, 500), nn.Embedding(500, 4)
    hidden = states(40)
    logits = head(hidden)
    mask = torch.rand(40, 500, generator=torch.Generator().manual_seed(1)) < 0.5
    mask[3] = False
    for allowed in (None, mask):
        layer = sd.nn.GumbelEmbedding(weight=head, embedding=emb).eval()
        value, index = layer(hidden, mask=allowed, return_index=True)
        best = logits if allowed is None else logits.masked_fill(~allowed, -torch.inf)
        expected = best.argmax(-1) if allowed is None else torch.where(allowed.any(-1), best.argmax(-1), -1)
        assert torch.equal(index, expected)
        rows = torch.where((index < 0).unsqueeze(-1), 0.0, emb.weight[index.clamp(min=0)])
        assert torch.equal(value, rows)
        layer = sd.nn.GumbelEmbedding(weight=head, embedding=emb, evaluation="mean").eval()
        probs = sd.nn.Choice(evaluation="mean").eval()(logits, mask=allowed)
        torch.testing.assert_close(layer(hidden, mask=allowed), probs @ emb.weight, rtol=1e-5, atol=1e-6)
        layer = sd.nn.GumbelEmbedding(weight=head, embedding=emb, evaluation="sample").eval()
        value, index = layer(hidden, mask=allowed, key=KEY, return_index=True)
        assert torch.equal(index, sd.gumbel_max(logits, mask=allowed, key=KEY))
    # the drawn row learns, the hidden state does not
    grads = torch.autograd.grad(value.sum(), (hidden, emb.weight), allow_unused=True)
    assert grads[0] is None
    assert (grads[1].sum(-1) != 0).sum() == index[index >= 0].unique().numel()
    layer = sd.nn.GumbelEmbedding(weight=head, embedding=emb, evaluation="mean").eval()
    grads = torch.autograd.grad(layer(hidden).sum(), (hidden, emb.weight))
    plain = torch.autograd.grad((head(hidden).softmax(-1) @ emb.weight).sum(), (hidden, emb.weight))
    for one, two in zip(grads, plain, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_draws_have_the_law_of_the_logits():
    layer = sd.nn.GumbelEmbedding(weight=torch.eye(4))
    logits = torch.tensor([2.0, 0.0, -1.0, 0.5]).expand(40_000, 4)
    tokens = layer(logits, key=KEY, return_index=True).index
    assert_frequencies(tokens.bincount(minlength=4), logits[0].softmax(-1))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, TypeError, "classes: got None, expected an int"),
        (
            {"classes": 3, "weight": torch.zeros(3, 2)},
            ValueError,
            "classes: got 3, expected None beside weight",
        ),
        ({"weight": nn.Conv1d(1, 1, 1)}, TypeError, "weight: got .*expected an nn.Linear or an nn.Embedding"),
        (
            {"weight": torch.zeros(3, 2), "embedding": nn.Linear(3, 2)},
            TypeError,
            "embedding: got .*expected an nn.Embedding, a parameter",
        ),
        (
            {"weight": torch.zeros(3, 2), "tau": sd.schedules.Adaptive(1.0)},
            ValueError,
            "tau: got Adaptive.*expected another schedule",
        ),
        ({"weight": torch.zeros(3, 2), "estimator": "gapped-st"}, ValueError, "estimator: got 'gapped-st'"),
        (
            {"weight": torch.zeros(3, 2), "estimator": "st", "hard": False},
            ValueError,
            "estimator: got 'st', expected 'st-gumbel-softmax' beside hard=False",
        ),
        ({"weight": torch.zeros(3, 2), "evaluation": "best"}, ValueError, "evaluation: got 'best'"),
        ({"weight": torch.zeros(3, 2), "tau": -1.0}, ValueError, "tau: got -1.0"),
    ],
)
def test_what_is_wrong_is_named(options, error, text):
    with pytest.raises(error, match=text):
        sd.nn.GumbelEmbedding(**options)
