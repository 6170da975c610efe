"""The table of bias, variance and cost."""

import copy

import pytest
import torch

import softdraw as sd
from softdraw.diagnostics.measures import measure

from ..statistics import assert_share

TOY = torch.zeros(1, 2)


def toy(z):
    return (z[..., 0, 0] - 0.45).square()


def cubic(z):
    weight = torch.linspace(-1.0, 1.5, z.shape[-2] * z.shape[-1]).view(z.shape[-2:])
    return (z * weight).sum((-1, -2)).pow(3)


def test_measures_against_numpy_by_hand():
    g = torch.Generator().manual_seed(0)
    truth = torch.tensor([[1.0, -1.0], [0.5, -0.5]], dtype=torch.float64)
    draws = truth + 0.3 + torch.randn(5000, 2, 2, generator=g, dtype=torch.float64)
    found = measure(draws, truth, estimator="x", tau=None, evaluations=1)
    assert abs(found.bias - 0.6) < 6 * found.bias_error  # 0.3 in each of four entries
    assert abs(found.variance - 4.0) < 6 * found.variance_error
    assert abs(found.mse - (4.0 + 0.36)) < 6 * found.mse_error
    assert 0.9 < found.bias_error * 5000**0.5 < 1.1
    torch.testing.assert_close(found.variance, float(draws.flatten(1).var(0).sum()))
    cosines = torch.nn.functional.cosine_similarity(draws.flatten(1), truth.flatten().unsqueeze(0))
    assert found.cosine == pytest.approx(float(cosines.mean()))


def test_dead_rows_are_counted():
    draws = torch.zeros(10, 2, 3)
    draws[:, 0] = 1.0
    draws[:5, 1] = 1e-9
    assert measure(draws, torch.ones(2, 3), estimator="x", tau=None, evaluations=1).dead == 0.5


def test_standard_errors_cover():
    """Over 200 repetitions the truth lies within two standard errors about 95 % of the time."""
    inside = 0
    for seed in range(200):
        g = torch.Generator().manual_seed(seed)
        draws = torch.randn(400, 1, 2, generator=g, dtype=torch.float64)
        found = measure(draws, torch.zeros(1, 2), estimator="x", tau=None, evaluations=1)
        inside += abs(found.variance - 2.0) < 2 * found.variance_error
    assert_share(inside, 200, 0.954)


def test_every_estimator_on_the_toy():
    result = sd.diagnostics.compare(toy, TOY, sd.estimators.names(), draws=400, key=sd.Key(0), warmup=20)
    assert not result.skipped
    assert len(result) == len(sd.estimators.names())
    torch.testing.assert_close(result.exact, torch.tensor([[0.025, -0.025]]))
    for row in result:
        # SE of the bias along its own direction: unbiased ones stay within 5
        est = sd.estimators.get(row.estimator)
        if est.unbiased and est.target == "expectation":
            assert row.bias <= 5 * row.bias_error + 1e-6, row
        assert row.seconds > 0
        assert row.evaluations == est.evaluations(1, 2)
    assert result["enumeration"].variance < 1e-12
    assert result.best().mse <= min(row.mse for row in result)
    text = str(result)
    assert all(name in text for name in sd.estimators.names())
    lines = result.to_csv().splitlines()
    assert len(lines) == 1 + len(result)
    assert lines[0].startswith("estimator,tau,draws,evaluations,bias,bias_error,variance")


def test_same_key_same_table():
    runs = [
        sd.diagnostics.compare(cubic, torch.zeros(2, 3), ["st", "rloo"], draws=50, key=sd.Key(3))
        for _ in "ab"
    ]
    for first, second in zip(*runs, strict=True):
        assert first.with_seconds(0, 0) == second.with_seconds(0, 0)


def test_draws_are_independent_of_the_batch():
    """Every element of a batch is estimated from its own draws, with f seeing ``[S, *batch, D, C]``."""
    shapes = set()

    def cost(z):
        shapes.add(tuple(z.shape[1:]))
        return cubic(z)

    sd.diagnostics.compare(
        cost, torch.zeros(4, 2, 3), ["reinmax", "rloo", "rebar"], draws=30, key=sd.Key(0), warmup=2
    )
    assert shapes == {(4, 2, 3)}


def test_state_is_trained_on_a_copy_and_then_frozen():
    est = sd.estimators.get("reinforce")
    before = copy.deepcopy(est.state_dict())
    with_warmup = sd.diagnostics.compare(toy, TOY, [est], draws=300, key=sd.Key(0), warmup=50)
    assert all(torch.equal(value, before[key]) for key, value in est.state_dict().items())
    bare = sd.diagnostics.compare(
        toy, TOY, [sd.estimators.get("reinforce", baseline="none")], draws=300, key=sd.Key(0)
    )
    assert with_warmup.rows[0].variance < 0.1 * bare.rows[0].variance
    assert with_warmup.warmup == 50


