"""Molecules worth an evaluation, from those evaluated: children of the best, and a guess at their values.

``offspring`` draws parents, joins them (``crossover``) and edits the child (``mutation``); both work on a
``graph``, whose ``oddities`` no child has more of than its parents. ``surrogate`` predicts values with their
uncertainty by a ``gaussian_process`` on ``counts`` of what they have. A new mutation is one function of
``mutation`` or ``grouping`` and its weight in ``MUTATIONS``. May import: ``chemistry``, ``errors``.
"""
