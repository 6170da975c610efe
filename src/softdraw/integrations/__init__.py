"""softdraw inside other people's training loops.

What lives here: one module a package, importable only where that package is installed: ``lightning``,
``transformers``, ``pyro``. May import every room above, and its own package. To add one: write
``<package>.py`` that raises an ImportError saying what to install, a test that trains with it, and a section
in ``docs/coming-from.md``. Nothing here is imported by ``import softdraw.integrations`` itself.
"""

__all__: list[str] = []
