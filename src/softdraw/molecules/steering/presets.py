"""Settings of steering for a purpose."""

from typing import Any

__all__ = ["OPTIMIZE"]

OPTIMIZE: dict[str, Any] = {
    "estimator": "log-variance",
    "batch_size": 64,
    "learning_rate": 1e-3,
    "divergence": 0.02,
    "updates": 4,
    "memory": 100,
    "offspring": 0.5,
    "screen": 4,
    "crowding": 0.1,
}
"""To find the best molecules by few evaluations, arguments of ``steer`` by name: small batches, so that there
are many steps, a low price of leaving the fitted model, and every evaluation learned from several times.
``softdraw molecules optimize`` and ``benchmarks.goal_directed`` use them."""
