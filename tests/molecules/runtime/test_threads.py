import torch

from softdraw.molecules.runtime.threads import SMALL, threads_for


def test_a_small_network_runs_on_one_thread_and_the_count_comes_back():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threads_for(SMALL):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with threads_for(SMALL + 1):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
