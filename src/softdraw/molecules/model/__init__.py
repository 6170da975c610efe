"""The network, the likelihood of graphs under it, and drawing from it.

May import: ``data``, ``chemistry``, ``runtime``, ``errors``, and of softdraw whatever draws.
"""
