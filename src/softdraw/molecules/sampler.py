"""What a fitted generator is asked for: molecules, how likely given ones are, and how good drawn ones are.

May import: ``state``, ``sampling``, ``scoring``, ``data``, ``chemistry``.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.distributed import ProcessGroup

from softdraw.arguments import read_count
from softdraw.molecules.chemistry.scaffold import Scaffold, read_scaffolds
from softdraw.molecules.data.sources import listed_smiles
from softdraw.molecules.sampling.conditions import Conditions, Given
from softdraw.molecules.sampling.drawing import Drawer, draw_molecules
from softdraw.molecules.sampling.likelihood import likelihoods
from softdraw.molecules.sampling.scaffolds import given_parts
from softdraw.molecules.scoring.scores import Scores, score
from softdraw.molecules.state import GeneratorState
from softdraw.random import Key
from softdraw.random.source import call_key

__all__ = ["MoleculeSampler"]


class MoleculeSampler(GeneratorState):
    """Draws molecules, weighs and scores them; what it draws with was fitted before.

    The arguments and attributes are those of ``MoleculeGenerator``.

    Example:
        >>> import softdraw as sd
        >>> len(MoleculeSampler.load("druglike").sample(2, key=sd.Key(0)))
        2
    """

    def sample(
        self,
        count: int,
        *,
        key: Key | None = None,
        mask: bool = True,
        forbid: Given = (),
        require: Given = (),
        scaffold: str | os.PathLike[str] | Scaffold | Iterable[str | Scaffold] = (),
        devices: int = 1,
        group: ProcessGroup | None = None,
        progress: bool | None = False,
    ) -> list[str]:
        """Draw molecules.

        Args:
            count: how many.
            key: the same key gives the same molecules, and the first ones of a larger count, however many
                processes draw; None takes a fresh key from torch's default generator.
            mask: allow only decisions that end in a molecule, so that every graph is valid; without it the
                network is on its own.
            forbid: patterns that no molecule may hold: a file of SMARTS, the name of a set such as
                ``"pains"``, what ``read_patterns`` gave, or several of these. What holds one is left out,
                and further ones are drawn until ``count`` are there; ``sample_summary`` counts both.
            require: patterns, all of which each molecule has to hold, given and applied likewise.
            scaffold: a part that every molecule is drawn on from, and keeps: SMILES with or without
                attachment points (``[*]``, see ``read_scaffold``), a file of them, or several, which take
                turns. A molecule that lost it, since a ring of it became aromatic, is left out.
            devices: processes of this machine that draw, each on one thread.
            group: ranks that draw together instead (of a gloo group): all of them call this with the same
                arguments, a key among them, and get the same molecules.
            progress: show a progress bar for a long draw; None shows it on a terminal.

        Returns:
            ``count`` canonical SMILES, ``""`` where a graph is no molecule; such a graph is never left out.
            Fewer, with a ``MoleculeWarning``, if after 100 draws for each, and 10,000, not all have passed.

        Raises:
            TypeError: a number is no int, or a condition is something else.
            ValueError: a number is out of its range; a group and no key, or ``devices`` too.
            DataError: a file of patterns cannot be read, or a scaffold cannot be drawn on from.
            MoleculeError: nothing that is drawn passes the conditions, or a process was killed.
            RuntimeError: before ``fit``.
        """
        count, devices = read_count("count", count), read_count("devices", devices, 1)
        if group is not None and (key is None or devices > 1):
            raise ValueError(f"group: got one, key={key} and devices={devices}, expected a key and devices=1")
        conditions = Conditions.of(forbid, require)
        scaffolds = tuple(read_scaffolds(scaffold)) if scaffold else ()
        given_parts(scaffolds, self.network, self.vocabulary)  # says what is wrong before anything is drawn
        drawer = Drawer(self.network, self.vocabulary, call_key(key, None), mask, conditions, scaffolds)
        found = draw_molecules(drawer, count, devices=devices, group=group, progress=progress)
        self.sample_summary = found.to_dict()
        return found.smiles

    def likelihood(self, smiles: Iterable[Any]) -> NDArray[np.float64]:
        """How likely each molecule is to be drawn, in nats.

        That is the log-probability of drawing it atom by atom in the reading order of its canonical SMILES,
        with every decision allowed; as it can be drawn in other orders too, it is a lower bound of the
        log-probability of the molecule. Stereo is dropped first.

        Args:
            smiles: SMILES or RDKit molecules.

        Returns:
            ``[molecules]`` float64; NaN where the model cannot draw the molecule: it cannot be read, has an
            atom type that is not in ``vocabulary``, more atoms than any molecule of the data, or what no
            graph holds (see ``data.dataset.load``).

        Raises:
            TypeError: ``smiles`` is text, or no list.
            RuntimeError: before ``fit``.
        """
        listed = listed_smiles("smiles", smiles)
        return likelihoods(self.network, self.vocabulary, enumerate(listed, 1)).nats

    log_likelihood = likelihood

    def score(
        self, samples: Sequence[str], *, whole: Collection[str] | None = None, fcd: bool = True
    ) -> Scores:
        """Score SMILES against this generator's own data.

        Args:
            samples: drawn SMILES, ``""`` for what is no molecule.
            whole: molecules that do not count as new; by default all that were read.
            fcd: compute the Fréchet ChemNet distance to the held-out molecules, which takes the longest.

        Returns:
            The scores.
        """
        parts = self.parts
        if whole is None:
            whole = [*parts.train.smiles, *parts.validation.smiles, *parts.heldout.smiles]
        reference = self.heldout_smiles if len(self.heldout_smiles) > 1 else None
        return score(samples, train=self.train_smiles, whole=whole, reference=reference, fcd=fcd)
