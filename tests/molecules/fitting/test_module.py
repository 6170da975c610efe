import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.fitting import plan
from softdraw.molecules.storage.tensors import read_json, read_state, write_state

from ..small import MOLECULES, SIZES, random_network

DATA = [
    *MOLECULES,
    *(f"{one}C" for one in MOLECULES if not one.startswith("FCC")),
    *("CCCC", "CCCN", "CCCO", "NCCN", "NCCO", "CCOC", "CCNC", "CC(C)C", "CC(C)N"),
]


def fitted(steps, **options):
    fit = {name: options.pop(name) for name in ("folder", "resume", "holdout") if name in options}
    return MoleculeGenerator(**SIZES, batch_size=4, **options).fit(DATA, steps=steps, **fit)


def weights(generator):
    return torch.cat([weight.detach().flatten() for weight in generator.network.parameters()])


@pytest.fixture(params=["adamw", "muon"])
def optimizer(request, monkeypatch):
    """What learns these small networks, whose own choice is AdamW."""
    monkeypatch.setattr(plan, "MUON_WIDTH", 1 if request.param == "muon" else 10_000)
    return request.param


def test_a_longer_fit_gives_a_lower_loss(optimizer):
    short, long = fitted(1), fitted(60)
    assert long.fit_summary["validation_loss"] < short.fit_summary["validation_loss"] - 2
    assert long.fit_summary["steps"] == 60
    assert long.fit_history[-1]["step"] == 60
    assert long.fit_summary["optimizer"] == optimizer


def test_a_fit_is_a_function_of_data_key_and_options():
    assert torch.equal(weights(fitted(6)), weights(fitted(6)))
    assert not torch.equal(weights(fitted(6)), weights(fitted(6, seed=1)))


