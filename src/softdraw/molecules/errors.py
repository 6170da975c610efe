"""Errors that a user of the molecules can act on.

The command line prints the message of a ``MoleculeError`` without a traceback and exits with 1; every other
exception is a defect of softdraw and keeps its traceback.
"""

__all__ = [
    "CheckpointError",
    "DataError",
    "MoleculeError",
    "OptionError",
    "OutputError",
    "SetError",
    "TargetError",
]


class MoleculeError(Exception):
    """Something outside softdraw stands in the way: a file, a folder, a setting. The message names it."""


class DataError(MoleculeError):
    """The molecules asked for cannot be read: no such file, not text, nothing usable in it, no network."""


class OptionError(DataError, ValueError):
    """An option of how molecules are read will not do: a column, elements, sizes; a ``ValueError`` too."""


class SetError(DataError, ValueError):
    """A set that samples are scored or compared with holds too few molecules; a ``ValueError`` too."""


class CheckpointError(MoleculeError):
    """A saved model cannot be read back: missing, cut off, or written for other data."""


class OutputError(MoleculeError):
    """A result cannot be written: the folder is not writable, or the disk is full."""


class TargetError(MoleculeError, ValueError):
    """A property or its target is not one that softdraw knows; a ``ValueError`` too, as any bad argument."""
