"""Targets, what steering descends, the property network, the steering stage, and what it reached.

Calls go one way: ``stage`` > ``steering`` > ``property_training`` > ``property_network``. May import:
``model``, ``scoring``, ``data``, ``chemistry``, ``storage``, ``runtime``, ``errors``.
"""
