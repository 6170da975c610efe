"""Maximum likelihood under Lightning's Trainer.

May import: ``model``, ``data``, ``storage``, ``runtime``.
"""
