import os

import pytest
import torch
from torch.distributions import Distribution


@pytest.fixture(scope="session", autouse=True)
def _one_thread_each():
    """Test processes run side by side: with a pool of threads each they would wait for one another."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _validation():
    """Validation on: the first use of torch.compile in a process turns the default off for good."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(True)
    yield
    Distribution.set_default_validate_args(before)
