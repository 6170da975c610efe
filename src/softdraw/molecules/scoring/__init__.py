"""How good drawn molecules are, and the table that says so.

May import: ``data``, ``chemistry``, ``storage``, ``runtime``, ``errors``.
"""
