"""Score functions with a relaxation as control variate.

May import: ``estimators._core``.
"""
