"""The fused loops: one table of operations, three backends (``reference``, ``cpu``, ``triton``).

``autograd`` is the fast path (``estimator_draws`` that of ReinMax and Gumbel-Rao), ``ops`` and ``formulas``
the one that transforms and compiled graphs see, ``dispatch`` the one table of backends, ``layout`` the
published counter. Every other room calls these, never a backend. May import: torch. To add a kernel, see
"Add a kernel" in CONTRIBUTING.md.
"""

from softdraw.kernels.dispatch import backend
from softdraw.kernels.layout import LAYOUT_VERSION

__all__ = ["LAYOUT_VERSION", "backend"]
