"""The gradient of a batch, its parts on threads of their own.

Operations on graphs are small: shared out over cores one by one they would wait for each other thousands of
times a step, and far longer where other programs use the cores. Parts of a batch meet once a step.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["GradientThreads"]

T = TypeVar("T")
R = TypeVar("R")
Loss = Callable[..., Tensor]


class GradientThreads:
    """Sums of losses over parts of a batch, and their gradients.

    Args:
        threads: parts of a batch, each computed by a thread of its own.
        context: entered by every thread, such as autocast, which belongs to a thread.
    """

    def __init__(self, threads: int, context: Callable[[], AbstractContextManager[object]]) -> None:
        self.threads, self.context = threads, context
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="softdraw-fit")

    def __call__(self, loss: Loss, parameters: Sequence[Tensor], batch: Sequence[Tensor]) -> Tensor:
        """Set the gradient of every parameter to that of the summed loss.

        Args:
            loss: of a part of the batch, summed over its rows; called with the tensors of ``batch``.
            parameters: what is learned.
            batch: tensors ``[B, ...]`` with the same rows.

        Returns:
            The summed loss. The gradients of the parts are added in their order, so that the sum does not
            depend on which thread was faster.
        """
        parts = list(zip(*(torch.tensor_split(one, self.threads) for one in batch), strict=True))
        parts = [part for part in parts if len(part[0])]

        def work(part: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor | None, ...]]:
            with self.context():
                value = loss(*part)
            return value.detach(), torch.autograd.grad(value, parameters, allow_unused=True)

        done = list(self._pool.map(work, parts))
        for place, parameter in enumerate(parameters):
            gradients = [found[place] for _, found in done]
            present = [one for one in gradients if one is not None]
            parameter.grad = None
            for one in present:
                parameter.grad = one if parameter.grad is None else parameter.grad.add_(one)
        return torch.stack([value for value, _ in done]).sum()

    def map(self, function: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """What a function gives for each part, on these threads; an error in it is raised when read."""
        return self._pool.map(function, parts)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False)
