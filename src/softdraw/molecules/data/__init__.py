"""From a file or a table to batches of graphs: read, filtered, encoded, cached, split.

May import: ``chemistry``, ``storage``, ``runtime``, ``errors``.
"""
