"""The noise of the page is that of the library: words, keys, uniforms, Gumbels, samples, schedule."""

import math

import pytest
import torch

import softdraw as sd

from ..kernels.test_philox import ANSWERS

SEEDS = [0, 7, 0xFFFFFFFF, 0x123456789ABCDEF0, 2**64 - 1]
NOISE = """(seed, offset, rows, classes, laws) =>
  laws.map((law) => Array.from(noiseOf(makeKey(seed, offset), rows, classes, law)))"""


def test_words_are_those_that_random123_publishes(javascript):
    drawn = javascript(
        "(cases) => cases.map(([c, k]) => Array.from(philox(...c, ...k, new Uint32Array(4))))",
        [[counter, key] for counter, key, _ in ANSWERS],
    )
    assert [tuple(words) for words in drawn] == [words for _, _, words in ANSWERS]


def test_products_keep_their_upper_half(javascript):
    words = [0, 1, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xDEADBEEF, 0xFFFFFFFF]
    pairs = [(a, b) for a in words for b in words]
    assert javascript("(pairs) => pairs.map(([a, b]) => multiplyHigh(a, b))", pairs) == [
        a * b >> 32 for a, b in pairs
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_are_derived_alike(javascript, seed):
    numbers = [0, 1, 26, 701, 2**31, 2**63 - 1]
    folded = javascript(
        "(seed, numbers) => numbers.map((n) => `${foldIn(makeKey(seed), n).seed}`)",
        str(seed),
        [str(number) for number in numbers],
    )
    assert [int(one) for one in folded] == [sd.Key(seed).fold_in(number).seed for number in numbers]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("offset", "rows", "classes"), [(0, 500, 3), (2**32 - 100, 200, 6), (2**64 - 3, 7, 11)]
)
def test_uniforms_are_the_same_bits_and_gumbels_the_same_to_rounding(javascript, seed, offset, rows, classes):
    laws = ["uniform", "exponential", "gumbel"]
    drawn = javascript(NOISE, str(seed), str(offset), rows, classes, laws)
    made = {law: torch.tensor(values, dtype=torch.float64) for law, values in zip(laws, drawn, strict=True)}
    key = sd.Key(seed).rows(offset)

    def library(law):
        return getattr(sd.random, law)((rows, classes), key=key, dtype=torch.float64).flatten()

    assert torch.equal(made["uniform"], library("uniform"))
    # the logarithm of one may be off by an ulp, which the second magnifies near a Gumbel of 0
    torch.testing.assert_close(made["exponential"], library("exponential"), rtol=1e-14, atol=0)
    torch.testing.assert_close(made["gumbel"], library("gumbel"), rtol=1e-13, atol=1e-14)


def test_the_ends_of_a_uniform_are_fine(javascript):
    """Next to 0 and to 1, where 32 bits would not do."""
    words = [(0, 0), (0, 1), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFFFFF, 0xFFFFFFFF), (0x80000000, 0)]
    largest, second, least, below, above = javascript(
        '(words) => words.map(([high, low]) => fromWords(high, low, "gumbel"))', words
    )
    assert largest == pytest.approx(65 * math.log(2), rel=1e-14)  # 45.05
    assert least == pytest.approx(-math.log(65 * math.log(2)), rel=1e-14)
    assert largest > second > below > least
    assert below == pytest.approx(above, abs=1e-15)
    assert javascript('() => fromWords(0xffffffff, 0xffffffff, "uniform")') == 1 - 2**-53


@pytest.mark.parametrize(
    ("logits", "tau"), [([1.0, 0.0, -0.8], 0.5), ([0.3, 2.0, -1.0, 0.0, 0.7, -4.0], 0.05)]
)
def test_samples_are_those_of_the_library(javascript, logits, tau):
    rows, key = 300, sd.Key(11)
    wide = torch.tensor(logits, dtype=torch.float64).expand(rows, -1)
    soft, index, counts = javascript(
        """(logits, tau, rows) => {
          const noise = noiseOf(makeKey(11), rows, logits.length), all = [...Array(rows).keys()];
          const scores = all.map((row) => perturbed(logits, noise, row));
          const soft = scores.map((each) => softmax(each, tau)), index = scores.map((each) => argmax(each));
          return [soft, index, winners(logits, noise, rows)];
        }""",
        logits,
        tau,
        rows,
    )
    torch.testing.assert_close(
        torch.tensor(soft, dtype=torch.float64), sd.gumbel_softmax(wide, tau, key=key), rtol=1e-9, atol=1e-12
    )
    drawn = sd.gumbel_max(wide, key=key)
    assert index == drawn.tolist()
    assert counts == drawn.bincount(minlength=len(logits)).tolist()


def test_the_schedule_is_the_librarys(javascript):
    steps = [0, 1, 100, 2302, 2303, 5000]
    schedule = sd.schedules.Exponential(start=2.0, floor=0.2, rate=1e-3)
    values = javascript("(steps) => steps.map((step) => annealed(2, 0.2, 0.001, step))", steps)
    assert values == pytest.approx([schedule.at(step) for step in steps], rel=1e-15)


def test_edges_of_softmax_and_argmax(javascript):
    assert javascript("() => softmax([1, 3, 2], 0)") == [0, 1, 0]
    assert javascript("() => softmax([1000, 0], 0.01)") == [1, 0]
    assert javascript(
        "() => [argmax([1, 5, 5]), argmax([9, 1, 2], [false, true, true]), argmax([], [])]"
    ) == [1, 2, -1]
