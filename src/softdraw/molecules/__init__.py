"""The flagship: molecular graphs whose atoms and bonds are categorical draws.

May import every other room but the command line. A new property goes into ``properties.py``, a new score into
``score.py``, a new source of molecules into ``sources.py``. Needs the extra ``softdraw[molecules]``.
"""

try:
    import chemicals  # noqa: F401
    import lightning  # noqa: F401
    import rdkit  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"softdraw.molecules needs {error.name}: pip install 'softdraw[molecules]'", name=error.name
    ) from error

from softdraw.molecules.errors import CheckpointError, DataError, MoleculeError, OutputError, TargetError
from softdraw.molecules.generator import MoleculeGenerator
from softdraw.molecules.scoring.scores import Scores, score
from softdraw.molecules.steering.targets import Target

__all__ = [
    "CheckpointError",
    "DataError",
    "MoleculeError",
    "MoleculeGenerator",
    "OutputError",
    "Scores",
    "Target",
    "TargetError",
    "score",
]
