"""Settings of steering for a purpose."""

from typing import Any

__all__ = ["OPTIMIZE"]

OPTIMIZE: dict[str, Any] = {
    "estimator": "reinforce",
    "batch_size": 64,
    "learning_rate": 1e-3,
    "divergence": 0.02,
}
"""To find the best molecules by few evaluations, arguments of ``steer`` by name: small batches, so that there
are many steps, and a low price of leaving the fitted model. ``softdraw molecules optimize`` and
``benchmarks.goal_directed`` use them."""
