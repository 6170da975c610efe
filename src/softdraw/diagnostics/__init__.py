"""Which estimator, at which temperature: exact gradients, bias and variance, advice, and a training monitor.

What lives here: measurements, and their tables, figures and report. May import: ``nn``, ``estimators`` and
the rooms above them, and ``softdraw.pages``. To add a measure, add a field with its standard error to
``Measures``; every table and CSV file takes its columns from there, the report from ``report.py``.
"""

from softdraw.diagnostics.advise import Advice, Recommendation, advise
from softdraw.diagnostics.compare import compare
from softdraw.diagnostics.comparison import Comparison
from softdraw.diagnostics.exact import exact_gradient, exact_value, reference_gradient
from softdraw.diagnostics.gradient_monitor import GradientMonitor
from softdraw.diagnostics.measures import Measures
from softdraw.diagnostics.sweep import Sweep, temperature_sweep

__all__ = [
    "Advice",
    "Comparison",
    "GradientMonitor",
    "Measures",
    "Recommendation",
    "Sweep",
    "advise",
    "compare",
    "exact_gradient",
    "exact_value",
    "reference_gradient",
    "temperature_sweep",
]
