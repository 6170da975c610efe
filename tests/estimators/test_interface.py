"""What every estimator promises, run over the registry."""

import copy
import inspect
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdraw as sd
from softdraw.estimators import TensorEstimator
from softdraw.estimators._core.draws import Draws

NAMES = sd.estimators.names()
TENSOR = [name for name in NAMES if sd.estimators.get(name).needs == "tensor"]
SOFT = {"gumbel-softmax", "binary-concrete", "relaxed"}


def fast(name, **options):
    """The estimator with few conditional draws."""
    if "draws" in sd.estimators.get(name)._options():
        options.setdefault("draws", 3)
    return sd.estimators.get(name, **options)


def classes_of(name, many=4):
    return 2 if sd.estimators.get(name).binary else many


def quadratic(z):
    return (z[..., 0].sum(-1) - 0.3).square() + z[..., 0, 1]


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name):
    est = sd.estimators.get(name)
    assert est.name == name
    assert est.needs in ("tensor", "callable", "differentiable callable")
    assert est.target in ("expectation", "relaxed", "tempered", "bound")
    assert isinstance(est.unbiased, bool)
    assert est.reference
    assert (est.needs == "tensor") == isinstance(est, TensorEstimator)
    assert est.evaluations(3, classes_of(name)) >= 1
    assert type(est).__name__ in repr(est)


@pytest.mark.parametrize("name", NAMES)
def test_evaluations_is_what_f_sees(name):
    est = fast(name)
    seen = 0

    def cost(z):
        nonlocal seen
        seen += z.shape[0]
        return quadratic(z)

    classes = classes_of(name, 3)
    est.expectation(cost, torch.zeros(2, 3, classes, requires_grad=True), key=sd.Key(0))
    assert seen == est.evaluations(3, classes)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
