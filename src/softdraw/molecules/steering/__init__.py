"""Targets, what steering descends, the property network, the steering stage, and what it reached.

Calls go one way: ``stage`` > ``steering`` > ``property_training`` > ``property_network``. Properties are
asked of the ledger of ``evaluating``; ``labels`` are its first molecules, and ``progress`` is what a budget
of calls bought. May import: ``evaluating``, ``model``, ``scoring``, ``data``, ``chemistry``, ``storage``,
``runtime``, ``errors``.
"""
