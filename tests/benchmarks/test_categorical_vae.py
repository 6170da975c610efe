"""The VAE's bound against a sum that is written out, its gradients' measures against theory, and its runs."""

import itertools
import json

import pytest
import torch

import softdraw as sd


@pytest.fixture
def model():
    from benchmarks.categorical_vae.model import CategoricalVAE
    from benchmarks.categorical_vae.settings import Latents

    torch.manual_seed(0)
    return CategoricalVAE(Latents(classes=3, variables=2))


@pytest.fixture
def images():
    return torch.rand(5, 784, generator=torch.Generator().manual_seed(0))


def test_the_exact_bound_is_the_sum_over_all_states(model, images):
    from benchmarks.categorical_vae.model import exact_bound

    total = 0.0
    with torch.no_grad():
        for image in images:
            probs = model.logits(image[None])[0].softmax(-1)
            for one, two in itertools.product(range(3), repeat=2):
                code = torch.nn.functional.one_hot(torch.tensor([one, two]), 3).float()
                q = probs[0, one] * probs[1, two]
                pixels = model.decoder(code.flatten()[None])[0]
                lost = torch.nn.functional.binary_cross_entropy_with_logits(pixels, image, reduction="sum")
                total += float(q * (lost + q.log() - torch.tensor(1 / 9).log()))
    assert exact_bound(model, images, rows=2) == pytest.approx(total / 5, rel=1e-5)


def test_the_loss_is_the_bound_of_one_draw(model, images):
    """Of an estimator that sums over all states, the bound itself."""
    from benchmarks.categorical_vae.model import drawing, exact_bound, loss_of

    with torch.no_grad():  # so that codes differ
        model.encoder[-1].weight.mul_(20)
        model.decoder[0].weight.mul_(5)
        exact = exact_bound(model, images)
        assert float(loss_of(model, sd.estimators.get("enumeration"), images).mean()) == pytest.approx(exact)
        torch.manual_seed(0)
        lost = loss_of(model, drawing("reinmax", 1.3), images.repeat(2000, 1)).view(2000, 5).mean(1)
    assert abs(float(lost.mean()) - exact) < 4.5 * float(lost.std()) / 2000**0.5


@pytest.mark.parametrize("name", ["st", "st-gumbel-softmax", "gumbel-rao", "gapped-st", "reinmax", "package"])
def test_estimators_have_the_temperature_that_is_asked_for(model, images, name):
    from benchmarks.categorical_vae.model import drawing, lost_by
    from benchmarks.categorical_vae.settings import PACKAGE

    if name == "package":
        pytest.importorskip("reinmax")
        name = PACKAGE
    found = []
    for tau in (1.5, 1.5, 4.0):
        torch.manual_seed(0)
        logits = model.logits(images).detach().requires_grad_()
        lost_by(model, drawing(name, tau), logits, images).sum().backward()
        found.append(logits.grad)
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_one_draw_an_image_estimates_the_same_bound(model, images):
    from benchmarks.categorical_vae.model import exact_bound, sampled_bound

    with torch.no_grad():  # so that codes differ
        model.encoder[-1].weight.mul_(20)
        model.decoder[0].weight.mul_(5)
    many = images[:1].expand(3000, -1)
    drawn = [sampled_bound(model, many, seed) for seed in range(5)]
    spread = torch.tensor(drawn).std() / 5**0.5
    assert abs(sum(drawn) / 5 - exact_bound(model, images[:1])) < 4.5 * float(spread)
    # every part has noise of its own, which is that of the whole
    assert sampled_bound(model, many, 0, rows=700) == pytest.approx(drawn[0], rel=1e-5)
    assert float(spread) > 0


def test_the_measured_gradient_is_that_of_theory(model, images):
    """Unbiased estimators have no bias; the exact gradient is that of enumeration; one draw has variance."""
    from benchmarks.categorical_vae.gradients import _costs, _exact, gradient_of

    with torch.no_grad():
        model.decoder[0].weight.mul_(5)
        logits, costs = model.logits(images), _costs(model, images)
    exact = sd.diagnostics.exact_gradient(lambda z: model.cost(z, images), logits)
    torch.testing.assert_close(_exact(logits, costs), exact, rtol=1e-3, atol=1e-3 * float(exact.abs().max()))
    fair = gradient_of(model, sd.estimators.get("rloo", samples=4), images, 600, seed=0)
    assert abs(fair.bias) < 5 * fair.variance / 600**0.5
    assert fair.cosine > 0.9
    biased = gradient_of(model, sd.estimators.get("st", tau=5.0), images, 600, seed=0)
    assert biased.bias > 0.3
    assert fair.variance > 0
    # few draws add to the distance of their mean: that is taken off, and their variance is the same
    few = [gradient_of(model, sd.estimators.get("rloo", samples=4), images, 50, seed) for seed in range(20)]
    bias = torch.tensor([one.bias for one in few])
    assert abs(float(bias.mean())) < 4.5 * float(bias.std()) / 20**0.5 < fair.variance / 50
    assert sum(one.variance for one in few) / 20 == pytest.approx(fair.variance, rel=0.1)


