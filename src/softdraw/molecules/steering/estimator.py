"""Which gradient estimators can steer."""

from typing import cast

from torch import Tensor

import softdraw.estimators as estimators

__all__ = ["SCORE_FUNCTION", "one_hot_estimator"]

SCORE_FUNCTION = "reinforce"
"""The estimator that treats RDKit as a black box."""


def one_hot_estimator(name: str, tau: Tensor) -> estimators.TensorEstimator:
    """The estimator of that name at a shared temperature, if it returns a differentiable sample.

    Raises:
        ValueError: there is none, or it needs the cost as a function.
    """
    usable = [SCORE_FUNCTION]
    for known in estimators.names():
        one = estimators.get(known)
        if isinstance(one, estimators.TensorEstimator) and not one.binary:
            usable.append(known)
    if name not in usable:
        raise ValueError(f"estimator: got {name!r}, expected one of {', '.join(usable)}")
    with_tau = estimators.get(name, tau=tau) if estimators.get(name).default_tau else estimators.get(name)
    return cast(estimators.TensorEstimator, with_tau)
