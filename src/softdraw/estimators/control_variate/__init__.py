"""Score functions with a relaxation as control variate.

May import: ``estimators._core``. The order of the imports is that in which ``names()`` lists the family.
"""

from softdraw.estimators.control_variate.rebar import REBAR
from softdraw.estimators.control_variate.relax import RELAX

__all__ = [
    "REBAR",
    "RELAX",
]
