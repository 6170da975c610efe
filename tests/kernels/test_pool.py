"""Threads: torch's own OpenMP team where there is one, a pool elsewhere and after a fork."""

import os
import signal
import sys
import threading

import pytest
import torch

from .backends import native

SHAPE = (600, 1000)  # large enough that every thread gets rows


@pytest.fixture(params=["team", "pool"])
def cpu(request):
    """The backend with the threads of either kind, two of them."""
    module = native()
    if request.param == "team" and not module._team():
        pytest.skip("this torch has no OpenMP that can be shared")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    module._native.use_team(module._team() if request.param == "team" else 0)
    yield module
    module._native.use_team(module._team())
    torch.set_num_threads(before)


def test_rows_are_shared_and_the_draw_is_the_same(cpu):
    logits = torch.randn(SHAPE)
    whole = cpu.soft(logits, None, 0.5, 1, 2)
    torch.set_num_threads(1)
    assert torch.equal(whole, cpu.soft(logits, None, 0.5, 1, 2))


def test_callers_in_several_python_threads(cpu):
    logits = torch.randn(SHAPE)
    expected = [cpu.soft(logits, None, 1.0, seed, 0) for seed in range(4)]
    results = {}

    def work(seed):
        for _ in range(20):
            results[seed] = cpu.soft(logits, None, 1.0, seed, 0)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(results[seed], expected[seed]) for seed in range(4))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_draws(cpu):
    """It has none of its parent's threads: waiting for them would take for ever."""
    logits = torch.randn(SHAPE)
    expected = cpu.index(logits, None, 5, 0, 1)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        os._exit(0 if torch.equal(cpu.index(logits, None, 5, 0, 1), expected) else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
