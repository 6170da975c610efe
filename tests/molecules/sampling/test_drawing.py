"""Several processes draw what one draws."""

import os

import pytest
import torch.distributed as dist
import torch.multiprocessing as mp

from softdraw.molecules.chemistry.vocabulary import AtomType, Vocabulary
from softdraw.molecules.model.sampling import SPAN
from softdraw.molecules.runtime.processes import by_ranks
from softdraw.molecules.sampling import drawing
from softdraw.molecules.sampling.conditions import Conditions
from softdraw.molecules.sampling.drawing import Drawer, draw_molecules
from softdraw.random import Key

from ..small import random_network

COUNT = SPAN + 500
"""More than the network draws at a time, so that there is something to share out."""


@pytest.fixture
def smarts(tmp_path):
    (tmp_path / "nitrogen.smarts").write_text("[#7]\n")
    return tmp_path / "nitrogen.smarts"


def draws(smarts, **how):
    """On a condition that about half of what is drawn passes."""
    vocabulary = Vocabulary([AtomType(symbol) for symbol in "CNOF"])
    network = random_network(vocabulary.valences, scale=0.3)
    drawer = Drawer(network, vocabulary, Key(7), True, Conditions.of(forbid=smarts))
    return draw_molecules(drawer, COUNT, **how)


def test_a_pool_draws_what_one_process_draws(smarts, monkeypatch):
    alone = draws(smarts)
    assert alone.drawn > 3 * SPAN / 2
    assert len(set(alone.smiles)) > 100
    by_pool, used = drawing.by_pool, []
    monkeypatch.setattr(drawing, "by_pool", lambda *rest, **how: used.append(how) or by_pool(*rest, **how))
    assert draws(smarts, devices=2) == alone
    assert used == [{"processes": 2}]


def worked_by(item):
    return item, os.getpid()


def on_a_rank(rank, smarts, expected):
    dist.init_process_group("gloo", init_method=f"file://{smarts}.store", rank=rank, world_size=2)
    shares = list(by_ranks(worked_by, range(5), dist.group.WORLD))
    assert [(item, by == os.getpid()) for item, by in shares] == [(n, n % 2 == rank) for n in range(5)]
    assert draws(smarts, group=dist.group.WORLD) == expected
    dist.destroy_process_group()


def test_two_gloo_processes_draw_what_one_draws(smarts):
    mp.spawn(on_a_rank, args=(smarts, draws(smarts)), nprocs=2)
