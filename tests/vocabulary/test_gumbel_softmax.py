"""sd.vocabulary.gumbel_softmax is the plain form without its logits: values, gradients, and what is not a
number."""

import math

import pytest
import torch

import softdraw as sd
from softdraw.kernels.vocabulary import tiles

from .plain import ESTIMATORS, KINDS, mixture, problem

KEY = sd.Key(3).rows(11)
draw = sd.vocabulary.gumbel_softmax


def gradients(value, inputs, upstream):
    found = torch.autograd.grad(value, inputs, upstream, allow_unused=True)
    return [torch.zeros_like(one) if grad is None else grad for one, grad in zip(inputs, found, strict=True)]


def assert_the_same(inputs, tau, hard, estimator, mask=None, tolerance=1e-11):
    hidden, weight, embedding, bias = inputs
    options = {"bias": bias, "mask": mask, "estimator": estimator, "key": KEY}
    ours = draw(hidden, weight, embedding, tau, hard, **options)
    theirs = mixture(hidden, weight, embedding, tau, hard, **options)
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    learned = [*dict.fromkeys(one for one in inputs if one is not None and one.requires_grad)]
    if isinstance(tau, torch.Tensor) and tau.requires_grad and estimator != "reinmax":
        learned.append(tau)
    upstream = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(
        ours.dtype
    )
    for one, two in zip(*(gradients(value, learned, upstream) for value in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
@pytest.mark.parametrize("tied", [False, True], ids=["two tables", "tied"])
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("tau", [1.0, 0.6, "number", "rows"])
def test_values_and_gradients_are_those_of_the_plain_form(hard, estimator, tied, bias, tau):
    inputs = problem(tied=tied, bias=bias)
    if tau == "number":
        tau = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    elif tau == "rows":
        tau = torch.linspace(0.4, 1.5, 5, dtype=torch.float64).requires_grad_()
    assert_the_same(inputs, tau, hard, estimator)
    mask = torch.rand(5, 1003, generator=torch.Generator().manual_seed(2)) < 0.6
    assert_the_same(inputs, tau, hard, estimator, mask)
    assert_the_same(inputs, tau, hard, estimator, mask[0])


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
@pytest.mark.parametrize("classes", [1, 2, 7, 256, 257, 3001])
@pytest.mark.parametrize("rows", [(), (1,), (0,), (2, 3), (700,)])
def test_any_number_of_classes_and_any_shape_of_rows(hard, estimator, classes, rows):
    assert_the_same(problem(rows, classes, 3, 2), 0.8, hard, estimator)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
@pytest.mark.parametrize("learns", ["hidden", "weight", "embedding", "bias", "tau", "weight and embedding"])
@pytest.mark.parametrize("tied", [False, True], ids=["two tables", "tied"])
def test_frozen_parts(hard, estimator, learns, tied):
    names = ("hidden", "weight", "embedding", "bias")
    tau = torch.tensor(0.7, dtype=torch.float64, requires_grad=learns == "tau")
    inputs = list(problem(classes=600))
    inputs = [one.detach().requires_grad_(name in learns) for name, one in zip(names, inputs, strict=True)]
    if tied:
        inputs[2] = inputs[1]
    if not any(one.requires_grad for one in (*inputs, tau)) or (learns == "tau" and estimator == "reinmax"):
        pytest.skip("nothing learns")
    assert_the_same(tuple(inputs), tau, hard, estimator)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
def test_the_index_is_that_of_gumbel_max(hard, estimator):
    hidden, weight, embedding, bias = problem((40,), 900, dtype=torch.float64)
    got = draw(
        hidden, weight, embedding, 0.5, hard, bias=bias, estimator=estimator, key=KEY, return_index=True
    )
    assert torch.equal(got.index, sd.gumbel_max(hidden @ weight.mT + bias, key=KEY))
    if hard and estimator != "entropy-weighted":
        assert torch.equal(got.value, embedding[got.index])
    with torch.no_grad():
        again = draw(hidden, weight, embedding, 0.5, hard, bias=bias, estimator=estimator, key=KEY)
    assert torch.equal(got.value, again)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
def test_rows_without_an_allowed_class_and_rows_with_nan(hard, estimator):
    hidden, weight, embedding, bias = problem((4,), 300)
    hidden = hidden.detach()
    hidden[2] = math.nan
    hidden.requires_grad_()
    mask = torch.ones(4, 300, dtype=torch.bool)
    mask[1] = False
    tau = torch.full((4,), 0.7, dtype=torch.float64, requires_grad=True)
    options = {"bias": bias, "mask": mask, "estimator": estimator, "key": KEY}
    value, index = draw(hidden, weight, embedding, tau, hard, **options, return_index=True)
    assert index[1] == index[2] == -1
    assert (index[[0, 3]] >= 0).all()
    assert (value[1] == 0).all()
    assert value[2].isnan().all()
    learned = [hidden, weight, embedding, bias, *([] if estimator == "reinmax" else [tau])]
    grads = gradients(value, learned, torch.ones_like(value))
    assert (grads[0][[1, 2]] == 0).all()
    # as if the two rows were not there
    keep = [0, 3]
    left = [KEY.rows(row) for row in keep]
    parts = [
        mixture(
            hidden[i], weight, embedding, tau[i], hard, bias=bias, mask=mask[i], estimator=estimator, key=k
        )
        for i, k in zip(keep, left, strict=True)
    ]
    expected = gradients(torch.stack(parts), learned, torch.ones(2, 6, dtype=torch.float64))
    for one, two in zip(grads[1:4], expected[1:4], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
@pytest.mark.parametrize("tau", [0.0, 1e-300, 1e-8, 1e30, math.inf])
def test_extreme_temperatures(hard, estimator, tau):
    if estimator == "entropy-weighted":
        # the plain form written above divides by tau; the limits are the argmax and the uniform mixture
        hidden, weight, embedding, bias = problem(classes=300)
        value, index = draw(
            hidden, weight, embedding, tau, True, estimator=estimator, key=KEY, return_index=True
        )
        logits = hidden @ weight.mT
        expected = embedding[logits.argmax(-1)] if tau < 1 else embedding[index]
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        return
    inputs = problem(classes=300)
    tolerance = 1e-6 if 0 < tau < 1 else 1e-11  # 1 / tau times rounding
    hidden, weight, embedding, bias = inputs
    options = {"bias": bias, "estimator": estimator, "key": KEY}
    ours = draw(hidden, weight, embedding, tau, hard, **options)
    theirs = mixture(hidden, weight, embedding, tau, hard, **options)
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    for grad in gradients(ours, [hidden, weight, embedding, bias], torch.ones_like(ours)):
        assert grad.isfinite().all()
    assert_the_same(inputs, tau, hard, estimator, tolerance=tolerance) if tau != 1e-300 else None


@pytest.mark.parametrize("row", [[0.0, 1.0, 0.7], [1.0, 0.0, math.inf]])
@pytest.mark.parametrize(("hard", "estimator"), [kind for kind in KINDS if kind[1] != "entropy-weighted"])
def test_rows_of_extreme_and_of_usual_temperatures(row, hard, estimator):
    tau = torch.tensor(row, dtype=torch.float64)
    assert_the_same(problem((3,), 300), tau, hard, estimator)


def test_a_constant_added_to_a_row_changes_nothing():
    hidden, weight, embedding, _ = problem((8,), 2000, dtype=torch.float32)
    shifted = torch.full((2000,), 2.0**20, dtype=torch.float32)
    # logits that float32 holds exactly at both places
    hidden, weight = hidden.detach().round(), weight.detach().round()
    one = draw(hidden, weight, embedding, 0.5, key=KEY, return_index=True)
    two = draw(hidden, weight, embedding, 0.5, bias=shifted, key=KEY, return_index=True)
    assert torch.equal(one.index, two.index)
    torch.testing.assert_close(one.value, two.value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("tied", [False, True], ids=["two tables", "tied"])
def test_narrow_dtypes_are_computed_in_float32(hard, estimator, dtype, tied):
    inputs = problem((6,), 700, 16, tied=tied, dtype=dtype)
    wide = [one.detach().float().requires_grad_() for one in inputs]
    if tied:
        wide[2] = wide[1]
    values = []
    for hidden, weight, embedding, bias in (inputs, wide):
        learned = [*dict.fromkeys((hidden, weight, embedding, bias))]
        value = draw(hidden, weight, embedding, 0.7, hard, bias=bias, estimator=estimator, key=KEY)
        upstream = torch.linspace(-1, 1, value.numel()).reshape(value.shape).to(dtype)
        values.append((value, *gradients(value, learned, upstream.to(value.dtype))))
    eps = torch.finfo(dtype).eps
    for narrow, plain in zip(*values, strict=True):
        assert narrow.dtype == dtype
        torch.testing.assert_close(narrow.float(), plain.float(), rtol=eps, atol=1e-6)
    # and float32 is the plain form to its own rounding
    if dtype == torch.float32 and estimator != "entropy-weighted":
        theirs = mixture(*inputs[:3], 0.7, hard, bias=inputs[3], estimator=estimator, key=KEY)
        torch.testing.assert_close(values[0][0], theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("hard", "estimator"), KINDS)
def test_tiles_of_any_size_give_the_same(hard, estimator, monkeypatch):
    found = []
    for class_bytes, tile_bytes, rows in ((4 << 20, 1 << 20, 512), (1, 1, 3), (1 << 16, 1 << 16, 7)):
        monkeypatch.setattr(tiles, "_CLASS_BYTES", class_bytes)
        monkeypatch.setattr(tiles, "_TILE_BYTES", tile_bytes)
        monkeypatch.setattr(tiles, "MOST_ROWS", rows)
        hidden, weight, embedding, bias = problem((20,), 2500)
        tau = torch.linspace(0.4, 1.5, 20, dtype=torch.float64).requires_grad_()
        value, index = draw(
            hidden, weight, embedding, tau, hard, bias=bias, estimator=estimator, key=KEY, return_index=True
        )
        found.append(
            (index, value, *gradients(value, [hidden, weight, embedding, bias, tau], torch.ones_like(value)))
        )
    for other in found[1:]:
        assert torch.equal(found[0][0], other[0])
        for one, two in zip(found[0][1:], other[1:], strict=True):
            torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)


def test_a_chunk_of_the_rows_draws_what_the_whole_does():
    hidden, weight, embedding, bias = problem((20,), 500)
    whole = draw(hidden, weight, embedding, bias=bias, key=KEY)
    parts = [draw(hidden[i : i + 4], weight, embedding, bias=bias, key=KEY.rows(i)) for i in range(0, 20, 4)]
    torch.testing.assert_close(whole, torch.cat(parts), rtol=1e-12, atol=1e-12)


def test_strides_are_no_matter():
    hidden, weight, embedding, bias = (one.detach() for one in problem((6,), 400))
    expected = draw(hidden, weight, embedding, bias=bias, key=KEY)
    turned = [one.mT.contiguous().mT for one in (hidden, weight, embedding)]
    doubled = torch.stack((bias, bias), 1)[:, 0]
    torch.testing.assert_close(draw(*turned, bias=doubled, key=KEY), expected, rtol=1e-12, atol=1e-12)
    mask = torch.rand(400, 6, generator=torch.Generator().manual_seed(0)).mT < 0.5
    one, two = (draw(hidden, weight, embedding, mask=m, key=KEY) for m in (mask, mask.contiguous()))
    assert torch.equal(one, two)


def test_second_derivatives_are_refused():
    hidden, weight, embedding, _ = problem((3,), 50)
    value = draw(hidden, weight, embedding, key=KEY)
    (grad,) = torch.autograd.grad(value.sum(), hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="its gradient was differentiated again"):
        grad.sum().backward()


def test_generators_and_manual_seed_repeat_a_draw():
    hidden, weight, embedding, _ = problem((3,), 50)
    one, two = (draw(hidden, weight, embedding, generator=torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(one, two)
    with torch.random.fork_rng():
        one, two = ((torch.manual_seed(5), draw(hidden, weight, embedding))[1] for _ in range(2))
    assert torch.equal(one, two)
    with pytest.raises(ValueError, match="key and generator: got both"):
        draw(hidden, weight, embedding, key=KEY, generator=torch.Generator())


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"hidden": torch.zeros(3, 7).long()}, TypeError, "hidden: got "),
        ({"hidden": torch.tensor(0.0)}, ValueError, "hidden: got .* expected shape"),
        ({"hidden": [1.0]}, TypeError, "hidden: got "),
        ({"weight": torch.zeros(50, 6)}, ValueError, r"weight: got .* expected shape \[V, 7\]"),
        ({"weight": torch.zeros(7)}, ValueError, r"weight: got .* expected shape \[V, 7\]"),
        (
            {"weight": torch.zeros(0, 7), "embedding": torch.zeros(0, 2)},
            ValueError,
            "weight: got .* 1 class or more",
        ),
        ({"weight": None}, TypeError, "weight: got None"),
        ({"embedding": torch.zeros(49, 6)}, ValueError, r"embedding: got .* expected shape \[50, e\]"),
        ({"embedding": torch.zeros(50, 6, device="meta")}, ValueError, "embedding: got a tensor on meta"),
        ({"bias": torch.zeros(49)}, ValueError, r"bias: got .* expected shape \[50\]"),
        ({"bias": torch.zeros(50, dtype=torch.int32)}, TypeError, "bias: got "),
        ({"mask": torch.ones(3, 49, dtype=torch.bool)}, ValueError, "mask: got "),
        ({"mask": torch.ones(3, 50)}, TypeError, "mask: got "),
        ({"tau": -1.0}, ValueError, "tau: got -1.0"),
        ({"tau": torch.tensor([1.0, 2.0])}, ValueError, "tau: got "),
        ({"tau": torch.tensor([1.0, -2.0, 1.0])}, ValueError, "tau: got a tensor that holds -2.0"),
        ({"tau": "1"}, TypeError, "tau: got "),
        ({"estimator": "rloo", "hard": True}, ValueError, "estimator: got 'rloo', expected one of"),
        (
            {"estimator": "st"},
            ValueError,
            "estimator: got 'st', expected 'st-gumbel-softmax' beside hard=False",
        ),
        ({"key": 0}, TypeError, "key: got 0"),
    ],
)
def test_what_is_wrong_is_named(change, error, text):
    given = {
        "hidden": torch.zeros(3, 7),
        "weight": torch.zeros(50, 7),
        "embedding": torch.zeros(50, 6),
        **change,
    }
    with pytest.raises(error, match=text):
        draw(**given)


def test_names_of_estimators_are_those_of_softdraw_estimators():
    assert set(ESTIMATORS) - set(sd.estimators.names()) == {"entropy-weighted"}
