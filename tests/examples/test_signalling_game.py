"""A language emerges, and the gradient through the message finds more of it than right and wrong do."""

import math

import pytest
import torch


def test_most_objects_are_understood(ran):
    figures = ran("signalling_game").figures
    assert figures["pathwise"] >= 0.8
    assert figures["pathwise"] > figures["score"] + 0.1
    assert figures["pathwise, bits"] > 4.3  # of 4.64, so that few objects share a message
    assert figures["score, bits"] < figures["pathwise, bits"]
    assert figures["pathwise, topographic similarity"] > 0.4


def test_the_figures_tell_languages_apart(example):
    module = example("signalling_game")
    # each symbol names a feature, in whatever letters and order
    letters = torch.tensor([7, 2, 5, 0, 1])
    bits, alike = module.language(letters[module.OBJECTS.flip(1)])
    assert (bits, alike) == pytest.approx((math.log2(25), 1.0), abs=1e-5)
    # the same words, given to objects by chance
    shuffled = [
        module.language(module.OBJECTS[torch.randperm(25, generator=torch.Generator().manual_seed(seed))])
        for seed in range(40)
    ]
    assert all(bits == pytest.approx(math.log2(25), abs=1e-5) for bits, _ in shuffled)
    assert abs(sum(alike for _, alike in shuffled) / 40) < 0.05
    # the shape alone is named
    bits, alike = module.language(module.OBJECTS[:, :1].expand(-1, 2))
    assert bits == pytest.approx(math.log2(5), abs=1e-5)
    assert 0 < alike < 1
