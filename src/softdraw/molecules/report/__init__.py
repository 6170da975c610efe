"""The report of a run: one HTML file that needs nothing else, made again at any time from the run's folder.

``page`` collects what the template shows: ``pairs`` of molecules as ``pictures``, and ``plots`` drawn by
``figures``. May import the rest of the molecules' room. One more chart is one more ``Plot`` in ``plots``.
"""

from softdraw.molecules.report.page import render, write_report

__all__ = ["render", "write_report"]
