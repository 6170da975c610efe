"""Triton launches on the current card: each program is started with the card of its tensors made current."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode


def new(*shape):
    return torch.empty(shape, device="cuda:1")


def mixed(module, x):
    """A tile of a mixture, forward and backward."""
    tau, state, index, key = new(3), new(3, 8), new(3).long(), (1, 2)
    rest = {"second": False, "reinmax": False, "weights": True, "noisy": True}
    first = {"first": True, "noisy": True, "quiet": False, "entropy": False}
    module.mixture.forward_tile(x, None, None, None, tau, state, index, new(3, 2), key, 0, **first)
    module.mixture.backward_tile(x, x, None, None, tau, state, index, new(3, 3), None, key, 0, **rest)


#: what starts a program; the gradients of the estimators do so through ``noise``
FUNCTIONS = {
    "noise": lambda m, x: m.noise("gumbel", 2, 3, 5, 1, 2, torch.float32, x.device),
    "index": lambda m, x: m.index(x, None, 1, 2, 3),
    "soft": lambda m, x: m.soft(x, None, 0.5, 1, 2),
    "soft_backward": lambda m, x: m.soft_backward(x, x, 0.5),
    "top_k": lambda m, x: m.top_k(x, None, 1, 2, 3, 2),
    "balance": lambda m, x: m.structures.balance(
        x, torch.empty(3, 5, device="cuda:1", dtype=torch.bool), new(3, 1), new(3, 1), 3
    ),
    "subsets": lambda m, x: m.structures.subsets(x, x, 2, None, True),
    "sinkhorn": lambda m, x: m.structures.sinkhorn(new(2, 3, 5), new(2, 3), 3, 0.1),
    "mixture": mixed,
    "hard": lambda m, x: m.hard(x, None, 1, 2),
    "hard_with_index": lambda m, x: m.hard_with_index(x, None, 1, 2, None),
    "hard_backward": lambda m, x: m.hard_backward(x, x, None, 0.5, 1, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_programs_start_on_the_card_of_the_tensors(name, monkeypatch):
    module = pytest.importorskip(
        "softdraw.kernels.triton", reason="Triton is not installed", exc_type=ImportError
    )
    current, started = [0], []

    class Card:
        """``torch.cuda.device`` where there is no card."""

        def __init__(self, device):
            self.device = device

        def __enter__(self):
            current.append(self.device.index)

        def __exit__(self, *error):
            current.pop()

    class Program:
        def __getitem__(self, grid):
            return lambda *arguments, **constants: started.append(current[-1])

    for program in ("noise", "draw", "backward"):
        monkeypatch.setattr(module.programs, program, Program())
    for program in ("tops", "top_k_of_tiles", "balance", "subsets", "sinkhorn"):
        monkeypatch.setattr(module.structure_programs, program, Program())
    for program in ("forward", "backward"):
        monkeypatch.setattr(module.mixture.mixture_programs, program, Program())
    monkeypatch.setattr(torch.cuda, "device", Card)
    with FakeTensorMode():
        FUNCTIONS[name](module, torch.empty(3, 5, device="cuda:1"))
    assert started
    assert set(started) == {1}
    assert current == [0]


def test_tiles_of_a_vocabulary_on_a_card_are_few_and_small():
    pytest.importorskip("softdraw.kernels.triton", reason="Triton is not installed", exc_type=ImportError)
    from softdraw.kernels.vocabulary.mixture_formulas import loops_of
    from softdraw.kernels.vocabulary.tiles import Tiles

    with FakeTensorMode():
        for rows in (1, 4096, 100_000):
            hidden, weight = new(rows, 4096).bfloat16(), new(128_256, 4096).bfloat16()
            found = Tiles(hidden, weight, None, None, None)
            assert 4 * found.block * found.step <= 32 << 20  # a tile of logits
            assert 4 * 4096 * found.step <= 64 << 20  # one of weights
            assert len(list(found.classes_of())) <= 64
            assert loops_of(hidden).__name__ == "softdraw.kernels.triton.mixture"
