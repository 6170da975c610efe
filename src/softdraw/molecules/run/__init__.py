"""A whole run: its options, its stages, its measurements.

May import: every other room of the molecules.
"""
