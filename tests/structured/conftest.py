"""Every test starts with torch's own default of validation."""

import pytest
from torch.distributions import Distribution


@pytest.fixture(autouse=True)
def validation():
    """Validation on: the first use of torch.compile in a process turns the default off for good."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(True)
    yield
    Distribution.set_default_validate_args(before)
