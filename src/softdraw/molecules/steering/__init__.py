"""Targets, what steering descends, the property network, and the steering stage.

May import: ``model``, ``data``, ``chemistry``, ``storage``, ``runtime``.
"""
