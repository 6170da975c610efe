"""A whole run: its options, its stages, its measurements.

``run`` opens the data once, fits, steers, measures (``measuring``) and reports, each stage written to the
run's folder as soon as it is there; ``starts`` finds the fitted models that runs and commands go on from.
May import: every other room of the molecules (``report``, ``generator``, ``steering``, ``evaluating``,
``fitting``, ``sampling``, ``scoring``, ``data``, ``chemistry``, ``storage``, ``runtime``, ``model``,
``priors``, ``errors``).
"""
