"""Objectives of published benchmarks by name: each scores a molecule from 0 to 1, and is written down once.

``suite`` has the tasks, ``definitions`` what each of them is made of: ``terms`` and ``similarity`` of a
molecule, ``modifiers`` that make a score of a number. A new task is one more entry in ``definitions``. RDKit
is imported when a molecule is first scored. May import: nothing of the molecules.
"""
