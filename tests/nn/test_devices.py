"""Layers built without memory and filled later: the meta device, ``skip_init``, ``from_pretrained``."""

import copy
import inspect

import numpy as np
import pytest
import torch

import softdraw as sd

from .examples import EXAMPLES, WATCHED, first, make

NAMES = list(EXAMPLES)
TAUS = {
    "default": lambda: {},
    "number": lambda: {"tau": 0.7},
    "tensor": lambda: {"tau": torch.tensor(0.7)},
    "formula": lambda: {"tau": sd.schedules.Linear(2.0, 0.1, steps=10)},
    "adaptive": lambda: {"tau": sd.schedules.Adaptive(1.0, every=1, max_dead=1.0)},
    "learned": lambda: {"tau": sd.schedules.Learned(0.7)},
}
CASES = [(name, tau) for name in NAMES for tau in TAUS if tau != "adaptive" or name in WATCHED]


def on_meta(name, tau):
    options = {"tau": torch.tensor(0.7)} if tau == "tensor" else None
    with torch.device("meta"):
        return EXAMPLES[name][0](**(TAUS[tau]() if options is None else options))


def agree(one, two, x):
    for mode in (True, False):
        torch.testing.assert_close(
            first(one.train(mode)(x, key=sd.Key(1))), first(two.train(mode)(x, key=sd.Key(1)))
        )


@pytest.mark.parametrize("assign", [True, False])
@pytest.mark.parametrize(("name", "tau"), CASES)
def test_built_on_meta_and_loaded(name, tau, assign):
    layer, x = make(name, **TAUS[tau]())
    if layer.schedule is not None and tau != "adaptive":
        layer.schedule.step(3)
    empty = on_meta(name, tau)
    if not assign:
        empty.to_empty(device="cpu")
    empty.load_state_dict(layer.state_dict(), assign=assign)
    assert not any(t.is_meta for t in (*empty.parameters(), *empty.buffers()))
    agree(empty, layer, x)
    out = first(empty.train()(x.requires_grad_(), key=sd.Key(2)))
    (out * torch.linspace(-1, 2, out.numel()).reshape(out.shape)).sum().backward()
    if empty.schedule is not None:
        empty.schedule.step()


@pytest.mark.parametrize(("name", "tau"), CASES)
def test_built_on_meta_and_reset(name, tau):
    """As ``fully_shard`` and friends do: ``to_empty``, then ``reset_parameters``."""
    layer, x = make(name, **TAUS[tau]())
    empty = on_meta(name, tau).to_empty(device="cpu")
    with torch.no_grad():
        for value in (*empty.parameters(), *empty.buffers()):
            value.fill_(7)
    for one in (empty, layer):
        torch.manual_seed(0)
        one.reset_parameters()
    agree(empty, layer, x)
    copy.deepcopy(empty)


@pytest.mark.parametrize(("name", "tau"), CASES)
def test_skip_init_takes_device_and_dtype(name, tau):
    cls = getattr(sd.nn, name)
    built = EXAMPLES[name][0](**TAUS[tau]())
    bound = {
        p: getattr(built, p)
        for p in inspect.signature(cls).parameters
        if isinstance(getattr(built, p, None), int)
    }
    options = {k: v for k, v in bound.items() if k not in ("dim", "per_example")} | TAUS[tau]()
    if name == "HardConcreteGate":
        options["shape"] = built.shape
    layer = torch.nn.utils.skip_init(cls, **options, device="cpu", dtype=torch.float64)
    assert {p.dtype for n, p in layer.named_parameters() if "schedule" not in n} <= {torch.float64}
    assert {p.device.type for p in layer.parameters()} <= {"cpu"}
    layer.reset_parameters()
    x = EXAMPLES[name][1].double()
    assert first(layer(x, key=sd.Key(0))).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_whole_numbers(name):
    cls = getattr(sd.nn, name)
    parameters = inspect.signature(cls).parameters
    sizes = [p for p in parameters if p in SIZES]
    good = {p: 4 for p in parameters if parameters[p].default is inspect.Parameter.empty}
    if name == "GumbelEmbedding":  # whose sizes are left out beside a table
        good = {"classes": 4, "features": 4}
    cls(**{p: np.int64(4) for p in good})
    for size in sizes:
        for wrong in ("a", 2.5, None, True):
            with pytest.raises(TypeError, match=f"^{size}: got .*, expected an int"):
                cls(**{**good, size: wrong})
        for wrong in (0, -1):
            with pytest.raises(ValueError, match=f"^{size}: got {wrong}, expected an int >= 1"):
                cls(**{**good, size: wrong})


SIZES = {
    *("variables", "classes", "input_dim", "code_dim", "groups", "entries"),
    *("features", "selected", "shape", "experts"),
}


def test_a_temperature_that_nothing_will_fill_is_refused():
    with torch.device("meta"), pytest.raises(ValueError, match="tau: got a tensor on the meta device"):
        sd.nn.GumbelSoftmax(torch.tensor(0.7))


@pytest.mark.parametrize(("name", "tau"), [case for case in CASES if case[1] != "tensor"])
def test_transformers_from_pretrained(name, tau, tmp_path):
    """It builds the model on the meta device, and fills it from a safetensors file, key by key."""
    transformers = pytest.importorskip("transformers")

    class Config(transformers.PretrainedConfig):
        model_type = "softdraw-test"

    class Model(transformers.PreTrainedModel):
        config_class = Config

        def __init__(self, config, **options):
            super().__init__(config)
            self.layer = EXAMPLES[name][0](**(options or TAUS[tau]()))
            self.head = torch.nn.Linear(2, 2)
            self.post_init()

        def _init_weights(self, module):
            pass

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Model(Config())
    if model.layer.schedule is not None and tau != "adaptive":
        model.layer.schedule.step(3)
    model.save_pretrained(tmp_path)
    if tau == "formula":  # a model that is trained on with another schedule says that it starts anew
        other = sd.schedules.Constant(0.7)
        with pytest.warns(
            UserWarning, match="saved by the schedule Linear, not by Constant.*stays at step 0"
        ):
            Model.from_pretrained(tmp_path, config=Config(), tau=other)
    loaded, told = Model.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    if model.layer.schedule is not None:
        assert loaded.layer.schedule.step_count == model.layer.schedule.step_count
    agree(loaded.layer, model.layer, EXAMPLES[name][1].clone())
