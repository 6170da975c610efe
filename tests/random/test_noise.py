"""The laws of the noise, with fixed keys, at the false-alarm rate of ``statistics.py``."""

import math

import pytest
import scipy.stats
import torch

import softdraw as sd

from ..statistics import assert_law, assert_rare

LAWS = {
    "gumbel": (sd.random.gumbel, scipy.stats.gumbel_r),
    "logistic": (sd.random.logistic, scipy.stats.logistic),
    "exponential": (sd.random.exponential, scipy.stats.expon),
    "uniform": (sd.random.uniform, scipy.stats.uniform),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kolmogorov_smirnov(law, dtype):
    draw, distribution = LAWS[law]
    assert_law(draw((1000, 1000), key=sd.Key(11), dtype=dtype), distribution.cdf)


def test_golden_values():
    # These pin version 1 of the layout: uniforms are equal to the bit, Gumbel noise to its last digits.
    u = sd.random.uniform((2, 5), sample_shape=(2,), key=sd.Key(2**63 + 1, 2**32 - 1), dtype=torch.float64)
    assert [value.hex() for value in u[:, :, 4].flatten().tolist()] == GOLDEN_UNIFORM
    g = sd.random.gumbel((1, 4), key=sd.Key(0))
    torch.testing.assert_close(g, torch.tensor([GOLDEN_GUMBEL]), rtol=1e-6, atol=0)


GOLDEN_UNIFORM = [
    "0x1.f18bb9c4ce9dcp-1",
    "0x1.a2bbe3ce3d1d4p-1",
    "0x1.3f6784764911cp-2",
    "0x1.6b1e9d049f324p-1",
]
GOLDEN_GUMBEL = [0.67484039, -0.75358725, -0.28571931, 0.07247372]


def test_counts_beyond_where_float32_samplers_stop():
    # -log(-log(1 - 2^-24)) = 16.64 is the largest value of samplers with 24-bit uniforms.
    count = total = 0
    largest = 0.0
    for chunk in range(16):
        noise = sd.random.gumbel((4_000_000,), key=sd.Key(3).fold_in(chunk))
        total += noise.numel()
        count += int((noise > 16.64).sum())
        largest = max(largest, noise.max().item())
    mean = total * -math.expm1(-math.exp(-16.64))  # 3.8 expected
    assert_rare(count, mean)
    assert largest > 16.64


@pytest.mark.parametrize("law", ["gumbel", "logistic", "exponential", "uniform"])
def test_float64_is_the_finer_rounding_of_the_same_bits(law):
    draw = LAWS[law][0]
    coarse = draw((100, 1000), key=sd.Key(5)).double()
    fine = draw((100, 1000), key=sd.Key(5), dtype=torch.float64)
    assert fine.unique().numel() == fine.numel()
    # float32 keeps 32 bits of the uniform away from its ends: 2^-16 relative to the tail's probability
    torch.testing.assert_close(coarse, fine, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_rounded_from_float32(dtype):
    noise = sd.random.gumbel((50, 100), key=sd.Key(1), dtype=dtype)
    assert torch.equal(noise, sd.random.gumbel((50, 100), key=sd.Key(1)).to(dtype))


def test_exponential_is_the_gumbel_noise_of_its_key():
    e = sd.random.exponential((1000,), key=sd.Key(4), dtype=torch.float64)
    torch.testing.assert_close(-e.log(), sd.random.gumbel((1000,), key=sd.Key(4), dtype=torch.float64))


def test_shapes():
    for shape, sample_shape in [((), ()), ((3,), (2, 4)), ((0, 3), ()), ((3, 0), (2,)), ((2, 3, 4), (0,))]:
        noise = sd.random.gumbel(shape, sample_shape=sample_shape, key=sd.Key(0))
        assert noise.shape == (*sample_shape, *shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sd.random.gumbel((3,), dtype=torch.int64), "dtype: got torch.int64, expected float16"),
        (lambda: sd.random.uniform((-1,)), r"shape: got \(-1,\), expected sizes of 0 or more"),
        (lambda: sd.random.gumbel((2,), sample_shape=(2**33,)), "at most 2\\^32"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
