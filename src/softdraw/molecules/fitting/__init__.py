"""Maximum likelihood: the training, Lightning's Trainer around it, the fitting stage around both.

Calls go one way: ``stage`` > ``trainer`` > ``module``. May import: ``model``, ``data``, ``chemistry``,
``storage``, ``runtime``, ``errors``.
"""
