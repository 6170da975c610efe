"""Closed forms at given steps, the published schedules among them, and the errors of the arguments."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softdraw.schedules import (
    Adaptive,
    Constant,
    Cosine,
    Exponential,
    Linear,
    Multiplicative,
    Piecewise,
    Sequential,
)

near = pytest.approx


def test_wav2vec_reaches_its_floor_at_step_277259():
    s = Multiplicative(start=2.0, floor=0.5, factor=0.999995)
    assert s.at(1) == near(1.99999)
    assert s.at(100_000) == near(2 * math.exp(100_000 * math.log(0.999995)))
    s.step(277_258)
    assert s.value > 0.5
    assert s.tau.item() > 0.5
    s.step()
    assert s.value == s.tau.item() == 0.5
    assert Multiplicative().config() == s.config()


def test_fbnet_multiplies_once_an_epoch():
    s = Multiplicative(5.0, 0.01, factor=0.956, every=100)
    assert [s.at(n) for n in (0, 99, 100, 199, 200)] == near([5, 5, 4.78, 4.78, 4.56968])


@pytest.mark.parametrize("rate", [1e-5, 1e-4])
@pytest.mark.parametrize("every", [500, 1000])
def test_jang(rate, every):
    s = Exponential(start=1.0, floor=0.5, rate=rate, every=every)
    for n in (0, 499, 500, 999, 1000, 6500, 10_000, 69_000, 70_000, 1_000_000):
        assert s.at(n) == near(max(0.5, math.exp(-rate * (n // every) * every)), rel=1e-14)
    assert s.at(every - 1) == 1.0
    assert s.at(every) < 1.0


def test_gdas():
    s = Linear(10.0, 0.1, steps=240)
    assert [s.at(n) for n in (0, 120, 240, 10_000)] == [10.0, near(5.05), 0.1, 0.1]


def test_dalle():
    s = Cosine(1.0, 1 / 16, steps=150_000)
    assert s.at(0) == 1.0
    assert s.at(75_000) == near(0.53125)
    assert s.at(50_000) == near(1 / 16 + 0.75 * 15 / 16)
    assert s.at(150_000) == s.at(10**7) == 1 / 16


def test_piecewise():
    points = {0: 2.0, 1000: 1.0, 5000: 0.25}
    steps = (0, 500, 999, 1000, 3000, 5000, 9999)
    constant, linear, exponential = (Piecewise(points, how) for how in ("constant", "linear", "exponential"))
    assert [constant.at(n) for n in steps] == [2, 2, 2, 1, 1, 0.25, 0.25]
    assert [linear.at(n) for n in steps] == near([2, 1.5, 1.001, 1, 0.625, 0.25, 0.25])
    assert [exponential.at(n) for n in steps] == near([2, 2**0.5, 2**0.001, 1, 0.5, 0.25, 0.25])
    assert Piecewise(list(points.items())).config() == linear.config()


def test_sequential_counts_from_each_beginning():
    s = Sequential(
        [Constant(1.0), Linear(1.0, 0.5, steps=100), Exponential(0.5, 0.1, rate=0.01)], [1000, 1200]
    )
    assert [s.at(n) for n in (0, 999, 1000, 1050, 1100, 1199)] == near([1, 1, 1, 0.75, 0.5, 0.5])
    assert s.at(1210) == near(0.5 * math.exp(-0.1))


@given(
    start=st.floats(0.01, 100),
    share=st.floats(0, 1),
    rate=st.floats(0, 1),
    every=st.integers(1, 50),
    step=st.integers(0, 10**6),
)
def test_decays_fall_between_start_and_floor(start, share, rate, every, step):
    floor = share * start
    for s in (Exponential(start, floor, rate, every), Multiplicative(start, floor, math.exp(-rate), every)):
        assert floor <= s.at(step + 1) <= s.at(step) <= start
        assert s.at(step) == s.at(step // every * every)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Constant(0.0), r"tau must be a finite number > 0, got 0\.0"),
        (lambda: Constant(math.nan), "tau must be a finite number > 0, got nan"),
        (lambda: Linear(start=-1.0), r"start must be a finite number > 0, got -1\.0"),
        (lambda: Linear(end=math.inf), "end must be a finite number > 0, got inf"),
        (lambda: Linear(steps=0), "steps must be at least 1, got 0"),
        (lambda: Cosine(steps=-3), "steps must be at least 1, got -3"),
        (lambda: Exponential(1.0, floor=2.0), r"floor must be a finite number >= 0 and <= 1, got 2\.0"),
        (lambda: Exponential(rate=-1e-4), "rate must be a finite number >= 0, got -0.0001"),
        (lambda: Exponential(every=0), "every must be at least 1, got 0"),
        (lambda: Multiplicative(factor=1.5), r"factor must be a finite number > 0 and <= 1, got 1\.5"),
        (lambda: Piecewise({}), "points must begin at step 0"),
        (lambda: Piecewise({5: 1.0}), "points must begin at step 0"),
        (lambda: Piecewise([(0, 1.0), (9, 0.5), (9, 0.1)]), r"must rise, got \[0, 9, 9\]"),
        (lambda: Piecewise({0: 1.0, 9: 0.0}), "tau at step 9 must be a finite number > 0"),
        (lambda: Piecewise({0: 1.0}, "cubic"), "interpolation must be one of .*'cubic'"),
        (lambda: Sequential([Constant()], [3]), "got 1 milestones for 1 schedules"),
        (
            lambda: Sequential([Constant(), Constant(), Constant()], [4, 4]),
            r"milestones must rise, got \[4, 4\]",
        ),
    ],
)
def test_wrong_values_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_wrong_types_are_named():
    with pytest.raises(TypeError, match=r"steps must be an int, got 2\.5"):
        Linear(steps=2.5)
    with pytest.raises(TypeError, match="every must be an int, got True"):
        Exponential(every=True)
    with pytest.raises(TypeError, match="formulas of the step count"):
        Sequential([Constant(), Adaptive()], [3])
