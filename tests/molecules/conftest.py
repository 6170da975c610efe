import os

import pytest

from softdraw.molecules.data.dataset import Dataset, load


@pytest.fixture(scope="session", autouse=True)
def _private_cache(tmp_path_factory):
    """Tests neither read nor fill the user's cache; the processes of one test run share theirs."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTDRAW_CACHE", str(folder / "softdraw-cache"))
        yield


@pytest.fixture(scope="session")
def embedded(_private_cache) -> Dataset:
    """The embedded set."""
    return load("chemicals")
