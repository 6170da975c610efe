"""Two processes of one command: the first runs it, the other helps to steer."""

import warnings
from contextlib import contextmanager

import pytest

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.errors import OutputError
from softdraw.molecules.run import helping
from softdraw.molecules.run.optimizing import best_of, optimize_options
from softdraw.molecules.run.run import Run
from softdraw.molecules.run.starts import adopt_model, model_options
from softdraw.molecules.runtime.remarks import MoleculeWarning

from ..on_ranks import on_two_ranks
from ..small import MOLECULES, SIZES

SMALL = {"batch_size": 8, "updates": 1, "screen": 2, "samples": 10, "fcd": False}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "saved"
    MoleculeGenerator(**SIZES, batch_size=8).fit(MOLECULES, steps=30, holdout=0).save(folder)
    return folder


def optimised(out, model, helpers, *, overwrite=False):
    warnings.simplefilter("ignore", MoleculeWarning)
    run = Run(out, optimize_options(model_options(model), "heavy_atoms=max", 40, **SMALL))
    run.helpers = helpers
    adopt_model(run, overwrite=overwrite)
    steered = run.steering(overwrite=overwrite)
    return best_of(steered, run.folder.steer_checkpoints)


def twice(group, folder, model):
    """A command that is done, and one that is refused."""

    @contextmanager
    def launched():
        yield group

    helping.launched_group = launched
    found = []
    for _ in range(2):
        with helping.launched_helpers() as helpers:
            if helpers is None:
                found.append("helped")
                continue
            try:
                found.append(optimised(folder / "two", model, helpers))
            except OutputError as error:
                found.append(str(error))
    return found


def test_the_other_process_helps_and_is_dismissed(model, tmp_path):
    first, second = on_two_ranks(tmp_path, twice, model)
    assert second == ["helped", "helped"]
    assert first[0] == optimised(tmp_path / "one", model, helping.Helpers())
    assert "already holds" in first[1]


def test_one_process_has_nobody_to_dismiss():
    helpers = helping.Helpers()
    helpers.dismiss()
    with helping.launched_helpers() as alone:
        assert alone.group is None
