"""What ranks tell each other."""

import pytest
import torch

from softdraw.molecules.errors import TargetError
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.runtime.ranks import ALONE, Ranks

from ..on_ranks import on_two_ranks

SMILES = ["C" * n for n in range(1, 8)]


def failed(work):
    try:
        work()
    except ValueError as error:
        return str(error)
    return None


class Odd(ValueError):
    """An error that pickles and cannot be read again."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def told(group, folder):
    ranks = Ranks(group)
    mine = ranks.number

    def fail_on(rank):
        with ranks.agreed():
            if ranks.number == rank:
                raise ValueError(f"on rank {rank}")

    def decide():
        if not ranks.first:
            raise RuntimeError("only the first one decides")
        return "chosen"

    def decide_in_vain():
        raise ValueError("none")

    def fail_oddly():
        with ranks.agreed():
            if mine == 1:
                raise Odd("one", "two")

    try:
        fail_oddly()
    except (ValueError, RuntimeError) as error:
        odd = type(error).__name__, str(error)

    network = torch.nn.Linear(2, 2)
    if mine == 0:
        network(torch.ones(2)).sum().backward()
    else:
        network.weight.grad = torch.full((2, 2), 2.0)
    ranks.add_gradients(network)

    evaluate = Evaluator(["heavy_atoms"], ranks=ranks)
    own = evaluate._own
    heard = []
    evaluate._own = lambda smiles: heard.extend(smiles) or own(smiles)
    ledger = Ledger(["heavy_atoms"], evaluate, limit=9, folder=folder if ranks.first else None)
    values = ledger.ask([*SMILES, "C"])[:, 0].tolist()
    ledger.close()
    asked = list(heard)

    def unknown():
        raise TargetError("unknown on rank 1")
        yield

    if mine == 1:
        evaluate._own = lambda smiles: unknown()
    return {
        "share": list(ranks.share(5)),
        "joined": ranks.joined(["a"] * (mine + 1)),
        "total": ranks.total(mine + 0.5),
        "mean": ranks.mean(torch.ones(3) if mine else torch.tensor([5.0])),
        "nothing": ranks.mean(torch.zeros(0)),
        "decided": ranks.decided(decide),
        "in vain": failed(lambda: ranks.decided(decide_in_vain)),
        "failed": [failed(lambda rank=rank: fail_on(rank)) for rank in (0, 1, 2)],
        "same": [
            failed(lambda own=own: ranks.same("words", [own])) for own in (b"a", b"ab"[mine : mine + 1])
        ],
        "gradients": [one.grad.tolist() for one in network.parameters()],
        "asked": asked,
        "odd": odd,
        "values": values,
        "calls": ledger.calls,
        "unknown": failed(lambda: list(evaluate(SMILES))),
    }


def test_two_ranks_hear_what_each_has(tmp_path):
    first, second = on_two_ranks(tmp_path, told)
    assert (first.pop("share"), second.pop("share")) == ([0, 1], [2, 3, 4])
    assert (first.pop("asked"), second.pop("asked")) == (SMILES[::2], SMILES[1::2])
    assert (first.pop("odd"), second.pop("odd")) == (("RuntimeError", "Odd: one two"), ("Odd", "one two"))
    assert first == second
    assert first == {
        "joined": ["a", "a", "a"],
        "total": 2.0,
        "mean": 2.0,
        "nothing": 0.0,
        "decided": "chosen",
        "in vain": "none",
        "failed": ["on rank 0", "on rank 1", None],
        "same": [None, "group: got other words on rank 1 than on rank 0, expected the same on all ranks"],
        "gradients": [[[3.0, 3.0], [3.0, 3.0]], [1.0, 1.0]],
        "values": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1.0],
        "calls": 7,
        "unknown": "unknown on rank 1",
    }


def test_one_process_tells_itself():
    assert ALONE.gather(3) == [3]
    assert ALONE.decided(lambda: 2) == 2
    ALONE.same("words", iter(()))
    with pytest.raises(ValueError, match="mine"), ALONE.agreed():
        raise ValueError("mine")


@pytest.mark.parametrize("count", [0, 1, 7, 64])
@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_shares_are_all_of_it_and_alike(count, ranks):
    team = Ranks()
    team.count = ranks
    shares = []
    for team.number in range(ranks):
        shares.append(team.share(count))
    assert [one for share in shares for one in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
