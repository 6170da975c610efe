"""torch's default device is not the logits': all that an estimator makes lies where its logits do."""

import pytest
import torch

import softdraw as sd


@pytest.mark.parametrize("name", sd.estimators.names())
@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_the_same(name, masked):
    options = {"draws": 3} if "draws" in sd.estimators.get(name)._options() else {}
    est = sd.estimators.get(name, **options).eval()
    classes = 2 if est.binary else 4
    x = torch.randn(3, 2, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(3, 2, classes, dtype=torch.bool)
    mask[0, 0, 0] = False
    arguments = {"mask": mask if masked else None, "key": sd.Key(1)}

    def results():
        value = est.expectation(lambda z: (z[..., 0].sum(-1) - 0.3).square(), x, **arguments)
        yield value.detach()
        yield from torch.autograd.grad(value.sum(), x)
        if est.needs == "tensor":
            sample = est(x, **arguments)
            yield sample.detach()
            yield from torch.autograd.grad((sample * sample.detach()).sum(), x)
            yield est(x.detach(), **arguments)

    expected = list(results())
    with torch.device("meta"):
        found = list(results())
    for one, other in zip(found, expected, strict=True):
        assert one.device == x.device
        assert torch.equal(one, other)
