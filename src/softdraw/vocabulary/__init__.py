"""Draws over a vocabulary, from hidden states and the weights of its head, without its logits in memory.

What lives here: the stateless functions, which equal those of ``softdraw.functional`` on ``hidden @
weight.T`` at the same key. May import: ``softdraw.random``, ``softdraw.arguments``, ``softdraw.kernels``,
torch.
"""

from softdraw.vocabulary._mixing import Mixture
from softdraw.vocabulary.gumbel_max import VocabularyDraw, gumbel_max
from softdraw.vocabulary.gumbel_softmax import gumbel_softmax

__all__ = ["Mixture", "VocabularyDraw", "gumbel_max", "gumbel_softmax"]
