"""Noise that a key names: ``Key``, and tensors of Gumbel, logistic, exponential and uniform noise.

``fresh_key`` makes a key from torch's generators, so that ``torch.manual_seed`` reproduces a program. Every
other room gets its noise from ``source``. May import: ``softdraw.arguments``, ``softdraw.kernels``, torch. To
add a law, add it to ``noise.py`` and to every backend's ``noise``.
"""

from softdraw.random.key import Key
from softdraw.random.noise import exponential, gumbel, logistic, uniform
from softdraw.random.source import fresh_key

__all__ = ["Key", "exponential", "fresh_key", "gumbel", "logistic", "uniform"]
