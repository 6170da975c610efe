"""ST Gumbel-Softmax: the hard sample, with autograd through the soft one."""

import pytest
import torch

import softdraw as sd


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_is_that_of_the_soft_sample(tau, dtype):
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(64, 3, 5, generator=g, dtype=dtype).requires_grad_()
    upstream = torch.randn(64, 3, 5, generator=g, dtype=dtype)
    y = sd.estimators.get("st-gumbel-softmax", tau=tau)(logits, key=sd.Key(4))
    (got,) = torch.autograd.grad((y * upstream).sum(), logits)
    noise = sd.random.gumbel((64, 3, 5), key=sd.Key(4), dtype=dtype)
    soft = ((logits + noise) / tau).softmax(-1)
    (expected,) = torch.autograd.grad((soft * upstream).sum(), logits)
    torch.testing.assert_close(got, expected, rtol=2e-4, atol=2e-5 / tau)
    assert torch.equal(y.argmax(-1), (logits + noise).argmax(-1))
