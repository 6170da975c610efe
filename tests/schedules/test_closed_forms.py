"""Closed forms at given steps, the published schedules among them, and the errors of the arguments."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softdraw.schedules import (
    Adaptive,
    ClosedForm,
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
        (lambda: Constant(0.0), r"tau: got 0\.0, expected a finite number > 0"),
        (lambda: Constant(math.nan), "tau: got nan, expected a finite number > 0"),
        (lambda: Linear(start=-1.0), r"start: got -1\.0, expected a finite number > 0"),
        (lambda: Linear(end=math.inf), "end: got inf, expected a finite number > 0"),
        (lambda: Linear(steps=0), "steps: got 0, expected an int >= 1"),
        (lambda: Cosine(steps=-3), "steps: got -3, expected an int >= 1"),
        (lambda: Exponential(1.0, floor=2.0), r"floor: got 2\.0, expected a number >= 0 and <= 1"),
        (lambda: Exponential(rate=-1e-4), "rate: got -0.0001, expected a finite number >= 0"),
        (lambda: Exponential(every=0), "every: got 0, expected an int >= 1"),
        (lambda: Multiplicative(factor=1.5), r"factor: got 1\.5, expected a number > 0 and <= 1"),
        (lambda: Piecewise({}), "points: got .*, expected the first at step 0"),
        (lambda: Piecewise({5: 1.0}), "points: got .*, expected the first at step 0"),
        (lambda: Piecewise([(0, 1.0), (9, 0.5), (9, 0.1)]), r"points: got \(0, 9, 9\), expected .* rise"),
        (lambda: Piecewise({0: 1.0, 9: 0.0}), r"tau at step 9: got 0\.0, expected a finite number > 0"),
        (lambda: Piecewise({0: 1.0}, "cubic"), "interpolation: got 'cubic', expected one of"),
        (lambda: Sequential([Constant()], [3]), "milestones: got 1 for 1 schedules, expected 0"),
        (lambda: Sequential([], []), "schedules: got .*, expected one schedule or more"),
        (
            lambda: Sequential([Constant(), Constant(), Constant()], [4, 4]),
            r"milestones: got \(4, 4\), expected steps that rise",
        ),
        (lambda: Sequential([{"schedule": "Constnat"}], []), "schedule: got 'Constnat', expected one of"),
    ],
)
def test_wrong_values_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_wrong_types_are_named():
    for make, words in (
        (lambda: Linear(steps=2.5), r"steps: got 2\.5, expected an int >= 1"),
        (lambda: Exponential(every=True), "every: got True, expected an int >= 1"),
        (lambda: Linear(start="1"), "start: got '1', expected a finite number > 0"),
        (lambda: Constant(None), "tau: got None, expected a finite number > 0"),
        (lambda: Piecewise(3), "points: got 3, expected a mapping or pairs"),
        (lambda: Sequential([Constant(), Adaptive()], [3]), "schedules: got .*, expected formulas"),
        (lambda: Sequential([Constant(), Constant()], [2.5]), r"milestones: got 2\.5, expected an int"),
    ):
        with pytest.raises(TypeError, match=words):
            make()


def test_a_schedule_of_ones_own_is_a_formula_with_fields():
    @dataclass(eq=False, repr=False)
    class Halving(ClosedForm):
        every: int = 10

        def at(self, step):
            return 2.0 ** -(step // self.every)

    s = Halving(every=5)
    s.step(5)
    assert (s.value, repr(s), s.config()) == (0.5, "Halving(every=5)", {"every": 5})
    joined = Sequential(**Sequential([Constant(), s], [3]).config())
    assert joined.at(8) == 0.5

    class Forgetful(ClosedForm):
        def __init__(self, every):
            self.every = every
            super().__init__()

        def at(self, step):
            return 1.0

    with pytest.raises(TypeError, match="Forgetful: got no method config"):
        Forgetful(3)
    with pytest.raises(TypeError, match="abstract"):
        ClosedForm()