def test_as_many_gradients_are_drawn_as_are_asked_for(model, images):
    from benchmarks.categorical_vae.gradients import gradient_of

    drawn = []

    def draw(logits):
        drawn.append(len(logits))
        return sd.gumbel_softmax(logits, hard=True)

    gradient_of(model, draw, images, 70, seed=0)
    assert sum(drawn) == 70 * len(images)


@pytest.fixture
def few_states(monkeypatch):
    """Settings of two choices among three, which are judged in no time."""
    from benchmarks.categorical_vae import settings

    monkeypatch.setitem(settings.LATENTS, "3x2", settings.Latents(classes=3, variables=2))
    return lambda estimator: settings.Setting("3x2", estimator, 1.0, 1e-3, "Adam")


@pytest.fixture
def few_draws(monkeypatch):
    from benchmarks.categorical_vae import training

    monkeypatch.setattr(training, "DRAWS", 50)


@pytest.mark.parametrize("latents", ["8x4", "2x12"])
@pytest.mark.usefixtures("few_draws")
def test_every_estimator_learns(mnist, latents):
    from benchmarks.categorical_vae.settings import ESTIMATORS, setting_of
    from benchmarks.categorical_vae.training import Images, train

    images = Images.read(mnist)
    assert images.train.shape == (60, 784)
    assert float(images.train.max()) == 1.0
    images.train = images.train.repeat(2, 1)
    for name in ("reinmax", "rloo", "redge") if latents == "8x4" else ("disarm",):
        assert name in ESTIMATORS
        curve = train(setting_of(latents, name), images, 0, 25, points=1)["curve"]
        assert [entry["step"] for entry in curve] == [0, 25]
        assert curve[1]["test"] < curve[0]["test"] - 50  # of 543 nats for pixels at one half
        assert {"bias", "variance", "cosine", "seconds", "tau"} <= set(curve[1])


@pytest.fixture
def images_of_halves(mnist):
    from benchmarks.categorical_vae.training import Images

    images = Images.read(mnist)
    images.train = images.train.repeat(2, 1)
    return images


@pytest.mark.usefixtures("few_draws")
def test_a_schedule_is_stepped_and_its_temperature_kept(images_of_halves, few_states):
    from benchmarks.categorical_vae.training import schedules, train

    falling = sd.schedules.Adaptive(start=2.0, factor=0.9, every=1, max_variance=None, max_dead=1.0)
    for tau, last in ((schedules(20)["exponential"](), 0.5), (falling, 2.0 * 0.9**20)):
        began = tau.value
        curve = train(few_states("st-gumbel-softmax"), images_of_halves, 0, 20, points=1, tau=tau)["curve"]
        assert [entry["tau"] for entry in curve] == pytest.approx([began, last])
    assert 0.0 <= curve[1]["dead"] == falling.measured.dead <= 1.0


def test_schedules_are_what_the_page_says():
    from benchmarks.categorical_vae.training import schedules

    found = {name: make() for name, make in schedules(3000).items()}
    falling = found["exponential"]
    assert falling.at(0) == 1.0
    assert falling.at(1000) == pytest.approx(0.5**0.5)
    assert falling.at(1950) > 0.505
    assert falling.at(2000) == pytest.approx(0.5)
    ready = found["adaptive"], found["adaptive-half"]
    assert [(one.value, one.floor, one.every) for one in ready] == [(2.0, 0.1, 50)] * 2
    usual = sd.schedules.Adaptive(start=2.0)
    assert (ready[0].max_dead, ready[0].max_variance) == (usual.max_dead, usual.max_variance)
    assert (ready[1].max_dead, ready[1].max_variance) == (0.5, None)


@pytest.mark.usefixtures("few_draws")
def test_the_last_point_is_of_all_images(images_of_halves, few_states, monkeypatch):
    from benchmarks.categorical_vae import training

    judged, exact_bound = [], training.exact_bound
    monkeypatch.setattr(training, "JUDGED", 15)
    monkeypatch.setattr(
        training, "exact_bound", lambda model, part: judged.append(len(part)) or exact_bound(model, part)
    )
    training.train(few_states("reinmax"), images_of_halves, 0, 2, points=2)
    assert judged == [15, 15, 15, 15, 120, 20]


@pytest.mark.usefixtures("few_draws")
def test_judging_changes_nothing(images_of_halves, few_states):
    """Neither weights nor what an adaptive schedule sees."""
    from benchmarks.categorical_vae.training import train

    last, seen = [], []
    for points in (1, 6):
        tau = sd.schedules.Adaptive(start=2.0, floor=0.1, factor=0.9, every=6)
        found = train(few_states("st-gumbel-softmax"), images_of_halves, 0, 18, points=points, tau=tau)
        last.append({**found["curve"][-1], "seconds": 0})
        seen.append(tau.measured)
    assert last[0] == last[1]
    assert seen[0] == seen[1]
    assert seen[0].rows == 6 * 100 * 2  # those of the last window


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("name", ["reinmax", "st-gumbel-softmax"])
def test_a_run_that_was_broken_off_goes_on_where_it_was(
    images_of_halves, few_states, tmp_path, monkeypatch, name
):
    from benchmarks.categorical_vae import training

    def run(halfway=None):
        tau = None if name == "reinmax" else sd.schedules.Adaptive(start=2.0, every=3)
        found = training.train(few_states(name), images_of_halves, 0, 12, points=3, tau=tau, halfway=halfway)
        return [{**entry, "seconds": 0} for entry in found["curve"]]

    whole, calls, loss_of = run(), [], training.loss_of

    def broken(*arguments):
        calls.append(1)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return loss_of(*arguments)

    monkeypatch.setattr(training, "loss_of", broken)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.pt")
    assert run(tmp_path / "run.pt") == whole
    assert len(calls) == 10 + 4  # from step 8 on


