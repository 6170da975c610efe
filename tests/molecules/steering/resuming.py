"""A steering that is broken off and gone on with."""

import pytest
import torch

from softdraw.molecules import MoleculeGenerator
from softdraw.molecules.steering.steering import Steering


def assert_resumes(fitted, target, folder, monkeypatch, *, at=3, **options):
    """See that a run which was broken off before a step ends with the weights of an undisturbed one."""
    whole = MoleculeGenerator.load(fitted).steer(target, **options)
    step = Steering.step

    def interrupt(self):
        if self.steps == at:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Steering, "step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            MoleculeGenerator.load(fitted).steer(target, **options, folder=folder)
    resumed = MoleculeGenerator.load(fitted).steer(target, **options, folder=folder, resume=True)
    for mine, theirs in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)
