"""The record stays short, begins at 0 and keeps an even spacing."""

from hypothesis import given
from hypothesis import strategies as st

from softdraw.schedules.trace import Trace


@given(st.integers(0, 5000), st.integers(2, 64))
def test_short_even_and_true(steps, limit):
    trace = Trace(limit)
    for step in range(steps):
        trace.add(step, 2.0 * step)
    assert len(trace.steps) <= limit
    assert trace.steps == list(range(0, steps, trace.spacing))
    assert trace.taus == [2.0 * step for step in trace.steps]
    again = Trace(limit)
    again.load(**trace.state())
    assert again.state() == trace.state()
