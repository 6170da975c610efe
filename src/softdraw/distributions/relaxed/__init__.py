"""Relaxed laws: the shared base, log-space samples, and one law a file.

May import: ``distributions.parameters``, ``functional``, ``random``, ``kernels``.
"""
