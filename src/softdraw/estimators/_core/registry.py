"""Names of estimators: one table, filled by the modules of this room and by users."""

from collections.abc import Callable
from typing import Any, TypeVar

from softdraw.arguments import read_choice, wrong_type, wrong_value
from softdraw.estimators._core.base import Estimator

__all__ = ["FAMILIES", "get", "names", "register"]

E = TypeVar("E", bound=type[Estimator])
_TABLE: dict[str, type[Estimator]] = {}

#: the families in the order in which ``names`` lists them
FAMILIES = (
    "exact",
    "relaxed",
    "straight-through",
    "score-function",
    "control-variate",
    "perturbation",
    "structured",
)


def register(name: str) -> Callable[[E], E]:
    """Give an estimator class a name that ``get``, ``compare`` and the command line understand.

    Args:
        name: the name; one that is taken by another class is refused.

    Returns:
        A class decorator.

    Raises:
        TypeError: what is decorated is no subclass of ``Estimator``.
        ValueError: the name is taken.

    Example:
        >>> from softdraw.estimators import ReinMax, get, register
        >>> @register("my-reinmax")
        ... class MyReinMax(ReinMax):
        ...     default_tau = 1.1
        >>> get("my-reinmax").tau
        1.1
    """

    def decorate(cls: E) -> E:
        if not (isinstance(cls, type) and issubclass(cls, Estimator)):
            raise wrong_type("register", cls, "a subclass of Estimator to decorate")
        known = _TABLE.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            taken = f"{known.__module__}.{known.__qualname__}"
            raise wrong_value("name", name, f"one that is free: {name!r} is taken by {taken}")
        cls.name = name
        _TABLE[name] = cls
        return cls

    return decorate


def get(name: str, **options: Any) -> Estimator:
    """Make the estimator called ``name``.

    Args:
        name: one of ``names()``.
        **options: what the class of that name takes, such as ``tau=`` or ``samples=``.

    Raises:
        TypeError: ``name`` is no string.
        ValueError: no estimator has that name.

    Example:
        >>> from softdraw.estimators import get
        >>> get("reinmax", tau=1.3)
        ReinMax(tau=1.3, samples=1)
    """
    if not isinstance(name, str):
        raise wrong_type("name", name, "the name of an estimator")
    read_choice("name", name, names())
    return _TABLE[name](**options)


def names() -> tuple[str, ...]:
    """All registered names, family by family, the exact estimators first; a user's own follow.

    Example:
        >>> from softdraw.estimators import names
        >>> names()[:3]
        ('enumeration', 'indecater', 'gumbel-softmax')
    """

    def rank(name: str) -> tuple[bool, int]:
        cls = _TABLE[name]
        family = FAMILIES.index(cls.family) if cls.family in FAMILIES else len(FAMILIES)
        return not cls.__module__.startswith("softdraw."), family

    # the order of registration within a family is that of the imports in its __init__
    return tuple(sorted(_TABLE, key=rank))
