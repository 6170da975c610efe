"""What every schedule promises, over the list of all of them."""

import copy
import io
import json

import matplotlib.figure
import numpy as np
import pytest
import torch

from softdraw import schedules

from .examples import CLOSED, EXAMPLES, advance

NAMES = list(EXAMPLES)


def test_the_list_is_complete():
    public = {n for n in schedules.__all__ if issubclass(getattr(schedules, n), schedules.Schedule)}
    assert public - {"Schedule", "Resumable", "ClosedForm"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_tau_is_a_positive_scalar_of_float32(name):
    s = EXAMPLES[name]()
    for _ in range(30):
        assert s.tau.shape == ()
        assert s.tau.dtype == torch.float32
        assert s.tau.item() > 0
        assert s.value == pytest.approx(s.tau.item(), rel=1e-6)
        advance(s, 1)
    assert s.step_count == 30


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Learned"])
def test_one_tensor_for_life(name):
    s = EXAMPLES[name]()
    held = s.tau
    advance(s, 12)
    assert s.tau is held
    assert held.item() == pytest.approx(s.value, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("before", [0, 1, 11])
def test_resume_is_exact(name, before):
    whole, first, second = EXAMPLES[name](), EXAMPLES[name](), EXAMPLES[name]()
    advance(first, before)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert second.step_count == before
    assert second.tau.item() == first.tau.item()
    advance(whole, before + 13)
    advance(second, 13)
    assert second.tau.item() == whole.tau.item()
    assert second.value == whole.value


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Learned"])
def test_state_is_plain_json_and_leaves_with_a_copy(name):
    s = EXAMPLES[name]()
    advance(s, 5)
    state = s.state_dict()
    text = json.dumps(state)
    advance(s, 9)
    assert json.dumps(state) == text
    fresh = EXAMPLES[name]()
    fresh.load_state_dict(json.loads(text))
    advance(fresh, 9)
    assert fresh.tau.item() == s.tau.item()


@pytest.mark.parametrize("name", CLOSED)
def test_many_steps_at_once_are_the_steps(name):
    one, many = EXAMPLES[name](), EXAMPLES[name]()
    for _ in range(17):
        one.step()
    many.step(17)
    assert one.tau.item() == many.tau.item()
    assert many.value == many.at(17)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Constant"])
def test_it_moves(name):
    s = EXAMPLES[name]()
    start = s.value
    advance(s, 20)
    assert s.value != start


@pytest.mark.parametrize("name", NAMES)
def test_deepcopy_goes_its_own_way(name):
    s = EXAMPLES[name]()
    advance(s, 3)
    other = copy.deepcopy(s)
    advance(other, 20)
    assert other.step_count == 23
    assert s.step_count == 3
    advance(s, 20)
    assert s.tau.item() == other.tau.item()


@pytest.mark.parametrize("name", NAMES)
def test_repr_is_the_call(name):
    s = EXAMPLES[name]()
    again = eval(repr(s), vars(schedules))
    assert again.config() == s.config()
    assert again.value == s.value


@pytest.mark.parametrize("name", NAMES)
def test_plot_draws_the_temperature(name):
    s = EXAMPLES[name]()
    advance(s, 16)
    ax = s.plot()
    assert isinstance(ax.figure, matplotlib.figure.Figure)
    x, y = ax.lines[0].get_data()
    assert len(x) >= 2
    assert x[0] == 0
    if name in CLOSED:
        assert [s.at(int(step)) for step in x] == list(y)
    else:
        assert (x[-1], y[-1]) == (s.step_count, s.value)
    assert s.plot(ax=ax) is ax


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("Learned", "Constant")])
def test_state_of_other_arguments_is_refused(name):
    s = EXAMPLES[name]()
    state = s.state_dict()
    field = next(iter(state["config"]))
    state["config"] = {**state["config"], field: "something else"}
    with pytest.raises(ValueError, match=f"{field} was 'something else'"):
        s.load_state_dict(state)
    s.load_state_dict({**state, "step_count": 4}, strict=False)
    assert s.step_count == 4


def test_state_of_another_schedule_is_refused():
    state = schedules.Constant(1.0).state_dict()
    with pytest.raises(ValueError, match="saved by the schedule Constant, not by Linear"):
        schedules.Linear().load_state_dict(state)
    with pytest.raises(ValueError, match="lacks \\['config', 'schedule'\\]"):
        schedules.Linear().load_state_dict({"step_count": 3})


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_whole_numbers(name):
    s = EXAMPLES[name]()
    with pytest.raises(ValueError, match="count: got -5, expected an int >= 0"):
        s.step(-5)
    for wrong in (2.5, True, "3"):
        with pytest.raises(TypeError, match=r"count: got .*, expected an int >= 0"):
            s.step(wrong)
    assert s.step_count == 0
    s.step(np.int64(1))
    assert type(s.step_count) is int
    assert s.step_count == 1


@pytest.mark.parametrize("name", NAMES)
def test_config_makes_the_schedule_again(name):
    s = EXAMPLES[name]()
    advance(s, 4)
    for config in (s.config(), json.loads(json.dumps(s.config()))):
        again = type(s)(**config)
        assert again.config() == s.config()
        advance(again, 4)
        assert again.value == s.value


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_how_is_said_by_the_type(name):
    s = EXAMPLES[name]()
    assert isinstance(s, schedules.Resumable) != isinstance(s, torch.nn.Module)


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_made_under_the_meta_device_has_a_temperature(name):
    with torch.device("meta"):
        s = EXAMPLES[name]()
    if isinstance(s, torch.nn.Module):
        s.to_empty(device="cpu")
        s.reset_parameters()
    assert s.tau.item() == EXAMPLES[name]().tau.item()
    advance(s, 5)
    assert s.tau.item() == pytest.approx(s.value)


def test_a_change_of_tau_recompiles_nothing():
    s = schedules.Exponential(1.0, 0.5, rate=0.1)
    compilations = []

    def backend(graph, inputs):
        compilations.append(graph)
        return graph.forward

    @torch.compile(fullgraph=True, backend=backend)
    def soft(x):
        return torch.softmax(x / s.tau, -1)

    x = torch.arange(4.0)
    for _ in range(4):
        torch.testing.assert_close(soft(x), torch.softmax(x / s.value, -1))
        s.step()
    assert len(compilations) == 1
