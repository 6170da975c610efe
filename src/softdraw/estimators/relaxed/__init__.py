"""Pathwise gradients of soft samples.

May import: ``estimators._core``.
"""
