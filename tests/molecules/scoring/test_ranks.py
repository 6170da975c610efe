"""Scores by the ranks of a group: here one rank, by the same route; two are started in tests/cli."""

import pytest
import torch.distributed as dist

from softdraw.molecules.runtime.team import Team, cores
from softdraw.molecules.scoring import features, fingerprints, frechet
from softdraw.molecules.scoring.moses import moses_scores
from softdraw.molecules.scoring.scores import score

from ..drugs import DRUGS

SMILES = sorted(DRUGS.values(), key=len)[:36]


@pytest.fixture(scope="module")
def group():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield dist.group.WORLD
    dist.destroy_process_group()


def test_a_rank_gives_the_scores_of_a_process_on_its_own(group, tmp_path, monkeypatch):
    for module, name in ((features, "_CHUNK"), (fingerprints, "_ROWS"), (frechet, "_BLOCK")):
        monkeypatch.setattr(module, name, 5)
    sets = {"train": SMILES[:9], "reference": SMILES[::2]}
    alone = moses_scores(SMILES, **sets, cache=tmp_path / "alone")
    told = []
    for _ in ("computed", "remembered"):
        found = moses_scores(
            SMILES,
            **sets,
            cache=tmp_path / "ranks",
            group=group,
            report=lambda what, share: told.append((what, share)),
        )
        assert found == alone
    assert {what for what, share in told if share == 1} == {
        "features",
        "nearest neighbours",
        "Fréchet distance",
        "diversity",
    }
    assert score(SMILES, **sets, group=group, cache=None) == score(SMILES, **sets, cache=None)


def test_ranks_agree(group):
    for team in (Team(), Team(group=group)):
        assert team.agree(True)
        assert not team.agree(False)


def test_there_is_a_core():
    assert cores() >= 1
