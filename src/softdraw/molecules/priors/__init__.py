"""Generators that the package brings along, ready to draw without any fit.

A prior is a folder here: weights (safetensors, half precision), ``prior.json``, and a model card, which says
what it was fitted to, under which licence, by which command, and how it scores. It holds no molecules.
May import: ``model``, ``chemistry``, ``storage``, ``errors``.
"""
