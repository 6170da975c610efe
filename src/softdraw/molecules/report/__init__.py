"""The report of a run: one HTML file that needs nothing else, made again at any time from the run's folder.

``page`` collects what the template shows: ``pairs`` of molecules as ``pictures``, and ``plots`` drawn by
``figures``. One more chart is one more ``Plot`` in ``plots``. May import: ``steering``, ``scoring``,
``chemistry``, ``storage``, ``errors``.
"""

from softdraw.molecules.report.page import render, write_report

__all__ = ["render", "write_report"]
