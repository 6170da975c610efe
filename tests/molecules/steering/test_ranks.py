"""Several processes steer as one does with the same batch."""

import os
import shutil
from dataclasses import replace

import pytest
import torch

from softdraw.molecules import MoleculeGenerator, Property
from softdraw.molecules.evaluating.evaluations import read_evaluations
from softdraw.molecules.steering.gradients.estimator import CONTROL_VARIATE, CRITIC
from softdraw.molecules.steering.steering import Steering
from softdraw.random import Key

from ..on_ranks import on_two_ranks
from ..small import MOLECULES, SIZES

# a few small steps need not come nearer
pytestmark = pytest.mark.filterwarnings("ignore::softdraw.molecules.runtime.remarks.MoleculeWarning")

OPTIMIZING = {"offspring": 0.5, "screen": 3, "memory": 20, "batch_size": 12, "divergence": 0.05}
WAYS = {
    "log-variance": {"steps": 4, "batch_size": 9},
    "in random orders": {"steps": 3, "batch_size": 9, "updates": 3},
    "optimizing": {"calls": 110, **OPTIMIZING},
    "reinforce": {"estimator": "reinforce", "steps": 4, "batch_size": 9},
    "through a property network": {
        "estimator": "st-gumbel-softmax",
        "steps": 4,
        "batch_size": 9,
        "property_steps": 20,
    },
    "through sums, on fresh draws too": {
        "estimator": "st-gumbel-softmax",
        "steps": 3,
        "batch_size": 9,
        "pathwise_updates": 3,
    },
    # the second process begins with the second part
    "from a part": {"steps": 4, "batch_size": 10, "scaffold": ["CC=O", "CO"]},
    "fewer remembered than ranks": {"steps": 3, "batch_size": 2, "memory": 1},
}
TOGETHER = ("steps", "calls", "failed", "distance_first", "distance_last")


