"""The learned temperature: bounds, gradient, and its place in modules and checkpoints."""

import pytest
import torch
import torch.multiprocessing as mp
from hypothesis import given
from hypothesis import strategies as st

from softdraw.nn import GumbelSoftmax
from softdraw.schedules import Learned


@given(start=st.floats(0.11, 9.9), raw=st.floats(-200, 200))
def test_bounds_hold_for_every_parameter(start, raw):
    s = Learned(start, 0.1, 10.0)
    assert s.tau.item() == pytest.approx(start, rel=1e-5)
    with torch.no_grad():
        s.raw.fill_(raw)
    assert 0.1 * (1 - 1e-6) <= s.tau.item() <= 10.0 * (1 + 1e-6)


def test_gradient_is_the_closed_form():
    s = Learned(1.0, 0.1, 10.0)
    s.tau.backward()
    # d tau / d raw = tau · log(high / low) · σ(1 - σ), and σ = 1/2 at the geometric middle.
    assert s.raw.grad.item() == pytest.approx(torch.log(torch.tensor(100.0)).item() / 4, rel=1e-5)


def test_an_optimizer_finds_the_temperature():
    s = Learned(1.0, 0.1, 10.0)
    optimizer = torch.optim.Adam(s.parameters(), lr=0.05)
    logits = torch.tensor([2.0, 1.0, 0.0])
    target = torch.softmax(logits / 0.37, -1)
    for _ in range(300):
        optimizer.zero_grad()
        (torch.softmax(logits / s.tau, -1) - target).square().sum().backward()
        optimizer.step()
        s.step()
    assert s.value == pytest.approx(0.37, rel=1e-3)
    steps, taus = s.curve()
    assert steps[-1] == 300
    assert taus[-1] == s.value
    assert taus[0] == 1.0


def test_half_keeps_tau_in_float32_and_the_bounds_in_the_checkpoint():
    s = Learned(1.5, 0.1, 10.0).half()
    assert s.raw.dtype == torch.float16
    assert s.tau.dtype == torch.float32
    assert s.tau.item() == pytest.approx(1.5, rel=2e-3)
    Learned(1.0, 0.1, 10.0).load_state_dict(s.state_dict())


def test_a_module_registers_it():
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tau = Learned(2.0)

    layer = Layer()
    assert [n for n, _ in layer.named_parameters()] == ["tau.raw"]
    other = Layer()
    with torch.no_grad():
        layer.tau.raw.fill_(0.3)
    other.load_state_dict(layer.state_dict())
    assert other.tau.value == layer.tau.value


def test_reset_parameters_returns_to_start():
    s = Learned(2.0)
    with torch.no_grad():
        s.raw.fill_(3.0)
    s.reset_parameters()
    assert s.value == pytest.approx(2.0, rel=1e-6)


def test_other_bounds_are_refused():
    state = Learned(1.0, 0.1, 10.0).state_dict()
    for strict in (True, False):
        with pytest.raises(RuntimeError, match=r"bounds low=0\.1, high=10\.0.*has low=0\.2, high=10\.0"):
            Learned(1.0, 0.2, 10.0).load_state_dict(state, strict=strict)


def test_a_checkpoint_of_version_0_1_loads():
    """A scalar, the bounds as bits, the steps in a buffer."""
    bounds = torch.tensor([0.1, 10.0], dtype=torch.float64).view(torch.int64)
    old = {"raw": torch.tensor(0.3), "_steps": torch.tensor(7), "_bounds": bounds}
    s = Learned(1.0, 0.1, 10.0)
    s.load_state_dict(old)
    assert s.step_count == 7
    assert s.raw.tolist() == [pytest.approx(0.3)]
    with pytest.raises(RuntimeError, match=r"bounds low=0\.1, high=10\.0.*has low=0\.2"):
        Learned(1.0, 0.2, 10.0).load_state_dict(old)
    with pytest.raises(RuntimeError, match="Missing key"):
        s.load_state_dict({"raw": torch.zeros(1)})


def test_an_averaged_model_has_the_mean_parameter_and_the_same_bounds():
    model = torch.nn.Sequential(Learned(1.0, 0.1, 10.0))
    averaged = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    for value in (0.0, 1.0, 2.0):
        with torch.no_grad():
            model[0].raw.fill_(value)
        model[0].step()
        averaged.update_parameters(model)
    assert averaged.module[0].raw.item() == pytest.approx(1.0)
    model.load_state_dict(averaged.module.state_dict())
    assert model[0].raw.item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((0.1, 0.1, 10.0), r"start: got 0\.1, expected a number > 0\.1 and < 10"),
        ((10.0, 0.1, 10.0), r"start: got 10\.0, expected a number > 0\.1 and < 10"),
        ((1.0, 2.0, 0.5), r"low: got 2\.0, expected a number > 0 and < 0\.5"),
    ],
)
def test_start_lies_between(bounds, words):
    with pytest.raises(ValueError, match=words):
        Learned(*bounds)


def train_sharded(rank, world, folder):
    from torch.distributed.fsdp import fully_shard

    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world
    )
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 3), GumbelSoftmax(Learned(1.0), estimator="gumbel-softmax")
    )
    fully_shard(model, mesh=torch.distributed.init_device_mesh("cpu", (world,)))
    schedule = model[1].choice.schedule
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        (model(torch.ones(5, 4)) * torch.arange(3.0)).sum().backward()
        optimizer.step()
        schedule.step()
    values = [torch.zeros(()) for _ in range(world)]
    torch.distributed.all_gather(values, schedule.tau.detach())
    assert values[0] == values[1] != 1.0
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_it_trains_sharded(tmp_path):
    mp.spawn(train_sharded, args=(2, tmp_path), nprocs=2)
