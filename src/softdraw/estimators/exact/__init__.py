"""Estimators that sum over classes or states.

May import: ``estimators._core``.
"""