def test_what_cannot_serve_is_named_with_the_reason():
    result = sd.diagnostics.compare(
        lambda z: (z[..., 0] > 0.5).sum(-1).float(),
        torch.zeros(2, 3),
        ["arm", "st", "rloo"],
        draws=20,
        key=sd.Key(0),
    )
    assert [row.estimator for row in result] == ["rloo"]
    assert "binary" in result.skipped["arm"]
    assert "differentiable" in result.skipped["st"]
    with pytest.raises(KeyError, match="arm"):
        result["arm"]


def test_too_large_to_enumerate_uses_the_reference():
    result = sd.diagnostics.compare(cubic, torch.zeros(12, 4), ["rloo"], draws=20, key=sd.Key(0))
    assert result.exact_error is not None
    assert result.exact_error.norm() < 0.5 * result.exact.norm()


def test_vimco_is_measured_against_its_bound():
    row = sd.diagnostics.compare(toy, TOY, ["vimco"], draws=3000, key=sd.Key(0)).rows[0]
    assert row.bias < 5 * row.bias_error


def test_two_settings_of_one_estimator_are_told_apart():
    pair = [sd.estimators.get("st", tau=0.5), sd.estimators.get("st", tau=2.0)]
    result = sd.diagnostics.compare(cubic, torch.zeros(2, 3), pair, draws=20, key=sd.Key(0))
    assert [row.estimator for row in result] == [
        "StraightThrough(tau=0.5, samples=1)",
        "StraightThrough(tau=2.0, samples=1)",
    ]
    assert [row.tau for row in result] == [0.5, 2.0]


@pytest.mark.parametrize("error", [ValueError, TypeError, KeyError])
@pytest.mark.parametrize("name", sd.estimators.names())
def test_what_f_raises_is_raised(error, name):
    """After the exact gradient, which calls f first, no estimator swallows it."""
    calls = []

    def cost(z):
        calls.append(z)
        if len(calls) > 1:
            raise error("mine")
        return toy(z)

    with pytest.raises(error, match="mine") as raised:
        sd.diagnostics.compare(cost, TOY, [name], draws=20, key=sd.Key(0), timing=False)
    assert name in raised.value.__notes__[0]


def test_an_error_of_f_that_reads_like_a_refusal_is_still_raised():
    def cost(z):
        raise ValueError("max_states")

    with pytest.raises(ValueError, match="max_states"):
        sd.diagnostics.compare(cost, TOY, ["st"], draws=20, key=sd.Key(0))


def test_the_best_of_nothing_says_why():
    result = sd.diagnostics.compare(cubic, torch.zeros(2, 3), ["arm", "disarm"], draws=20, key=sd.Key(0))
    assert len(result) == 0
    assert result.to_csv() == ""
    with pytest.raises(ValueError, match=r"no estimator could serve this problem: arm: .*ARM serves binary"):
        result.best()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((toy, TOY, ["st"]), {"draws": 1}, ValueError, "draws: got 1, expected an int >= 2"),
        ((toy, TOY, ["st"]), {"draws": 2.5}, TypeError, "draws: got 2.5, expected an int >= 2"),
        ((toy, TOY, ["st"]), {"warmup": -1}, ValueError, "warmup: got -1, expected an int >= 0"),
        ((toy, TOY, []), {}, ValueError, "estimators: got none, expected one or more"),
        ((toy, TOY, [3]), {}, TypeError, "estimators: got 3, expected names"),
        ((toy, TOY, ["nothing"]), {}, ValueError, "got 'nothing', expected one of"),
        ((3, TOY, ["st"]), {}, TypeError, "f: got 3, expected a function"),
        ((toy, torch.zeros(2), ["st"]), {}, ValueError, "logits: got a tensor of shape"),
        ((toy, [[0.0, 0.0]], ["st"]), {}, TypeError, "logits: got"),
    ],
)
def test_arguments_are_checked(arguments, options, error, message):
    with pytest.raises(error, match=message):
        sd.diagnostics.compare(*arguments, **options)


def test_one_name_is_a_list_of_one():
    assert [row.estimator for row in sd.diagnostics.compare(toy, TOY, "rloo", draws=20, key=sd.Key(0))] == [
        "rloo"
    ]


def test_the_temperature_of_a_schedule_is_shown():
    est = sd.estimators.get("st", tau=sd.schedules.Constant(0.7))
    row = sd.diagnostics.compare(toy, TOY, [est], draws=20, key=sd.Key(0)).rows[0]
    assert row.tau == pytest.approx(0.7)
