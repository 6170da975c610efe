"""Processes that take every step of one work together, each a share of it, and hear what the others found."""

import copy
import hashlib
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["ALONE", "Ranks"]

Found = TypeVar("Found")


class Ranks:
    """The ranks of a group, which call every method alike; without a group one process that is alone.

    Args:
        group: whose backend moves objects of the CPU, such as gloo.

    Attributes:
        number: of this process, from 0.
        count: of the processes.

    Example:
        >>> ranks = Ranks()
        >>> ranks.first, ranks.share(5), ranks.joined(["C"]), ranks.total(2.0)
        (True, range(0, 5), ['C'], 2.0)
    """

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self.group = group
        self.number = 0 if group is None else dist.get_rank(group)
        self.count = 1 if group is None else dist.get_world_size(group)

    @property
    def first(self) -> bool:
        """Whether this process decides and writes."""
        return self.number == 0

    def share(self, count: int) -> range:
        """Which of ``count`` things are this process's: some in a row, as many as another's, or one more."""
        return range(count * self.number // self.count, count * (self.number + 1) // self.count)

    def gather(self, own: Found) -> list[Found]:
        """What each process has, in their order."""
        if self.group is None:
            return [own]
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, own, self.group)
        return found

    def joined(self, own: Sequence[Found]) -> list[Found]:
        """The lists of all processes, one after another."""
        return [one for each in self.gather(list(own)) for one in each]

    def total(self, own: float) -> float:
        """The sum over the processes."""
        return sum(self.gather(own))

    def decided(self, decide: Callable[[], Found]) -> Found:
        """What the first process decides; an error of its own is one of all.

        Raises:
            Exception: what ``decide`` raised in the first process.
        """
        if self.group is None:
            return decide()
        told: list[Any] = [None]
        with self.agreed():
            if self.first:
                told = [decide()]
        dist.broadcast_object_list(told, dist.get_global_rank(self.group, 0), self.group)
        found: Found = told[0]
        return found

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """What fails in one process fails in all of them: those that would go on wait for nobody.

        Raises:
            Exception: that of this process, or else of the first one that had any.
        """
        own = None
        try:
            yield
        except Exception as error:
            own = error
        found = self.gather(None if own is None or self.group is None else _portable(own))
        if own is not None:
            raise own
        other = next((error for error in found if error is not None), None)
        if other is not None:
            raise other

    def same(self, what: str, own: Iterable[bytes]) -> None:
        """See that all processes were given the same.

        Args:
            what: was given, for the message.
            own: it, as bytes.

        Raises:
            ValueError: another process was given something else than the first; raised in all.
        """
        if self.count == 1:
            return
        digest = hashlib.sha256()
        for one in own:
            digest.update(one)
        found = self.gather(digest.hexdigest())
        other = next((rank for rank, one in enumerate(found) if one != found[0]), None)
        if other is not None:
            raise ValueError(
                f"group: got other {what} on rank {other} than on rank 0, expected the same on all ranks"
            )

    def add_gradients(self, network: nn.Module) -> None:
        """Make the gradient of every parameter the sum of those of the processes."""
        if self.group is None:
            return
        parameters = list(network.parameters())
        flat = torch.cat(
            [(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in parameters]
        )
        dist.all_reduce(flat, group=self.group)
        for one, part in zip(parameters, torch.split(flat, [one.numel() for one in parameters]), strict=True):
            one.grad = part.view_as(one).clone()

    def mean(self, own: Tensor) -> float:
        """The mean over the entries of all processes; 0 where there are none."""
        found = self.gather((float(own.detach().sum()), own.numel()))
        return sum(one for one, _ in found) / max(1, sum(count for _, count in found))


def _portable(error: Exception) -> Exception:
    """An error that other processes can read; in words where its own kind cannot be sent to them."""
    try:
        copy.copy(error)  # as it is made anew where it arrives
        pickle.dumps(error)
    except Exception:  # of several kinds, by what cannot be pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


ALONE = Ranks()
