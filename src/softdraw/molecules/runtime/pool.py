"""Processes that work for this one, each on one thread.

A process here is Python with two pipes. Unlike those of ``multiprocessing`` it does not import the script
that started it, so any script may have some, without ``if __name__ == "__main__"``; unlike a fork it shares
no thread of torch's with it. What passes through the pipes is pickled, as it is there: it comes from these
processes alone.
"""

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from subprocess import PIPE, Popen
from typing import IO, Any, cast

import torch

from softdraw.molecules.errors import MoleculeError

__all__ = ["Pool", "serve"]

_BEGIN = (
    "import pickle, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "sys.path[:] = pickle.load(sys.stdin.buffer); "
    f"from {__name__} import serve; serve()"
)


class Pool:
    """Processes with a task, which end with this one, however it ends. Ctrl-C is left to this one.

    Args:
        task: a function or a callable object that can be pickled, of a module that can be imported; each
            process gets it once.
        processes: how many.

    Example:
        >>> pool = Pool(len, 2)
        >>> pool.work("abc")
        3
        >>> pool.end()
    """

    def __init__(self, task: Callable[[Any], Any], processes: int) -> None:
        command = [sys.executable, "-c", _BEGIN]
        # libraries of numbers would start a thread a core in each of them
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        beginning = pickle.dumps(sys.path) + pickle.dumps(task)
        self._idle: SimpleQueue[Popen[bytes]] = SimpleQueue()
        self._all = [
            Popen(command, stdin=PIPE, stdout=PIPE, env=environment)  # noqa: S603
            for _ in range(processes)
        ]
        for process in self._all:
            cast(IO[bytes], process.stdin).write(beginning)
            self._idle.put(process)

    def work(self, item: Any) -> Any:
        """Do the task on an item; several threads may ask at once, one for each process.

        Raises:
            MoleculeError: the process was killed.
        """
        process = self._idle.get()
        try:
            requests, replies = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
            requests.write(pickle.dumps(item))
            requests.flush()
            fine, result = pickle.load(replies)  # noqa: S301
        except (OSError, EOFError, pickle.UnpicklingError):
            raise MoleculeError(
                f"devices: one of {len(self._all)} processes was killed; is there memory for so many?"
            ) from None
        finally:
            self._idle.put(process)
        if not fine:
            raise result
        return result

    def end(self) -> None:
        """End the processes, whatever they do."""
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # of what was written and not yet sent
                    cast(IO[bytes], pipe).close()


def serve() -> None:
    """Work for another process: take a task and items from standard input, until it is closed."""
    torch.set_num_threads(1)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the results
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task = pickle.load(requests)  # noqa: S301
    items: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, items), daemon=True).start()
    while True:
        item = items.get()
        try:
            reply = pickle.dumps((True, task(item)))
        except Exception as error:  # it is raised where the result is asked for
            reply = pickle.dumps((False, error))
        replies.write(reply)
        replies.flush()


def _listen(requests: IO[bytes], items: "SimpleQueue[Any]") -> None:
    """Take items, and end the process with the one that asks, also while there is work."""
    with suppress(EOFError, pickle.UnpicklingError):
        while True:
            items.put(pickle.load(requests))  # noqa: S301
    os._exit(0)
