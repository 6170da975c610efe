"""Any tensors that are legal: a mixture within its embeddings, and no gradient that is NaN."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdraw as sd

from .plain import KINDS

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@st.composite
def problems(draw):
    """Tensors of any shape, dtype and scale, with bias, mask and temperature."""
    rows = draw(st.lists(st.integers(0, 4), max_size=2))
    classes, width, out = (
        draw(st.sampled_from([1, 2, 3, 17, 260])),
        draw(st.integers(0, 5)),
        draw(st.integers(1, 4)),
    )
    dtype, generator = (
        draw(st.sampled_from(DTYPES)),
        torch.Generator().manual_seed(draw(st.integers(0, 2**31))),
    )
    scale = draw(st.sampled_from([0.0, 1.0, 30.0, 1e3]))

    def normal(*shape, by=1.0):
        return (torch.randn(shape, generator=generator) * by).to(dtype).requires_grad_()

    tied = draw(st.booleans())
    weight = normal(classes, width, by=scale)
    embedding = weight if tied else normal(classes, out)
    bias = None
    if draw(st.booleans()):
        pool = torch.tensor([0.0, 1.0, -1e4, 1e4, -math.inf], dtype=dtype)
        bias = pool[torch.randint(len(pool), (classes,), generator=generator)].requires_grad_()
    mask = None
    if draw(st.booleans()):
        shape = [*rows, classes] if draw(st.booleans()) else [classes]
        mask = torch.rand(shape, generator=generator) < 0.6
    tau = draw(st.sampled_from([0.0, 1e-40, 1e-8, 0.1, 1.0, 50.0, 1e30, math.inf, "rows"]))
    if tau == "rows":
        tau = torch.rand(rows, generator=generator) + 0.05
    return normal(*rows, width), weight, embedding, bias, mask, tau


@settings(max_examples=150, deadline=None)
@given(problems(), st.integers(0, 2**64), st.sampled_from(KINDS))
def test_values_and_gradients(problem, seed, kind):
    hidden, weight, embedding, bias, mask, tau = problem
    hard, estimator = kind
    value, index = sd.vocabulary.gumbel_softmax(
        hidden,
        weight,
        embedding,
        tau,
        hard,
        bias=bias,
        mask=mask,
        estimator=estimator,
        key=sd.Key(seed),
        return_index=True,
    )
    assert value.shape == (*hidden.shape[:-1], embedding.shape[1])
    assert value.dtype == hidden.dtype
    assert value.isfinite().all()
    assert ((index >= -1) & (index < weight.shape[0])).all()
    some = index >= 0
    if mask is not None:
        allowed = mask.expand(*index.shape, weight.shape[0])
        assert allowed[some].gather(-1, index[some].unsqueeze(-1)).all()
    assert (value[~some] == 0).all()
    # a mean of embeddings lies among them
    most = embedding.detach().double().abs().amax(0)
    slack = 1 + 4 * torch.finfo(value.dtype).eps
    assert (value.detach().double().abs() <= most * slack + 1e-6).all()
    learned = [*dict.fromkeys(one for one in (hidden, weight, embedding, bias) if one is not None)]
    for grad in torch.autograd.grad(value.float().sum(), learned, allow_unused=True):
        assert grad is None or not grad.isnan().any()
