"""The quantizer: which vectors it joins, its perplexities and its report of dead codes."""

import warnings

import pytest
import torch

import softdraw as sd
from softdraw.nn import gumbel_vector_quantizer


def layer(**options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return sd.nn.GumbelVectorQuantizer(6, 8, groups=2, entries=5, **options)


X = torch.randn(4, 7, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("training", [True, False])
def test_the_chosen_vectors_are_joined(training):
    quantizer = layer().train(training)
    out = quantizer(X, key=sd.Key(0))
    assert out.quantized.shape == (4, 7, 8)
    assert out.indices.shape == (4, 7, 2)
    by_hand = torch.cat([quantizer.codebook[g][out.indices[..., g]] for g in range(2)], -1)
    torch.testing.assert_close(out.quantized, by_hand)
    logits = quantizer.projection(X).unflatten(-1, (2, 5))
    if training:
        assert torch.equal(out.indices, sd.gumbel_max(logits, key=sd.Key(0)))
    else:
        assert torch.equal(out.indices, logits.argmax(-1))


def test_perplexities_and_diversity_by_hand():
    quantizer = layer()
    out = quantizer(X, key=sd.Key(0))
    logits = quantizer.projection(X).unflatten(-1, (2, 5)).flatten(0, 1)
    mean = logits.softmax(-1).mean(0)
    expected = torch.exp(-(mean * mean.log()).sum(-1))
    torch.testing.assert_close(out.perplexity, expected)
    torch.testing.assert_close(out.diversity_loss, (10 - expected.sum()) / 10)
    share = torch.nn.functional.one_hot(logits.argmax(-1), 5).float().mean(0)
    codes = torch.exp(-(share * share.clamp_min(1e-30).log()).sum(-1))
    torch.testing.assert_close(out.code_perplexity, codes)
    assert not out.code_perplexity.requires_grad
    out.diversity_loss.backward()
    assert quantizer.projection.weight.grad.isfinite().all()


def test_the_default_schedule_is_that_of_the_paper():
    assert layer().choice.schedule.config() == {"start": 2.0, "floor": 0.5, "factor": 0.999995, "every": 1}
    assert layer(tau=0.7).tau == 0.7
    assert layer(estimator="reinmax").choice.schedule is None


def test_padding_counts_nowhere():
    quantizer = layer()
    mask = torch.ones(4, 7, dtype=torch.bool)
    mask[:, 5:] = False
    x = X.clone()
    x[:, 5:] = 100.0
    out = quantizer(x, mask=mask, key=sd.Key(0))
    assert (out.quantized[:, 5:] == 0).all()
    assert (out.indices[:, 5:] == -1).all()
    assert quantizer.usage().sum() == 4 * 5 * 2
    short = layer()(X[:, :5], key=sd.Key(0))
    torch.testing.assert_close(out.perplexity, short.perplexity)
    torch.testing.assert_close(out.diversity_loss, short.diversity_loss)


def test_dead_codes():
    quantizer = layer()
    assert quantizer.usage().sum() == 0
    with torch.no_grad():
        quantizer.projection.weight.zero_()
        quantizer.projection.bias.copy_(torch.tensor([0.0, 0, -60, 0, 0, 60, 0, 0, 0, 0]))
    for step in range(20):
        quantizer(X, key=sd.Key(step))
    assert quantizer.dead_codes().tolist() == [
        [False, False, True, False, False],
        [False, True, True, True, True],
    ]
    assert quantizer.usage().sum(-1).tolist() == [20 * 28.0] * 2
    assert quantizer.dead_codes(share=10.0).all()
    quantizer.eval()(X)
    assert quantizer.usage().sum() == 20 * 28 * 2
    quantizer.reset_usage()
    assert quantizer.usage().sum() == 0


def test_wrong_arguments():
    with pytest.raises(ValueError, match="code_dim: got 8, expected a multiple of groups = 3"):
        sd.nn.GumbelVectorQuantizer(6, 8, groups=3)
    with pytest.raises(ValueError, match=r"x: got .*\(2, 5\).*, expected shape \[\*batch, 6\]"):
        layer()(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"share: got -1\.0"):
        layer().dead_codes(-1.0)


@pytest.mark.parametrize("steps", [0, 1])
def test_a_default_temperature_that_stands_still_is_told_once(steps, monkeypatch):
    monkeypatch.setattr(gumbel_vector_quantizer, "_PASSES", 4)
    quantizer = layer()
    quantizer.schedule.step(7)  # as a checkpoint leaves it
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(12):
            quantizer.train()(X, key=sd.Key(0))
            quantizer.eval()(X)
            quantizer.schedule.step(steps)
            layer(tau=sd.schedules.Linear(2.0, 0.5, 10))(X, key=sd.Key(0))
    told = [str(w.message) for w in caught]
    assert len(told) == (0 if steps else 1)
    assert all("layer.schedule.step()" in text for text in told)
