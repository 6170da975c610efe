"""A default device that is not the logits': everything stays with the logits (torch-harmonics#86)."""

import pytest
import torch

import softdraw as sd

from .readers import READERS


@pytest.mark.parametrize("given", ["key", "generator", "nothing", "mask", "float64"])
@pytest.mark.parametrize("name", READERS)
def test_draws_and_gradients_lie_with_the_logits(name, given):
    """C was handed memory of the default device: a crash, or an answer on another device."""
    reader = READERS[name]
    # the weights of a layer are float32, and its input is multiplied by them
    wide = given == "float64" and reader.argument != "x"
    logits = reader.logits(dtype=torch.float64 if wide else torch.float32)
    options = {"key": sd.Key(0)} if given == "key" else {}
    if given == "generator":
        options["generator"] = torch.Generator()
    options = {name: value for name, value in options.items() if name in reader.takes}
    if given == "mask" and "mask" in reader.takes:
        options["mask"] = torch.ones((), dtype=torch.bool)
    results = []
    for device in ("cpu", "meta"):
        x = logits.clone().requires_grad_()
        torch.manual_seed(0)
        if "generator" in options:
            options["generator"].manual_seed(0)
        with torch.device(device):
            value = reader.call(x, **options)
            if value.requires_grad:
                value.float().square().sum().backward()
        results.append((value.detach().as_subclass(torch.Tensor), x.grad))
    torch.testing.assert_close(*results, equal_nan=True)


@pytest.mark.parametrize("name", [n for n, r in READERS.items() if r.tau])
def test_a_temperature_is_moved_to_the_logits(name):
    reader = READERS[name]
    tau = torch.tensor(0.5)
    options = {"key": sd.Key(0)} if "key" in reader.takes else {}
    expected = reader.call(reader.logits(), **{reader.tau: tau}, **options)
    with torch.device("meta"):
        got = reader.call(reader.logits(device="cpu"), **{reader.tau: tau}, **options)
    torch.testing.assert_close(got, expected)
