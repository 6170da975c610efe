"""How a batch of evaluated molecules changes the network: one module for each kind of gradient.

``learner`` says what each of them does. ``pathwise`` follows a differentiable one-hot through a property
network, ``score_function``, ``critic`` and ``log_variance`` take properties as they come, ``control_variate``
does both. To add one, write a module with a ``Learner``, and name it in ``estimator``.
May import: what ``steering`` may, and its targets, options and crowding.
"""
