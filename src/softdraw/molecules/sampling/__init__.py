"""What a model that is there is used for: drawing on conditions, by several processes, likelihood, files.

May import: ``model``, ``data``, ``chemistry``, ``storage``, ``runtime``, ``errors``.
"""
