"""Targets, what steering descends, how a batch becomes a gradient, the steering stage, and what it reached.

Calls go one way: ``stage`` > ``steering`` > ``gradients``, each of which is a module there. Properties are
asked of the ledger of ``evaluating``; ``labels`` are its first molecules, and ``progress`` is what a budget
of calls bought. May import: ``evaluating``, ``proposing``, ``model``, ``scoring``, ``data``, ``chemistry``,
``storage``, ``runtime``, ``errors``.
"""
