"""Gradients of perturbed maximisers.

May import: ``estimators._core``.
"""
