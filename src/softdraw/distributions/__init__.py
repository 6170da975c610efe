"""Distributions that behave like those of torch and whose densities stay right at every temperature.

What lives here: relaxed distributions, their straight-through versions, hard Concrete gates, and categorical
distributions drawn with keys. May import: ``softdraw.random``, ``softdraw.functional``, torch. To add one:
write ``<name>.py`` with a subclass of ``RelaxedCategorical``, ``RelaxedBinary`` or ``Relaxed`` (five short
methods), export it here, and add it to ``tests/distributions/examples.py``, where the promises of all of them
are tested.
"""

from softdraw.distributions import kl as _kl  # noqa: F401  registers the closed forms with torch
from softdraw.distributions.categorical import Categorical
from softdraw.distributions.hard_concrete import HardConcrete
from softdraw.distributions.kl_estimate import kl_estimate
from softdraw.distributions.one_hot_categorical import OneHotCategorical
from softdraw.distributions.relaxed.exp_relaxed_categorical import ExpRelaxedCategorical
from softdraw.distributions.relaxed.logit_relaxed_bernoulli import LogitRelaxedBernoulli
from softdraw.distributions.relaxed.relaxed_bernoulli import RelaxedBernoulli
from softdraw.distributions.relaxed.relaxed_bernoulli_straight_through import RelaxedBernoulliStraightThrough
from softdraw.distributions.relaxed.relaxed_one_hot_categorical import RelaxedOneHotCategorical
from softdraw.distributions.relaxed.relaxed_one_hot_categorical_straight_through import (
    RelaxedOneHotCategoricalStraightThrough,
)

__all__ = [
    "Categorical",
    "ExpRelaxedCategorical",
    "HardConcrete",
    "LogitRelaxedBernoulli",
    "OneHotCategorical",
    "RelaxedBernoulli",
    "RelaxedBernoulliStraightThrough",
    "RelaxedOneHotCategorical",
    "RelaxedOneHotCategoricalStraightThrough",
    "kl_estimate",
]
