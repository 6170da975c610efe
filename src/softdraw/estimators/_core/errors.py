"""Why an estimator cannot serve a problem, as exceptions of their own.

What measures many estimators leaves these out and goes on; every other exception is the caller's, or f's.
"""

__all__ = ["TooManyStatesError", "UnsuitableError"]


class UnsuitableError(ValueError):
    """An estimator cannot serve a problem that another may.

    There are more than two classes for a binary one, or f has no gradient where it is needed.

    Example:
        >>> import torch, softdraw as sd
        >>> try:
        ...     sd.estimators.get("arm").expectation(lambda z: z[..., 0, 0], torch.zeros(1, 3))
        ... except sd.estimators.UnsuitableError as error:
        ...     print(str(error).split(", ")[-1])
        because ARM serves binary variables
    """


class TooManyStatesError(UnsuitableError):
    """The problem has more joint states than enumeration may visit.

    Example:
        >>> import torch, softdraw as sd
        >>> try:
        ...     sd.diagnostics.exact_value(lambda z: z[..., 0, 0], torch.zeros(30, 2))
        ... except sd.estimators.TooManyStatesError as error:
        ...     print(str(error)[:51])
        enumeration would visit 2^30 = 1073741824 states, m
    """
