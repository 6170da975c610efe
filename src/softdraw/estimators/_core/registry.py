"""Names of estimators: one table, filled by the modules of this room and by users."""

from collections.abc import Callable
from typing import Any, TypeVar

from softdraw.estimators._core.base import Estimator

__all__ = ["get", "names", "register"]

E = TypeVar("E", bound=type[Estimator])
_TABLE: dict[str, type[Estimator]] = {}

#: how ``names`` lists the estimators of this room, family by family; a user's own follow
_ORDER = (
    *("enumeration", "indecater"),
    *("gumbel-softmax", "binary-concrete"),
    *("st", "st-gumbel-softmax", "decoupled-st-gumbel-softmax", "gapped-st", "gumbel-rao"),
    *("reinmax", "reinmax-rao", "redge"),
    *("reinforce", "rloo", "unordered-set", "arm", "disarm", "arsm", "vimco", "rodeo"),
    *("rebar", "relax"),
    *("imle", "perturbed-argmax"),
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
            raise TypeError(f"register({name!r}) decorates a subclass of Estimator, got {cls!r}")
        known = _TABLE.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"the estimator name {name!r} is taken by {known.__module__}.{known.__qualname__}"
            )
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
        ValueError: no estimator has that name.

    Example:
        >>> from softdraw.estimators import get
        >>> get("reinmax", tau=1.3)
        ReinMax(tau=1.3, samples=1)
    """
    try:
        cls = _TABLE[name]
    except (KeyError, TypeError):
        raise ValueError(f"name={name!r} is no estimator; expected one of {', '.join(names())}") from None
    return cls(**options)


def names() -> tuple[str, ...]:
    """All registered names, the exact estimators first.

    Example:
        >>> from softdraw.estimators import names
        >>> names()[:3]
        ('enumeration', 'indecater', 'gumbel-softmax')
    """
    known = [name for name in _ORDER if name in _TABLE]
    return (*known, *(name for name in _TABLE if name not in _ORDER))
