"""``check_request``: what can be told to be wrong with a run before anything is read."""

from softdraw.molecules.chemistry.properties import property_function
from softdraw.molecules.chemistry.scaffold import read_scaffolds
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.sampling.conditions import Conditions
from softdraw.molecules.steering.targets import targets_from

__all__ = ["check_request"]


def check_request(options: RunOptions) -> None:
    """See that targets, estimator and patterns can be used, before minutes of training.

    Raises:
        DataError: a file of patterns, or a scaffold, cannot be read.
        ValueError: the estimator cannot steer; the message lists those that can.
        TargetError: a target is not understood, its property unknown, or a step for an estimator that follows
            gradients of it.

    Example:
        >>> check_request(RunOptions(targets=("logp=2",), estimator="reinmax"))
    """
    from softdraw.molecules.steering.gradients.estimator import check_estimator, check_gradients

    Conditions.of(options.forbid, options.require)
    for scaffold in options.keep_scaffold:
        read_scaffolds(scaffold)
    targets = targets_from(options.targets) if options.targets else []
    for target in targets:
        property_function(target.property)
    check_estimator(options.estimator)
    check_gradients(options.estimator, targets)
