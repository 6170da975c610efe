"""The sum over all codes is the loss that the draws estimate, and training lowers it."""

import torch

import softdraw as sd


def test_the_exact_loss_is_the_mean_of_what_draws_give(example):
    module = example("digits_vae")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = module.DiscreteVAE("st-gumbel-softmax", sd.schedules.Constant(1.0))
        images = (torch.rand(3, 64) < 0.5).float()
    with torch.no_grad():
        drawn = model(images.repeat(4000, 1), sd.Key(0)).view(4000, 3).mean(1)
    elbo, nll = model.exact(images)
    assert abs(drawn.mean().item() - elbo) < 5 * drawn.std().item() / 4000**0.5
    assert nll < elbo


def test_it_learns(ran):
    figures = ran("digits_vae").figures
    assert figures["test"] < figures["start"] - 3
    assert figures["train"] < figures["test"]
    assert 0 < figures["test"] - figures["test_nll"] < 3
    assert figures["test"] < 20.5  # 19.3 where it was written
