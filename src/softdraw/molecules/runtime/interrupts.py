"""Ctrl-C as a request: the first asks a stage to stop where its state is whole, the second stops at once."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["StopOnInterrupt"]


class StopOnInterrupt:
    """While this context is open, the first SIGINT sets ``requested``; the next one raises KeyboardInterrupt.

    In a thread other than the main one, where Python allows no signal handlers, it does nothing.

    Example:
        >>> with StopOnInterrupt() as stop:
        ...     for step in range(3):
        ...         if stop.requested:
        ...             break
        >>> stop.requested
        False
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: Any = None
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._main:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._main:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
