"""Rows that are left out of the work of a draw change nothing of what is drawn."""

import pytest
import torch

import softdraw as sd
from softdraw.molecules.model import drawing, few_rows
from softdraw.molecules.model.drawing import draw

from ..small import random_network


def test_rows_come_back_to_their_places():
    needed = torch.tensor([True, False, False, True, False])
    rows = few_rows.few_rows(needed)
    values, other = torch.arange(10.0).view(5, 2), torch.arange(5)
    some, few = few_rows.taken(rows, values, other)
    assert few.tolist() == [0, 3]
    assert torch.equal(few_rows.put_back(rows, some, 5), values * needed.unsqueeze(1))


def test_nearly_all_rows_count_as_all():
    needed = torch.ones(100, dtype=torch.bool)
    needed[:10] = False
    assert few_rows.few_rows(needed) is None
    assert few_rows.few_rows(needed, among=200).tolist() == list(range(10, 100))
    values = torch.randn(3, 2)
    assert few_rows.taken(None, values)[0] is values
    assert few_rows.put_back(None, values, 3) is values


@pytest.mark.parametrize("mask", [True, False])
def test_a_draw_of_few_rows_is_that_of_all(mask, monkeypatch):
    network, count = random_network(seed=2, scale=1.0).double(), 200
    kept = []

    def spy(needed, among=None):
        rows = few_rows.few_rows(needed, among)
        kept.append((len(needed) if rows is None else len(rows), among))
        return rows

    with torch.no_grad():
        monkeypatch.setattr(drawing, "few_rows", spy)
        few = draw(network, count, sd.Key(3), mask=mask)
        monkeypatch.setattr(drawing, "few_rows", lambda needed, among=None: None)
        whole = draw(network, count, sd.Key(3), mask=mask)
    # both are left out: graphs that are finished, and atoms with nothing to decide; more than once
    assert sum(rows < count and among is not None for rows, among in kept) > 2
    assert sum(rows < count and among is None for rows, among in kept) > 4
    assert torch.equal(few.types, whole.types)
    assert torch.equal(few.bonds, whole.bonds)
    there = few.types >= 0
    torch.testing.assert_close(few.type_logits[there], whole.type_logits[there])


def test_a_draw_with_gradients_works_on_all_rows(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("rows were left out")

    monkeypatch.setattr(drawing, "few_rows", refuse)
    drawn = draw(random_network(seed=2), 20, sd.Key(0), mask=True)
    assert drawn.type_logits.requires_grad