def size(mol):
    """Atoms, and on disk who counted them."""
    with open(os.environ["COUNTED"], "a") as file:
        file.write(f"{os.getpid()} {mol.GetNumAtoms()}\n")
    return float(mol.GetNumAtoms()) + 0.1 * mol.GetRingInfo().NumRings()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A model with canonical orders, and one without."""
    data = [*MOLECULES, *(f"{one}C" for one in MOLECULES if not one.startswith("FCC")), "CCCOC", "CC(=O)CO"]
    folders = {}
    for name, augment in (("canonical", 0.0), ("random", 1.0)):
        folders[name] = tmp_path_factory.mktemp(name)
        MoleculeGenerator(**SIZES, batch_size=8, augment=augment).fit(data, steps=40, holdout=0).save(
            folders[name]
        )
    return folders


def steered(fitted, way, group=None, counted=None, **options):
    if counted is not None:
        counted.touch()
        os.environ["COUNTED"] = str(counted)
    model = fitted["random" if way == "in random orders" else "canonical"]
    target = {"heteroatoms": 2.0} if "sums" in way else {Property("mine", compute=size): "max"}
    return MoleculeGenerator.load(model).steer(
        target, key=Key(3), group=group, progress=False, **{**WAYS[way], **options}
    )


def figures(generator):
    weights = torch.cat([one.detach().flatten() for one in generator.network.parameters()])
    history = [
        {**entry, "seconds": 0.0, "distances": sum(entry["distances"])} for entry in generator.steer_history
    ]
    return weights, {name: generator.steer_summary[name] for name in TOGETHER}, history


def all_ways(group, folder, fitted):
    # on ranks a thread each, as torchrun starts them
    torch.set_num_threads(1)
    found = {}
    for way in WAYS:
        counted = folder / f"{way}-{group.rank()}.txt"
        found[way] = figures(steered(fitted, way, group, counted))
    return found


def test_two_processes_steer_as_one_with_the_same_batch(fitted, tmp_path):
    first, second = on_two_ranks(tmp_path, all_ways, fitted)
    for way in WAYS:
        weights, summary, history = figures(steered(fitted, way, counted=tmp_path / f"{way}.txt"))
        assert torch.equal(first[way][0], second[way][0]), way
        assert first[way][0] == pytest.approx(weights, abs=2e-5), way
        assert first[way][1] == second[way][1] == pytest.approx(summary, nan_ok=True), way
        for mine, theirs in zip(first[way][2], history, strict=True):
            assert mine == pytest.approx(theirs, abs=1e-3), way
        alone = (tmp_path / f"{way}.txt").read_text().splitlines()
        shares = [(tmp_path / f"{way}-{rank}.txt").read_text().splitlines() for rank in range(2)]
        assert len(shares[0]) + len(shares[1]) == len(alone), way
        assert min(map(len, shares)) >= 0.4 * len(alone), way
        assert alone or "sums" in way


def whole_and_broken_off(group, folder, fitted):
    """Ctrl-C in the second process stops both; they go on as if nothing had been."""
    torch.set_num_threads(1)
    counted, kept = folder / f"counted-{group.rank()}.txt", folder / "kept"
    whole = figures(steered(fitted, "optimizing", group, counted))
    step = Steering.step

    def interrupted(self):
        if self.steps == 4 and self.ranks.number == 1:
            os.kill(os.getpid(), 2)
        return step(self)

    Steering.step = interrupted
    # the folder of the others is of no use to them
    own = kept if group.rank() == 0 else folder / "nowhere"
    broken = steered(fitted, "optimizing", group, counted, folder=own)
    Steering.step = step
    if group.rank() == 0:
        shutil.copytree(kept, folder / "copy")
    resumed = figures(steered(fitted, "optimizing", group, counted, folder=own, resume=True))
    return broken.steer_summary["interrupted"], broken.steer_summary["steps"], whole, resumed


def test_an_interrupted_one_of_several_stops_all_and_they_resume(fitted, tmp_path):
    (tmp_path / "kept").mkdir()
    for interrupted, steps, whole, resumed in on_two_ranks(tmp_path, whole_and_broken_off, fitted):
        assert (interrupted, steps) == (True, 5)
        assert torch.equal(whole[0], resumed[0])
        assert whole[1] == resumed[1]
        by_two = resumed[0]
    assert not (tmp_path / "nowhere").exists()
    alone = steered(
        fitted, "optimizing", counted=tmp_path / "alone.txt", folder=tmp_path / "copy", resume=True
    )
    assert figures(alone)[0] == pytest.approx(by_two, abs=2e-5)
    _, rows = read_evaluations(tmp_path / "kept")
    assert len(rows) == 110


def refused(group, folder, fitted):
    os.environ["COUNTED"] = str(folder / f"{group.rank()}.txt")
    generator = MoleculeGenerator.load(fitted["canonical"])
    other = MoleculeGenerator.load(fitted["random" if group.rank() else "canonical"])
    less = MoleculeGenerator.load(fitted["canonical"])
    if group.rank():
        less._parts = replace(less.parts, train=less.parts.train.subset([0, 1, 2]))
    else:  # what one of them knows already does not part them
        generator.statistics_of("logp")
    generator.steer({"logp": 1.0}, steps=1, batch_size=4, group=group)
    target = {Property("mine", compute=size): "max"}
    found = []
    for model, options in [
        (generator, {"key": Key(group.rank())}),
        (other, {}),
        (less, {}),
        (generator, {"estimator": CRITIC}),
        (generator, {"estimator": CONTROL_VARIATE}),
        (generator, {"batch_size": 1}),
    ]:
        try:
            model.steer(target, steps=1, group=group, **options)
        except ValueError as error:
            found.append(str(error))
    return found


def test_what_cannot_be_shared_is_refused_by_all(fitted, tmp_path):
    first, second = on_two_ranks(tmp_path, refused, fitted)
    assert (
        first
        == second
        == [
            "group: got other arguments on rank 1 than on rank 0, expected the same on all ranks",
            "group: got other weights on rank 1 than on rank 0, expected the same on all ranks",
            "group: got other molecules of the data on rank 1 than on rank 0, expected the same on all ranks",
            *(
                f"estimator: got {name} on 2 ranks, expected one of those that share a batch: log-variance, "
                "reinforce, and those of softdraw.estimators"
                for name in (CRITIC, CONTROL_VARIATE)
            ),
            "batch_size: got 1, expected one for each of 2 ranks",
        ]
    )
