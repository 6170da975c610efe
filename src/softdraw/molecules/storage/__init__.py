"""Files that are whole or not there: text, JSON, arrays, tensors, and the folder of a run.

May import: ``errors``.
"""
