"""What properties cost: who computes them, what was paid for, and what a budget of calls has left.

``ledger`` is asked; it asks the ``evaluator`` and keeps ``evaluations``, and ``watch`` looks at it.
May import: ``chemistry``, ``storage``, ``runtime``, ``errors``.
"""