def test_an_interrupted_fit_resumes_to_the_same_result(tmp_path, monkeypatch, optimizer):
    from softdraw.molecules.fitting import module as training

    fitted(40, folder=tmp_path / "whole")

    # Ctrl-C after 17 steps, in the middle of an epoch and of a validation interval
    after = training.LikelihoodTraining.on_train_batch_end

    def interrupt(self, *rest):
        self.should_stop = lambda: self.steps == 17
        after(self, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(training.LikelihoodTraining, "on_train_batch_end", interrupt)
        part = fitted(40, folder=tmp_path / "part")
    assert part.fit_summary["interrupted"]
    assert part.fit_summary["steps"] == 17
    resumed = fitted(40, folder=tmp_path / "part", resume=True)
    assert resumed.fit_summary["steps"] == 40
    assert not resumed.fit_summary["interrupted"]
    states = [read_state(tmp_path / folder / "fit.ckpt") for folder in ("whole", "part")]
    first, second = [state["state_dict"] for state in states]
    for name, value in first.items():
        if not name.startswith("best."):  # the interruption adds a validation, so the best may be another one
            assert torch.equal(value, second[name]), name


def test_a_resumed_fit_that_had_ended_does_nothing_more(tmp_path):
    first = fitted(5, folder=tmp_path)
    again = fitted(5, folder=tmp_path, resume=True)
    assert again.fit_summary["steps"] == 5
    assert torch.equal(weights(first), weights(again))


def test_what_is_said_and_kept_of_a_resumed_fit_is_what_it_does(tmp_path):
    said = []

    def go_on(steps, resume=True, **options):
        generator = MoleculeGenerator(**SIZES, **options)
        return generator.fit(DATA, steps=steps, folder=tmp_path, resume=resume, say=said.append).fit_summary

    first = go_on(2, resume=False, batch_size=4, learning_rate=1e-3)
    again = go_on(3, learning_rate=2e-3)
    last = go_on(4)
    for summary, steps, rate in ((first, 2, 1e-3), (again, 3, 2e-3), (last, 4, 2e-3)):
        assert (summary["batch_size"], summary["learning_rate"]) == (4, rate)
        assert f"in {steps} steps, batches of 4, learning rate {rate:g}," in summary["plan"]
    assert said == [first["plan"], again["plan"], last["plan"]]
    kept = read_json(tmp_path / "plan.json")
    assert (kept["why"], kept["learning_rate"]) == (last["plan"], 2e-3)


def test_a_fit_stops_early_when_validation_stops_falling():
    generator = MoleculeGenerator(**SIZES, batch_size=8, learning_rate=0.0).fit(DATA, steps=2000)
    assert generator.fit_summary["stopped_early"]
    assert generator.fit_summary["steps"] < 2000


def gradients_of(monkeypatch, steps, threads=1, **options):
    """Of every step: whether its batch goes on from parts, the molecules of its shares, its gradients."""
    from softdraw.molecules.fitting import module as training
    from softdraw.molecules.fitting import trainer

    seen, shares = [], []
    likelihood, finish = training.log_likelihood, training.LikelihoodTraining.on_train_batch_end

    def spy_likelihood(network, types, bonds, **how):
        if how:  # not of a validation
            shares.append(len(types))
        return likelihood(network, types, bonds, **how)

    def spy_finish(self, outputs, batch, number):
        gradients = {name: one.grad.clone() for name, one in self.network.named_parameters()}
        seen.append((batch[3], [*shares], gradients))
        shares.clear()
        finish(self, outputs, batch, number)

    with monkeypatch.context() as patch:
        patch.setattr(training, "log_likelihood", spy_likelihood)
        patch.setattr(training.LikelihoodTraining, "on_train_batch_end", spy_finish)
        patch.setattr("softdraw.molecules.fitting.stage.threads_of_a_fit", lambda width: threads)
        patch.setattr(trainer, "precision", lambda: "32-true")
        fitted(steps, **options)
    return seen


def test_each_start_learns_from_its_own_batches(monkeypatch):
    steps = gradients_of(monkeypatch, 12, augment=0.5)
    assert {other for other, _, _ in steps} == {True, False}
    for other, _, gradients in steps:
        assert gradients["start"][int(other)].any()
        assert not gradients["start"][1 - int(other)].any()


@pytest.mark.parametrize("augment", [0.0, 0.5])
def test_threads_share_a_batch_and_find_its_gradient(monkeypatch, augment):
    ((_, whole, alone),) = gradients_of(monkeypatch, 1, augment=augment)
    ((_, shares, together),) = gradients_of(monkeypatch, 1, augment=augment, threads=3)
    assert (len(whole), len(shares), sum(shares)) == (1, 3, sum(whole))
    for name, gradient in alone.items():
        torch.testing.assert_close(together[name], gradient, atol=1e-6, rtol=1e-4)


def test_the_threads_of_a_fit_move_the_matrices(monkeypatch):
    from softdraw.molecules.fitting import muon

    names, move = [], muon.Muon._move

    def spy(self, group, matrices):
        names.append(threading.current_thread().name)
        move(self, group, matrices)

    def moved_by(threads):
        names.clear()
        monkeypatch.setattr("softdraw.molecules.fitting.stage.threads_of_a_fit", lambda width: threads)
        return weights(fitted(3)), {name.rpartition("_")[0] for name in names}

    monkeypatch.setattr(plan, "MUON_WIDTH", 1)
    monkeypatch.setattr(muon.Muon, "_move", spy)
    alone, by = moved_by(1)
    assert by == {""}  # the main thread
    together, by = moved_by(2)
    assert by == {"softdraw-fit"}
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-3)


def test_every_rate_rises_and_then_falls_over_the_budget(monkeypatch, optimizer):
    from softdraw.molecules.fitting import module as training

    rates, finish = [], training.LikelihoodTraining.on_train_batch_end

    def spy(self, *rest):
        groups = [group for one in self.trainer.optimizers for group in one.param_groups]
        rates.append([group["lr"] / group["peak"] for group in groups])
        finish(self, *rest)

    monkeypatch.setattr(training, "WARM_UP", 4)
    monkeypatch.setattr(training.LikelihoodTraining, "on_train_batch_end", spy)
    fitted(12)
    assert len(rates[0]) == (2 if optimizer == "muon" else 1)
    assert all(len(set(step)) == 1 for step in rates)  # alike for all weights
    rate = [step[0] for step in rates]
    assert rate[:4] == sorted(rate[:4])
    assert rate[3:] == sorted(rate[3:], reverse=True)
    assert rate[0] == pytest.approx(1 / 4)
    assert 0 < rate[-1] < 0.1


