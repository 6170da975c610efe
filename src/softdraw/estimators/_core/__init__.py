"""What every estimator is made of: the interface, noise, categorical arithmetic, the registry.

May import: ``functional``, ``random``, ``kernels``, ``schedules``.
"""
