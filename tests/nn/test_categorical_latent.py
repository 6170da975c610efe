"""The latent's KL and perplexity, in closed form."""

import math

import pytest
import torch

import softdraw as sd

LOGITS = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0))


def test_shapes_and_both_forms_of_the_logits():
    layer = sd.nn.CategoricalLatent(3, 4)
    out = layer(LOGITS, key=sd.Key(0))
    assert out.sample.shape == out.log_probs.shape == (6, 3, 4)
    assert out.kl.shape == (6,)
    assert out.perplexity.shape == ()
    flat = layer(LOGITS.flatten(1), key=sd.Key(0))
    for one, two in zip(out, flat, strict=True):
        assert torch.equal(one, two)
    deep = layer(LOGITS.reshape(2, 3, 3, 4), key=sd.Key(0))
    assert deep.kl.shape == (2, 3)
    torch.testing.assert_close(out.log_probs, LOGITS.log_softmax(-1))


def test_kl_to_a_uniform_a_given_and_a_learned_prior():
    p = LOGITS.log_softmax(-1)
    uniform = sd.nn.CategoricalLatent(3, 4)(LOGITS, key=sd.Key(0)).kl
    torch.testing.assert_close(uniform, (p.exp() * (p + math.log(4))).sum((-1, -2)))
    q = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    given = sd.nn.CategoricalLatent(3, 4, prior=q)(LOGITS, key=sd.Key(0)).kl
    torch.testing.assert_close(given, (p.exp() * (p - q.log_softmax(-1))).sum((-1, -2)))
    learned = sd.nn.CategoricalLatent(3, 4, prior="learned")
    torch.testing.assert_close(learned(LOGITS, key=sd.Key(0)).kl, uniform)
    optimizer = torch.optim.Adam(learned.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        learned(LOGITS, key=sd.Key(0)).kl.mean().backward()
        optimizer.step()
    # The prior that minimises the mean KL is the mean posterior.
    torch.testing.assert_close(learned.prior_logits.softmax(-1), p.exp().mean(0), rtol=1e-3, atol=1e-3)
    learned.reset_parameters()
    assert (learned.prior_logits == 0).all()


def test_perplexity():
    layer = sd.nn.CategoricalLatent(1, 4)
    one = torch.tensor([50.0, 0.0, 0.0, 0.0]).expand(8, 1, 4)
    assert layer(one, key=sd.Key(0)).perplexity.item() == pytest.approx(1.0, abs=1e-5)
    spread = 50 * torch.eye(4).reshape(4, 1, 4)
    assert layer(spread, key=sd.Key(0)).perplexity.item() == pytest.approx(4.0, abs=1e-5)
    assert layer(spread[:2], key=sd.Key(0)).perplexity.item() == pytest.approx(2.0, abs=1e-5)


def test_padding_costs_nothing():
    mask = torch.tensor([True, True, False]).reshape(1, 3, 1).expand(6, 3, 4)
    logits = LOGITS.clone().requires_grad_()
    out = sd.nn.CategoricalLatent(3, 4)(logits, mask=mask, key=sd.Key(0))
    assert (out.sample[:, 2] == 0).all()
    two = sd.nn.CategoricalLatent(2, 4)(LOGITS[:, :2], key=sd.Key(0))
    torch.testing.assert_close(out.kl, two.kl)
    (grad,) = torch.autograd.grad(out.kl.sum() + out.perplexity + out.sample.sum(), logits)
    assert grad.isfinite().all()
    assert (grad[:, 2] == 0).all()


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"prior: got .*shape \(4,\).*expected shape \(3, 4\)"):
        sd.nn.CategoricalLatent(3, 4, prior=torch.zeros(4))
    with pytest.raises(TypeError, match=r"prior: got .*int64"):
        sd.nn.CategoricalLatent(3, 4, prior=torch.zeros(3, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="prior: got 'flat', expected one of 'uniform', 'learned'"):
        sd.nn.CategoricalLatent(3, 4, prior="flat")
    for layer, shape, words in (
        (sd.nn.CategoricalLatent(3, 4), (5, 11), r"expected shape \[\*batch, 12\] or \[\*batch, 3, 4\]"),
        (sd.nn.CategoricalLatent(3, 4), (4, 3), r"expected shape \[\*batch, 12\] or \[\*batch, 3, 4\]"),
        (sd.nn.CategoricalLatent(1, 4), (5, 3), r"expected shape \[\*batch, 4\]$"),
    ):
        with pytest.raises(ValueError, match=f"logits: got .*, {words}"):
            layer(torch.zeros(shape))


@pytest.mark.parametrize("variables", [1, 2, 3, 4])
@pytest.mark.parametrize("batch", [(), (1,), (2,), (3,), (4,), (3, 1), (1, 1), (2, 3)])
def test_shapes_follow_from_the_number_of_dims(variables, batch):
    """A batch whose size is the number of variables, or of one example, is no special case."""
    layer = sd.nn.CategoricalLatent(variables, 4)
    out = layer(torch.zeros(*batch, variables * 4), key=sd.Key(0))
    assert out.sample.shape == out.log_probs.shape == (*batch, variables, 4)
    assert out.kl.shape == batch
    if variables > 1:
        out = layer(torch.zeros(*batch, variables, 4), key=sd.Key(0))
        assert out.sample.shape == (*batch, variables, 4)
        assert out.kl.shape == batch


class Keyed(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, logits):
        return self.layer(logits, key=sd.Key(1))


@pytest.mark.parametrize("variables", [1, 3])
@pytest.mark.parametrize("training", [True, False])
def test_export_with_a_dynamic_batch(variables, training):
    model = Keyed(sd.nn.CategoricalLatent(variables, 4)).train(training)
    x = torch.randn(7, variables * 4, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(
        model, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},)
    )
    for size in (1, 2, 3, 5):
        for one, two in zip(program.module()(x[:size]), model(x[:size]), strict=True):
            torch.testing.assert_close(one, two)
