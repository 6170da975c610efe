"""Noise that a key names: ``Key``, and tensors of Gumbel, logistic, exponential and uniform noise.

``fresh_key`` makes a key from torch's generators, so that ``torch.manual_seed`` reproduces a program.
May import: ``softdraw.kernels``, torch. To add a law, add it to ``noise.py`` and to every backend's
``noise``.
"""

from softdraw.random.fresh import fresh_key
from softdraw.random.key import Key
from softdraw.random.noise import exponential, gumbel, logistic, uniform

__all__ = ["Key", "exponential", "fresh_key", "gumbel", "logistic", "uniform"]
