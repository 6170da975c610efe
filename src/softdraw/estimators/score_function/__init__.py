"""REINFORCE and its baselines: f may be a black box.

May import: ``estimators._core``.
"""
