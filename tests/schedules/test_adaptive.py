"""The controller: what it measures, what it decides, and that every rank decides the same."""

import pytest
import torch
import torch.multiprocessing as mp

from softdraw.schedules import Adaptive


def rows(dead, alive, scale=1.0, classes=10):
    generator = torch.Generator().manual_seed(7)
    live = torch.randn(alive, classes, generator=generator) * scale
    return torch.cat([live, torch.full((dead, classes), 1e-8)])


def test_it_falls_to_the_floor_while_gradients_live():
    s = Adaptive(1.0, floor=0.5, factor=0.9, every=2)
    seen = []
    for _ in range(20):
        s.observe(rows(0, 50))
        s.step()
        seen.append(s.value)
    assert seen[0] == 1.0
    assert seen[1] == pytest.approx(0.9)
    assert seen[3] == pytest.approx(0.81)
    assert seen[-1] == 0.5


def test_dead_rows_are_counted_and_turn_it_back():
    s = Adaptive(1.0, floor=0.1, factor=0.5, every=1, max_dead=0.1)
    s.observe(rows(10, 90))
    s.step()
    assert s.measured.dead == pytest.approx(0.1)
    assert s.measured.rows == 100
    assert s.value == 0.5
    s.observe(rows(11, 89))
    s.step()
    assert s.measured.dead == pytest.approx(0.11)
    assert s.value == 1.0
    s.observe(rows(100, 0))
    s.step()
    assert s.value == 1.0


def test_variance_is_that_of_the_rows_over_the_first_windows():
    s = Adaptive(1.0, factor=0.5, every=2, max_variance=3.9)
    data = torch.randn(2, 30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 5
    for part in data:
        s.observe(part)
        s.step()
    flat = data.reshape(-1, 4)
    expected = (flat - flat.mean(0)).square().sum(-1).mean().item()
    assert s._first_variance == pytest.approx(expected, rel=1e-5)
    assert s.measured.variance == 1.0
    for part in 2 * data:
        s.observe(part)
        s.step()
    assert s.measured.variance == pytest.approx(4.0, rel=1e-5)
    assert s.value == 1.0
    none = Adaptive(1.0, factor=0.5, every=1, max_variance=None)
    for scale in (1.0, 100.0):
        none.observe(scale * data[0])
        none.step()
    assert none.value == 0.25


def test_padding_and_non_finite_rows_are_left_out():
    s = Adaptive(every=1, max_dead=0.0)
    grad = rows(4, 6).reshape(2, 5, 10)
    valid = torch.tensor([[True] * 5, [True, False, False, False, False]])
    grad[0, 0, 3] = torch.nan
    s.observe(grad, valid)
    s.step()
    assert s.measured.rows == 5
    assert s.measured.dead == 0.0


def test_layers_of_different_widths_share_one_window():
    s = Adaptive(every=1)
    s.observe(rows(0, 10, classes=3))
    s.observe(rows(5, 5, classes=7))
    s.step()
    assert s.measured.rows == 20
    assert s.measured.dead == 0.25


def test_watch_sees_the_gradient_of_the_logits():
    s = Adaptive(every=1)
    logits = torch.zeros(3, 4, requires_grad=True)
    s.watch(logits)
    weight = torch.tensor([[1.0], [0.0], [0.0]]) * torch.arange(4.0)
    (logits * weight).sum().backward()
    s.step()
    assert s.measured.rows == 3
    assert s.measured.dead == pytest.approx(2 / 3)
    s.watch(torch.zeros(3, 4))


def test_a_window_without_gradients_is_an_error():
    s = Adaptive(every=3)
    s.step(2)
    with pytest.raises(RuntimeError, match="saw no gradient in the last 3 steps"):
        s.step()
    with pytest.raises(ValueError, match=r"grad: got .*, expected a last dimension of classes"):
        s.observe(torch.tensor(1.0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"floor": 2.0}, r"floor: got 2\.0, expected a number > 0 and <= 1"),
        ({"floor": 0.0}, r"floor: got 0\.0"),
        ({"factor": 1.0}, r"factor: got 1\.0, expected a number > 0 and < 1"),
        ({"max_dead": 1.5}, r"max_dead: got 1\.5, expected a number >= 0 and <= 1"),
        ({"max_variance": 0.0}, r"max_variance: got 0\.0"),
        ({"threshold": 0.0}, r"threshold: got 0\.0"),
    ],
)
def test_wrong_values_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        Adaptive(**options)


def decide_on_a_rank(rank, world, path):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=world)
    s = Adaptive(1.0, factor=0.5, every=1, max_dead=0.25)
    # Alone, rank 0 would lower tau and rank 1 would not: together 20 % of the rows are dead.
    s.observe(rows(0, 60) if rank == 0 else rows(20, 20))
    s.step()
    assert s.measured.rows == 100
    assert s.measured.dead == pytest.approx(0.2)
    assert s.value == 0.5
    # One rank has seen nothing (an expert that no token of it chose): the others decide for it.
    if rank == 0:
        s.observe(rows(0, 30))
    s.step()
    assert (s.measured.rows, s.value) == (30, 0.25)
    # The ranks have seen rows of different numbers of classes, and rows that both have.
    s.observe(rows(0, 10, classes=7))
    s.observe(rows(0, 10, classes=3 if rank == 0 else 5))
    if rank == 1:
        s.observe(rows(4, 6, classes=6))
    s.step()
    assert s.measured.rows == 50
    assert s.measured.dead == pytest.approx(4 / 50)
    # Nobody has seen anything: an error on every rank.
    with pytest.raises(RuntimeError, match="saw no gradient"):
        s.step()
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_every_rank_decides_the_same(tmp_path):
    mp.spawn(decide_on_a_rank, args=(2, tmp_path / "store"), nprocs=2)
