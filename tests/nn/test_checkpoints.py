"""A saved model brings its temperature back, whatever the format, or says that it does not."""

import contextlib
import copy
import warnings

import pytest
import safetensors.torch
import torch
import torch.distributed.checkpoint as dcp
from lightning.pytorch import LightningModule

import softdraw as sd

from ..schedules.examples import EXAMPLES as SCHEDULES
from ..schedules.examples import advance
from .examples import CHOICES, EXAMPLES, make

NAMES = list(EXAMPLES)


def advanced(schedule, steps):
    advance(schedule, steps)
    return schedule


@contextlib.contextmanager
def ignored_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def by_torch(saved, fresh, folder):
    torch.save(saved.state_dict(), folder / "model.pt")
    fresh.load_state_dict(torch.load(folder / "model.pt", weights_only=True))


def by_safetensors(saved, fresh, folder):
    safetensors.torch.save_file(saved.state_dict(), folder / "model.safetensors")
    fresh.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"), assign=True)


def by_save_model(saved, fresh, folder):
    safetensors.torch.save_model(saved, folder / "model.safetensors")
    safetensors.torch.load_model(fresh, folder / "model.safetensors")


def by_distributed_checkpoint(saved, fresh, folder):
    with ignored_warnings():  # torch says that one process saves
        dcp.save(saved.state_dict(), checkpoint_id=folder / "dcp", no_dist=True)
        state = fresh.state_dict()
        dcp.load(state, checkpoint_id=folder / "dcp", no_dist=True)
    fresh.load_state_dict(state)


@pytest.mark.parametrize("way", [by_torch, by_safetensors, by_save_model, by_distributed_checkpoint])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_every_schedule_comes_back_by_every_way(kind, way, tmp_path):
    saved, fresh = (sd.nn.GumbelSoftmax(SCHEDULES[kind]()) for _ in range(2))
    advanced(saved.schedule, 1207 if kind == "Linear" else 7)
    way(saved, fresh, tmp_path)
    assert fresh.schedule.step_count == saved.schedule.step_count > 0
    assert float(fresh.tau.detach()) == float(saved.tau.detach())
    if kind == "Adaptive":  # in the middle of a window
        for layer in (saved, fresh):
            advanced(layer.schedule, 5)
        assert float(fresh.tau) == float(saved.tau)


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_brings_its_temperature_back(name, tmp_path):
    (saved, _), (fresh, _) = (make(name, tau=sd.schedules.Linear(2.0, 0.1, steps=10)) for _ in range(2))
    saved.schedule.step(7)
    twin = copy.deepcopy(saved)
    fresh.load_state_dict(saved.state_dict())
    assert float(fresh.tau) == float(twin.tau) == float(saved.tau) == pytest.approx(0.67)
    assert all(isinstance(value, torch.Tensor) for value in saved.state_dict().values())
    assert not [key for key in make(name, tau=0.5)[0].state_dict() if "temperature" in key]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_without_temperature_loads_and_says_so(name):
    """As version 0.1 wrote them, and as a model without a schedule writes them."""
    layer, _ = make(name, tau=sd.schedules.Linear(2.0, 0.1, steps=10))
    old = {key: value for key, value in layer.state_dict().items() if "temperature" not in key}
    with pytest.warns(
        UserWarning, match=r"temperature\.position: the state holds no temperature; Linear stays at step 0"
    ):
        layer.load_state_dict(old)


@pytest.mark.parametrize("name", CHOICES)
def test_a_learned_temperature_of_version_0_1_loads(name):
    """It lay beside the layer's own parameters, as a scalar, with its bounds as bits."""
    layer, _ = make(name, tau=sd.schedules.Learned(1.0, 0.1, 10.0))
    old, raw = {}, 0.3
    for key, value in layer.state_dict().items():
        head, _, tail = key.partition("temperature.schedule.")
        if tail == "raw":
            bounds = torch.tensor([0.1, 10.0], dtype=torch.float64).view(torch.int64)
            old |= {f"{head}schedule.raw": torch.tensor(raw), f"{head}schedule._steps": torch.tensor(7)}
            old[f"{head}schedule._bounds"] = bounds
        elif not tail:
            old[key] = value
    layer.load_state_dict(old)
    assert layer.schedule.step_count == 7
    assert layer.schedule.raw.item() == pytest.approx(raw)


def test_a_temperature_of_another_schedule_is_refused_or_left_out():
    saved = sd.nn.GumbelSoftmax(advanced(sd.schedules.Linear(2.0, 0.1, steps=10), 5)).state_dict()
    for other, words in (
        (sd.schedules.Linear(2.0, 0.1, steps=20), "steps was 10 and is 20"),
        (sd.schedules.Constant(0.5), "saved by the schedule Linear, not by Constant"),
    ):
        layer = sd.nn.GumbelSoftmax(other)
        with pytest.warns(UserWarning, match=rf"choice\.temperature\.position: .*{words}.*stays at step 0"):
            layer.load_state_dict(saved, strict=False)
        with ignored_warnings(), pytest.raises(RuntimeError, match=rf"Unexpected key.*{words}"):
            layer.load_state_dict(saved)
        assert other.step_count == 0
    with pytest.raises(RuntimeError, match=r"Unexpected key.*choice\.temperature\.position"):
        sd.nn.GumbelSoftmax(0.5).load_state_dict(saved)
    layer = sd.nn.GumbelSoftmax(sd.schedules.Constant(0.5))
    with ignored_warnings(), pytest.raises(RuntimeError, match="cannot be read"):
        layer.load_state_dict({"choice.temperature.position._extra_state": torch.zeros(3, dtype=torch.uint8)})


def test_layers_that_share_a_schedule_load_it_together():
    def model():
        tau = sd.schedules.Exponential(1.0, 0.1, rate=0.1)
        return torch.nn.Sequential(sd.nn.GumbelSoftmax(tau), sd.nn.HardConcreteGate(3, tau=tau)), tau

    (saved, tau), (fresh, other) = model(), model()
    tau.step(4)
    fresh.load_state_dict(saved.state_dict())
    assert other.step_count == 4
    assert float(fresh[0].tau) == float(fresh[1].tau) == float(tau.tau)


class Lit(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = sd.nn.GumbelSoftmax(sd.schedules.Linear(2.0, 0.1, steps=10))


def test_lightning_without_a_callback(tmp_path):
    model = Lit()
    model.layer.schedule.step(7)
    checkpoint = {"state_dict": model.state_dict(), "pytorch-lightning_version": "2.6.0"}
    torch.save(checkpoint, tmp_path / "model.ckpt")
    loaded = Lit.load_from_checkpoint(tmp_path / "model.ckpt", weights_only=True)
    assert float(loaded.layer.tau) == pytest.approx(0.67)


def test_averaged_models_keep_a_temperature():
    model = sd.nn.HardConcreteGate(3, tau=sd.schedules.Linear(2.0, 0.1, steps=10))
    averaged = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    for _ in range(3):
        model.schedule.step()
        averaged.update_parameters(model)
    assert float(averaged.module.tau) == 2.0
    model.load_state_dict(averaged.module.state_dict())
    assert float(model.tau) == 2.0
