"""The same mistake is the same error everywhere: TypeError for a wrong type, ValueError for a wrong value.

The text names the argument, what came and what was expected.
"""

import re

import numpy as np
import pytest
import torch

import softdraw as sd

from .distributions.examples import EXAMPLES as DISTRIBUTIONS
from .functional.examples import EXAMPLES as FUNCTIONS
from .readers import READERS


def readers(*takes):
    return [name for name, reader in READERS.items() if reader.takes >= set(takes)]


def refused(reader, error, argument, *args, **given):
    """The error, whose text has the form ``argument: got X, expected Y``."""
    with pytest.raises(error) as info:
        reader.call(*args, **given)
    assert type(info.value) is error or (error is ValueError and isinstance(info.value, ValueError))
    assert re.match(rf"{argument}: got .+, expected .+", str(info.value), re.DOTALL), str(info.value)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.long(),
        lambda x: x > 0,
        lambda x: x.to(torch.complex64),
        lambda x: x.to(torch.float8_e4m3fn),
        lambda x: x.to(torch.float8_e5m2),
        lambda x: x.to_sparse(),
        lambda x: x.flatten(0, -2).to_sparse_csr(),
        lambda x: torch.nested.nested_tensor([x, x], layout=torch.jagged),
        lambda x: torch.nested.nested_tensor([x, x]),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: None,
        lambda x: "logits",
    ],
    ids=[
        "int64", "bool", "complex", "e4m3fn", "e5m2", "sparse", "csr", "jagged", "nested", "list", "array",
        "None", "text",
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_logits_of_a_wrong_type(name, change):
    reader = READERS[name]
    value = change(reader.logits())
    if value is None and name in sd.distributions.__all__:
        with pytest.raises(ValueError, match="probs and logits: got neither, expected exactly one"):
            reader.call(value)
        return
    refused(reader, TypeError, reader.argument, value)


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.dims])
def test_logits_of_a_wrong_shape(name):
    reader = READERS[name]
    refused(reader, ValueError, reader.argument, torch.tensor(0.0))
    refused(reader, ValueError, reader.argument, reader.logits()[..., :0])
    if reader.dims == 2:
        refused(reader, ValueError, reader.argument, torch.zeros(2))


@pytest.mark.parametrize("name", readers("mask"))
def test_masks(name):
    reader = READERS[name]
    logits = reader.logits()
    for mask in (torch.ones(4), torch.ones(4, dtype=torch.uint8), [True], np.ones(4, dtype=bool), 1):
        refused(reader, TypeError, "mask", logits, mask=mask)
    refused(reader, ValueError, "mask", logits, mask=torch.ones(11, dtype=torch.bool))
    # C would take the address 0 of such a mask for "no mask", and draw what is masked
    refused(reader, ValueError, "mask", logits, mask=torch.zeros((), dtype=torch.bool, device="meta"))


@pytest.mark.parametrize("name", [n for n, r in READERS.items() if r.tau])
def test_temperatures(name):
    reader = READERS[name]
    logits = reader.logits()
    for tau in (-1.0, -1, float("nan"), np.float32(-1.0), torch.tensor(-1.0), torch.tensor(float("nan"))):
        refused(reader, ValueError, reader.tau, logits, **{reader.tau: tau})
    refused(reader, ValueError, reader.tau, logits, **{reader.tau: torch.ones(7, 3, 2, 5, 11)})
    for tau in ("1.0", [0.5], True, 1j, torch.tensor(1), torch.ones(1).to(torch.float8_e5m2)):
        refused(reader, TypeError, reader.tau, logits, **{reader.tau: tau})
    refused(reader, TypeError, reader.tau, logits, **{reader.tau: torch.ones(1).to_sparse()})


@pytest.mark.parametrize("name", [n for n, r in READERS.items() if r.tau])
def test_numbers_of_numpy_are_temperatures(name):
    reader = READERS[name]
    logits = reader.logits()
    options = {"key": sd.Key(0)} if "key" in reader.takes else {}
    expected = reader.call(logits, **{reader.tau: 0.5}, **options)
    for tau in (np.float64(0.5), np.float32(0.5), np.array(0.5), np.array([0.5]), torch.tensor(0.5)):
        torch.testing.assert_close(reader.call(logits, **{reader.tau: tau}, **options), expected)


@pytest.mark.parametrize("name", [n for n in (*FUNCTIONS, *DISTRIBUTIONS) if READERS[n].tau])
def test_a_schedule_is_read_by_its_tau(name):
    """Functions and distributions keep nothing, so a schedule is no temperature: its .tau is."""
    reader, schedule = READERS[name], sd.schedules.Constant(0.5)
    with pytest.raises(TypeError, match=rf"{reader.tau}: got Constant.*pass the schedule's \.tau"):
        reader.call(reader.logits(), **{reader.tau: schedule})
    reader.call(reader.logits(), **{reader.tau: schedule.tau})


@pytest.mark.parametrize("name", readers("sample_shape"))
def test_sample_shapes(name):
    reader = READERS[name]
    for shape in (5, 2.5, "ab", (2.5,), (None,), torch.tensor([2])):
        refused(reader, TypeError, "sample_shape", reader.logits(), sample_shape=shape)
    refused(reader, ValueError, "sample_shape", reader.logits(), sample_shape=(-1,))


@pytest.mark.parametrize("name", readers("dim"))
def test_dims(name):
    reader = READERS[name]
    for dim in (2, -3):
        refused(reader, ValueError, "dim", reader.logits(), dim=dim)
    for dim in (1.0, "a", None, True):
        refused(reader, TypeError, "dim", reader.logits(), dim=dim)


@pytest.mark.parametrize("name", readers("noise"))
def test_noise(name):
    reader = READERS[name]
    for noise in (torch.zeros(4, dtype=torch.int64), [0.0], 0.0, torch.zeros(4).to_sparse()):
        refused(reader, TypeError, "noise", reader.logits(), noise=noise)
    refused(reader, ValueError, "noise", reader.logits(), noise=torch.zeros(11))
    refused(reader, ValueError, "noise", reader.logits(), noise=torch.zeros(4, device="meta"))


@pytest.mark.parametrize("name", readers("key", "generator"))
def test_sources(name):
    reader = READERS[name]
    logits = reader.logits()
    for key in (3, "key", torch.tensor(0)):
        refused(reader, TypeError, "key", logits, key=key)
    for generator in (3, np.random.default_rng()):
        refused(reader, TypeError, "generator", logits, generator=generator)
    refused(reader, ValueError, "key and generator", logits, key=sd.Key(0), generator=torch.Generator())
