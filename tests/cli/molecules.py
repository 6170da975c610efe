"""``softdraw molecules`` in the process of the tests."""

import pytest

from softdraw.cli import main


def here(capsys, *words):
    """Exit code, output and errors of a command, for what ends before any training."""
    with pytest.raises(SystemExit) as left:
        main(["molecules", *map(str, words)])
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err