def test_a_run_that_is_there_is_not_done_again(tmp_path):
    from benchmarks.runs import keep, kept, run_once

    calls = []

    def make(halfway):
        calls.append(1)
        assert kept(halfway, {"seed": 0}) is None
        keep(halfway, {"seed": 0, "weights": torch.ones(2)})
        assert kept(halfway, {"seed": 1}) is None
        assert kept(halfway, {"seed": 0})["weights"].tolist() == [1.0, 1.0]
        return {"curve": [len(calls)]}

    first = run_once(tmp_path / "a" / "run.json", {"seed": 0}, make)
    assert run_once(tmp_path / "a" / "run.json", {"seed": 0}, make) == first
    assert json.loads((tmp_path / "a" / "run.json").read_text()) == {"curve": [1], "seed": 0}
    assert run_once(tmp_path / "a" / "run.json", {"seed": 1}, make)["curve"] == [2]
    assert len(list((tmp_path / "a").iterdir())) == 1  # nothing unfinished is left


def test_what_cannot_serve_is_refused():
    from benchmarks.categorical_vae.settings import setting_of

    with pytest.raises(SystemExit, match="disarm serves binary choices, not 8x4"):
        setting_of("8x4", "disarm")
    with pytest.raises(SystemExit, match="--estimators: got 'st2', expected some of st, "):
        setting_of("8x4", "st2")
    assert setting_of("8x4", "st").rate == 1e-3
    assert setting_of("4x24", "reinmax (package)").tau == 1.5
    assert (setting_of("8x4", "st-gumbel-softmax").rate, setting_of("8x4", "rloo").rate) == (3e-4, 5e-4)
    assert [setting_of(latents, "st").optimizer for latents in ("8x4", "4x24")] == ["Adam", "RAdam"]


def test_rows_are_estimators_at_what_is_asked_for():
    from argparse import Namespace

    from benchmarks.categorical_vae.__main__ import _wanted
    from benchmarks.categorical_vae.settings import ESTIMATORS, PACKAGE

    def rows(latents, estimators=None, temperatures=None, schedules=None):
        options = Namespace(
            latents=latents, estimators=estimators, temperatures=temperatures, schedules=schedules, steps=30
        )
        return [(name, setting.tau, tau and tau().value) for name, setting, tau in _wanted(options)]

    assert {name for name, *_ in rows("2x12")} == {*ESTIMATORS, PACKAGE}
    assert {name for name, *_ in rows("8x4")} == {*ESTIMATORS, PACKAGE} - {"disarm"}
    assert rows("8x4", ["st"]) == [("st", 1.3, None)]
    assert rows("8x4", ["st"], [0.3, 1.0], ["exponential", "adaptive"]) == [
        ("st tau 0.3", 0.3, None),
        ("st tau 1", 1.0, None),
        ("st exponential", None, 1.0),
        ("st adaptive", None, 2.0),
    ]


@pytest.mark.usefixtures("few_draws", "few_states")
def test_the_command_prints_a_row_and_trains_once(mnist, monkeypatch, capsys):
    from benchmarks.categorical_vae import __main__ as command
    from benchmarks.categorical_vae import settings

    monkeypatch.setitem(settings.TEMPERATURES, "3x2", {"reinmax": 1.3})
    line = f"x --data {mnist} --latents 3x2 --estimators reinmax --steps 2 --seeds 2 --points 1"
    monkeypatch.setattr("sys.argv", [*line.split(), "--out", str(mnist / "runs")])
    command.main()
    printed = capsys.readouterr().out
    runs = [json.loads(path.read_text()) for path in sorted((mnist / "runs" / "3x2").glob("*.json"))]
    assert [(run["name"], run["seed"], run["steps"]) for run in runs] == [
        ("reinmax", 0, 2),
        ("reinmax", 1, 2),
    ]
    tests = [run["curve"][-1]["test"] for run in runs]
    assert f"reinmax seed 1: train {runs[1]['curve'][-1]['train']:.2f}, test {tests[1]:.2f}" in printed
    assert f"{sum(tests) / 2:.2f} ({min(tests):.2f} to {max(tests):.2f})" in printed.splitlines()[-1]
    assert "  1.30 " in printed.splitlines()[-1]
    monkeypatch.setattr(command, "train", None)
    command.main()
    assert capsys.readouterr().out == printed