def test_shapes_and_keys(name, batch):
    est, classes = fast(name), classes_of(name)
    est.eval()  # a moving baseline would make the second call differ
    logits = torch.randn(*batch, 3, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    results = []
    for key in (sd.Key(1), sd.Key(1), sd.Key(2)):
        value = est.expectation(quadratic, logits, key=key)
        assert value.shape == batch
        results.append((value.detach(), *torch.autograd.grad(value.sum(), logits)))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    if batch and name not in ("enumeration", "unordered-set"):  # one element may draw the same twice
        assert not torch.equal(results[0][1], results[2][1])


@pytest.mark.parametrize("name", NAMES)
def test_seeds_by_torch_and_by_generator(name):
    est, logits = fast(name).eval(), torch.zeros(4, 2, 2)
    values = []
    for seed in (3, 3):
        torch.manual_seed(seed)
        values.append(est.expectation(quadratic, logits))
    assert torch.equal(*values)
    values = [
        est.expectation(quadratic, logits, generator=torch.Generator().manual_seed(5)) for _ in range(2)
    ]
    assert torch.equal(*values)
    with pytest.raises(ValueError, match=r"key.*generator"):
        est.expectation(quadratic, logits, key=sd.Key(0), generator=torch.Generator())


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_cut_in_two_is_the_whole_batch(name):
    """Rows of a key: the second half drawn with key.rows(...) is the second half of the whole."""
    est, classes = fast(name, **({} if name == "enumeration" else {"samples": 3})).eval(), classes_of(name)
    logits = torch.randn(6, 2, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    whole = est.expectation(quadratic, logits, key=sd.Key(1))
    (gradient,) = torch.autograd.grad(whole.sum(), logits)
    half = logits.detach()[4:].clone().requires_grad_()
    part = est.expectation(quadratic, half, key=sd.Key(1).rows(4 * 2))
    torch.testing.assert_close(part, whole[4:])
    if name != "imle":
        torch.testing.assert_close(torch.autograd.grad(part.sum(), half)[0], gradient[4:])


@pytest.mark.parametrize("name", TENSOR)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_dtype_far_logits_and_padding(name, dtype):
    classes = classes_of(name)
    logits = 5 * torch.randn(5, 3, classes, generator=torch.Generator().manual_seed(0))
    logits[0, 0] = -math.inf
    logits[1, 1, 1:] = -math.inf
    logits[2, 0, 0] = 6e4
    logits[2, 1] += 3e4
    logits = logits.to(dtype).requires_grad_()
    mask = torch.ones(5, 3, classes, dtype=torch.bool)
    mask[3] = False
    y = fast(name)(logits, mask=mask, key=sd.Key(1))
    assert y.dtype == dtype
    assert y.shape == logits.shape
    if name not in SOFT:
        assert set(y.unique().tolist()) <= {0.0, 1.0}
    total = y.double().sum(-1)
    assert bool((total[3] == 0).all())
    assert total[0, 0] == 0
    rest = torch.ones(5, 3, dtype=torch.bool)
    rest[3], rest[0, 0] = False, False
    torch.testing.assert_close(total[rest], torch.ones_like(total[rest]), rtol=0, atol=0.01)
    assert y[1, 1, 0] == 1
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    (gradient,) = torch.autograd.grad((y * upstream).sum(), logits)
    assert bool(gradient.isfinite().all())
    assert bool((gradient[3] == 0).all())
    assert bool((gradient[0, 0] == 0).all())
    assert bool((gradient[1, 1] == 0).all())


@pytest.mark.parametrize("name", NAMES)
def test_padding_and_masks_in_expectation(name):
    classes = classes_of(name, 3)
    est = fast(name, **({} if name == "enumeration" else {"samples": 3}))
    logits = torch.randn(4, 2, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(4, 2, classes, dtype=torch.bool)
    mask[0] = False
    mask[1, 0, 0] = False
    mask[2, 1, 1:] = False
    value = est.expectation(quadratic, logits, mask=mask, key=sd.Key(0))
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert bool(value.isfinite().all())
    assert bool(gradient.isfinite().all())
    assert bool((gradient[~mask] == 0).all())
    assert bool((gradient[2, 1] == 0).all())
    expected = quadratic(torch.zeros(1, 2, classes))
    torch.testing.assert_close(value[:1], expected)


@pytest.mark.parametrize("name", TENSOR)
def test_nan_comes_out_as_nan(name):
    logits = torch.zeros(3, 2)
    logits[1, 0] = math.nan
    y = fast(name)(logits, key=sd.Key(0))
    assert bool(y[1].isnan().all())
    assert bool(y[[0, 2]].isfinite().all())


@pytest.mark.parametrize("name", [n for n in TENSOR if hasattr(sd.estimators.get(n), "tau")])
def test_temperature_per_row(name):
    """[n], [n, 1] and a loop over rows agree; a 0-dim tensor equals the float."""
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    upstream = torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    taus = torch.tensor([0.3, 0.7, 1.0, 2.0], dtype=torch.float64)

    def run(tau, rows=slice(None)):
        leaf = logits[rows].clone().requires_grad_()
        start = 0 if rows == slice(None) else rows.start
        y = fast(name, tau=tau)(leaf, key=sd.Key(3).rows(start))
        return torch.cat([y, *torch.autograd.grad((y * upstream[rows]).sum(), leaf)], -1).detach()

    each = torch.cat([run(float(tau), slice(i, i + 1)) for i, tau in enumerate(taus)])
    torch.testing.assert_close(run(taus), each)
    torch.testing.assert_close(run(taus.unsqueeze(-1)), each)
    torch.testing.assert_close(run(torch.tensor(0.7, dtype=torch.float64)), run(0.7))
    with pytest.raises(ValueError, match="tau: got a tensor of shape"):
        run(torch.ones(4, 2, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer
@pytest.mark.parametrize("name", TENSOR)
def test_compile_in_one_graph(name):
    """The compiled sample and gradient are the eager ones at the same key."""
    torch._dynamo.reset()
    est = fast(name)
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    upstream = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))

    def loss(x):
        return (est(x, key=sd.Key(5)) * upstream).sum()

    results = []
    for run in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        leaf = logits.clone().requires_grad_()
        results.append((run(leaf).detach(), *torch.autograd.grad(run(leaf), leaf)))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("name", TENSOR)
def test_vmap_and_grad(name):
    est = fast(name)
    logits = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0))
    y = torch.func.vmap(lambda x: est(x, key=sd.Key(1)))(logits)
    each = torch.stack([est(x, key=sd.Key(1)) for x in logits])
    torch.testing.assert_close(y, each)

    def loss(x):
        return (est(x, key=sd.Key(1)) * torch.arange(2.0)).sum()

    got = torch.func.vmap(torch.func.grad(loss))(logits)
    torch.testing.assert_close(got, torch.stack([torch.func.grad(loss)(x) for x in logits]))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own tracer
@pytest.mark.parametrize("name", TENSOR)
def test_fresh_noise_inside_transforms(name):
    """Without a key: every example of a vmap has its own noise, and a compiled call draws anew each time."""
    est = fast(name)
    logits = torch.zeros(64, 2, 2)

    def loss(x):
        y = est(x)
        return (y * torch.arange(2.0)).sum(), y

    torch.manual_seed(0)
    gradients, y = torch.func.vmap(torch.func.grad(loss, has_aux=True), randomness="different")(logits)
    assert len(y.reshape(64, -1).unique(dim=0)) > 1
    assert bool(gradients.isfinite().all())
    torch._dynamo.reset()
    run = torch.compile(lambda x: loss(x)[1], fullgraph=True, backend="aot_eager")
    torch.manual_seed(0)
    first, second = run(logits), run(logits)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(run(logits), first)


@pytest.mark.parametrize("name", NAMES)
def test_copies_and_state(name):
    est = fast(name)
    other = copy.deepcopy(est)
    logits = torch.zeros(3, 2, 2, requires_grad=True)
    for twin in (est, other):
        twin.expectation(quadratic, logits, key=sd.Key(1)).sum().backward()
    state = est.state_dict()
    fresh = fast(name)
    fresh.expectation(quadratic, logits, key=sd.Key(1))  # shapes what is lazily shaped
    fresh.load_state_dict(state)
    values = [e.eval().expectation(quadratic, logits, key=sd.Key(2)) for e in (est, fresh)]
    torch.testing.assert_close(*values)


@pytest.mark.parametrize("name", NAMES)
def test_errors_name_what_came(name):
    est, classes = fast(name), classes_of(name)
    good = torch.zeros(3, 2, classes)
    with pytest.raises(TypeError, match=r"logits: got a tensor .* of int64, expected"):
        est.expectation(quadratic, good.long())
    with pytest.raises(
        ValueError, match=r"logits: got a tensor of shape \(3,\).*expected shape \[\*batch, D, C\]"
    ):
        est.expectation(quadratic, torch.zeros(3))
    with pytest.raises(ValueError, match=r"logits: got a tensor of shape \(3, 0\)"):
        est.expectation(quadratic, torch.zeros(3, 0))
    with pytest.raises(TypeError, match=r"mask: got a tensor .* of float32, expected"):
        est.expectation(quadratic, good, mask=torch.ones(3, 2, classes))
    with pytest.raises(ValueError, match=r"mask: got a tensor of shape \(5,\)"):
        est.expectation(quadratic, good, mask=torch.ones(5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"f: got costs of shape"):
        est.expectation(lambda z: z.sum(), good.clone().requires_grad_(), key=sd.Key(0))
    with pytest.raises(TypeError, match=r"f: got costs that are 1.0"):
        est.expectation(lambda z: 1.0, good)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_checked(name):
    """A wrong type, a number out of range: each option of each estimator is named with what came."""
    options = inspect.signature(type(sd.estimators.get(name))).parameters
    checked = [option for option, p in options.items() if not isinstance(p.default, bool)]
    assert checked
    for option in checked:
        wrong_type = (object(), "many") if option != "baseline" else ()
        for wrong in wrong_type:
            with pytest.raises((TypeError, ValueError), match=f"^{option}: got .*expected") as caught:
                sd.estimators.get(name, **{option: wrong})
            assert caught.type is TypeError or (option, wrong) == ("gap", "many")
        for wrong in (math.nan, -1.0, -1):
            if isinstance(wrong, float) and isinstance(options[option].default, int):
                continue
            if option == "eta" and wrong == -1.0:
                continue
            with pytest.raises((TypeError, ValueError), match=f"^{option}: got .*expected") as caught:
                sd.estimators.get(name, **{option: wrong})
            whole = option in ("draws", "samples", "hidden", "steps", "max_states", "chunk")
            assert caught.type is (TypeError if whole and isinstance(wrong, float) else ValueError)


@pytest.mark.parametrize("name", [n for n in NAMES if sd.estimators.get(n).binary])
def test_binary_estimators_refuse_more_classes(name):
    with pytest.raises(ValueError, match=r"\(2, 3\).*binary"):
        sd.estimators.get(name).expectation(quadratic, torch.zeros(2, 3))


@pytest.mark.parametrize("name", [n for n in NAMES if sd.estimators.get(n).needs != "callable"])
def test_black_box_is_refused(name):
    """Costs that leave autograd would give a silent zero; so would costs that depend on parameters alone."""
    est = fast(name)
    logits = torch.zeros(2, 2, requires_grad=True)
    scale = torch.tensor(2.0, requires_grad=True)
    for cost in (
        lambda z: z.detach()[..., 0].sum(-1),
        lambda z: z.detach()[..., 0].sum(-1) * scale,
        lambda z: (z[..., 0] > 0.5).sum(-1) * scale,
    ):
        with pytest.raises(ValueError, match="differentiable in its samples"):
            est.expectation(cost, logits, key=sd.Key(0))


@pytest.mark.parametrize("name", [n for n in NAMES if sd.estimators.get(n).needs == "callable"])
def test_black_box_is_served(name):
    logits = torch.zeros(4, 2, 2, requires_grad=True)
    value = fast(name).expectation(lambda z: (z[..., 0] > 0.5).sum(-1).float(), logits, key=sd.Key(0))
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("name", NAMES)
def test_without_gradients(name):
    with torch.no_grad():
        value = fast(name).expectation(quadratic, torch.zeros(3, 2, 2), key=sd.Key(0))
    assert not value.requires_grad
    assert value.shape == (3,)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_shape_and_mask(data):
    """Random shapes, masks, values and dtypes: finite, zero where forbidden, the right shape."""
    name = data.draw(st.sampled_from([n for n in NAMES if n not in ("enumeration", "indecater")]))
    classes = classes_of(name, data.draw(st.integers(1, 5)))
    batch = data.draw(st.lists(st.integers(0, 3), max_size=2))
    variables = data.draw(st.integers(1, 3))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    seed = data.draw(st.integers(0, 1000))
    g = torch.Generator().manual_seed(seed)
    scale = data.draw(st.sampled_from([0.0, 1.0, 50.0]))
    logits = (scale * torch.randn(*batch, variables, classes, generator=g)).to(dtype).requires_grad_()
    mask = torch.rand(*batch, variables, classes, generator=g) < data.draw(st.sampled_from([0.2, 0.7, 1.0]))
    value = fast(name).expectation(
        lambda z: (z * torch.arange(1.0, classes + 1)).sum((-1, -2)).square(),
        logits,
        mask=mask,
        key=sd.Key(seed),
    )
    assert value.shape == tuple(batch)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    assert bool(value.isfinite().all())
    assert bool(gradient.isfinite().all())
    assert bool((gradient[~mask] == 0).all())


def test_a_key_that_a_single_relaxed_draw_took_is_not_asked_for_again():
    draws = Draws(None, None, None)
    draws.relaxed(torch.zeros(2, 3), 0.5, hard=False, mask=None)
    with pytest.raises(RuntimeError, match="not kept"):
        draws.key.fold_in(1)
    kept = Draws(sd.Key(1), None, None)
    kept.relaxed(torch.zeros(2, 3), 0.5, hard=False, mask=None)
    assert kept.key == sd.Key(1)
