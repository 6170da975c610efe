"""Revived codes are used, and an image that a code was set from takes it."""

import torch

import softdraw as sd


def test_a_revived_code_wins_where_it_was_put_and_changes_no_vector(example):
    module = example("vector_quantizer")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = module.Autoencoder(100)
        images = torch.rand(module.ENTRIES, 64)
    model(images[:4], sd.Key(0))
    dead = model.quantizer.dead_codes()[0]
    assert dead.sum() >= module.ENTRIES - 4
    before = model.eval().quantizer(model.encoder(images))
    module.revive(model, images, sd.Key(1))
    after = model.quantizer(model.encoder(images))
    moved = after.indices[:, 0] != before.indices[:, 0]
    assert moved.sum() > module.ENTRIES / 2
    assert dead[after.indices[moved, 0]].all()
    assert not model.quantizer.usage().any()


def test_more_codes_are_in_use_and_the_error_is_less(ran):
    figures = ran("vector_quantizer").figures
    assert figures["perplexity revived"] > 1.2 * figures["perplexity left alone"]
    assert figures["error revived"] < figures["error left alone"]