@pytest.mark.parametrize(
    ("augment", "before", "after"),
    [(0.0, False, False), (0.5, False, True), (1.0, False, False), (0.0, True, True), (1.0, True, False)],
)
def test_a_network_says_that_it_knows_parts_once_it_learns_them(augment, before, after):
    from softdraw.molecules.data.dataset import load
    from softdraw.molecules.fitting.module import LikelihoodTraining
    from softdraw.molecules.runtime.budget import Budget

    graphs = load(MOLECULES, cache=None).graphs
    network = random_network(graphs.vocabulary.valences)
    network.knows_parts.fill_(before)
    budget = Budget(steps=1)
    module = LikelihoodTraining(network, graphs, graphs, budget, batch_size=4, augment=augment)
    assert [bool(one.knows_parts) for one in (module.network, module.average, module.best)] == [after] * 3


def test_seconds_of_training_still_give_a_generator():
    generator = MoleculeGenerator(**SIZES).fit(DATA, minutes=0.001)
    assert generator.fit_summary["steps"] >= 1
    assert generator.fit_summary["under_trained"]
    assert all(generator.sample(5, mask=True))


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    fitted(3, folder=tmp_path)
    path = tmp_path / "fit.ckpt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage is None else damage)
    with pytest.raises(CheckpointError, match=r"fit\.ckpt"):
        fitted(6, folder=tmp_path, resume=True)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    fitted(3, folder=tmp_path)
    with pytest.raises(CheckpointError, match=r"fit\.ckpt"):
        MoleculeGenerator(width=32).fit(DATA, steps=6, folder=tmp_path, resume=True)


def test_a_checkpoint_cannot_run_code(tmp_path):
    marker = tmp_path / "ran"
    import pickle

    class Malicious:
        def __reduce__(self):
            return Path.touch, (marker,)

    (tmp_path / "fit.ckpt").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(CheckpointError):
        fitted(3, folder=tmp_path, resume=True)
    assert not marker.exists()


def test_states_are_read_back_as_written(tmp_path):
    write_state(tmp_path / "a", {"x": torch.arange(3), "y": [1, None, "z"]})
    state = read_state(tmp_path / "a")
    assert state["x"].tolist() == [0, 1, 2]
    assert state["y"] == [1, None, "z"]


SCRIPT = """
import json, sys
import torch
torch.set_num_threads(1)
from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.data.batches import Batches

seen = []
plain = Batches.batch
def batch(self, step):
    seen.append([step, self.indices(step)[self.rank :: self.world].tolist()])
    return plain(self, step)
Batches.batch = batch
folder, devices, sizes, data = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])
options = {} if devices == 1 else {"devices": devices, "strategy": "ddp"}
generator = MoleculeGenerator(**sizes, batch_size=4, augment=0.0).fit(data, steps=8, **options)
weights = torch.cat([w.detach().flatten() for w in generator.network.parameters()])
with open(f"{folder}/{devices}-{generator.rank}.json", "w") as file:
    json.dump({"seen": seen, "weights": weights.tolist(), "summary": generator.fit_summary,
               "history": generator.fit_history}, file)
"""


def test_two_processes_learn_what_one_would(tmp_path):
    """Two gloo processes: each molecule once an epoch, the same metrics everywhere, one process's weights."""
    import json

    script = tmp_path / "fit.py"
    script.write_text(SCRIPT)
    for devices in (1, 2):
        arguments = [str(tmp_path), str(devices), json.dumps(SIZES), json.dumps(DATA)]
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    one, first, second = [
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("1-0", "2-0", "2-1")
    ]
    assert first["weights"] == second["weights"]
    for mine, theirs in zip(first["history"], second["history"], strict=True):
        assert mine == theirs
    together = {step: sorted(ids) for step, ids in one["seen"]}
    shares = {rank: dict(map(tuple, part["seen"])) for rank, part in enumerate((first, second))}
    for step in range(8):
        a, b = shares[0][step], shares[1][step]
        assert not set(a) & set(b)
        assert sorted([*a, *b]) == together[step]
    torch.testing.assert_close(
        torch.tensor(first["weights"]), torch.tensor(one["weights"]), atol=2e-2, rtol=0
    )
    assert first["summary"]["validation_loss"] == pytest.approx(one["summary"]["validation_loss"], rel=1e-2)


def test_a_plan_of_before_there_was_a_choice_goes_on_with_adamw(tmp_path):
    fitted(5, folder=tmp_path)
    kept = tmp_path / "plan.json"
    old = {name: value for name, value in json.loads(kept.read_text()).items() if name != "optimizer"}
    kept.write_text(json.dumps(old))
    assert fitted(8, folder=tmp_path, resume=True).fit_summary["optimizer"] == "adamw"
