"""Files that are whole or not there: text, JSON, arrays, tensors, and the folder of a run.

Every writer goes through ``atomic.atomic``. May import: ``errors``, and ``softdraw.files``.
"""
