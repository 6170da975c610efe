import pytest
import torch

import softdraw as sd


def test_manual_seed_reproduces():
    torch.manual_seed(3)
    first = [sd.random.fresh_key() for _ in range(3)]
    torch.manual_seed(3)
    assert first == [sd.random.fresh_key() for _ in range(3)]
    assert len(set(first)) == 3


def test_generator_leaves_the_default_generator_alone():
    before = torch.get_rng_state()
    key = sd.random.fresh_key(torch.Generator().manual_seed(1))
    assert torch.equal(before, torch.get_rng_state())
    assert key == sd.random.fresh_key(torch.Generator().manual_seed(1))


def test_a_given_key_leaves_the_default_generator_alone():
    before = torch.get_rng_state()
    sd.gumbel_softmax(torch.zeros(3, 4), key=sd.Key(0))
    assert torch.equal(before, torch.get_rng_state())


def test_seeds_use_all_64_bits():
    torch.manual_seed(0)
    ones = [0] * 64
    for _ in range(400):
        seed = sd.random.fresh_key().seed
        for bit in range(64):
            ones[bit] += seed >> bit & 1
    # Binomial(400, 1/2): 60 is 6 standard deviations, once in 8e6 over the 64 bits
    assert max(abs(count - 200) for count in ones) < 60


def test_key_and_generator_exclude_each_other():
    with pytest.raises(ValueError, match="key and generator exclude each other"):
        sd.random.gumbel((3,), key=sd.Key(0), generator=torch.Generator())
