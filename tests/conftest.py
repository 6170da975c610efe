import os

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread_each():
    """Test processes run side by side: with a pool of threads each they would wait for one another."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)
