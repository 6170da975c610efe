"""A page to play with: what temperature, noise and estimators do, computed in the browser.

What lives here: ``page``, which puts the page together; its text ``page.html``, its style ``page.css`` and
its scripts ``*.js``; and ``molecules.json``, molecules whose decisions were recorded from the shipped prior
by ``python -m benchmarks.explore_molecules``. The page is one file without an address outside itself. May
import: nothing, so that it works with torch alone. To add a part, write a section in ``page.html`` and a
script, and name the script in ``page.SCRIPTS``.
"""

from softdraw.explore.page import page

__all__ = ["page"]
