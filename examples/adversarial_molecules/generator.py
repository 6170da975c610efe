"""From Gaussian noise to the logits of a whole graph."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

import softdraw as sd

from .graphs import Layout


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(gelu(self.up(self.norm(x))))


class Generator(nn.Module):
    """z ``[batch, latent]`` to logits ``[batch, places, C]``, to be drawn with ``layout.mask``.

    ``spread`` multiplies the first logits: the larger, the more z decides, and the less the draws.
    """

    def __init__(
        self, layout: Layout, spread: float = 1.0, latent: int = 32, width: int = 256, blocks: int = 3
    ) -> None:
        super().__init__()
        self.latent, self.shape = latent, (layout.places, layout.classes)
        self.first = nn.Linear(latent, width)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)), nn.LayerNorm(width))
        self.last = nn.Linear(width, layout.places * layout.classes)
        with torch.no_grad():
            self.last.weight.mul_(spread)

    def forward(self, z: Tensor) -> Tensor:
        return self.last(self.blocks(self.first(z))).unflatten(-1, self.shape)

    @torch.no_grad()
    def draw(self, layout: Layout, count: int, key: sd.Key) -> Tensor:
        """Hard rows ``[count, places]``: one categorical draw for every atom and every pair."""
        parts = []
        for start in range(0, count, 1000):
            of_part = key.fold_in(start)
            z = gaussian(min(1000, count - start), self.latent, of_part.fold_in(0))
            parts.append(sd.gumbel_max(self(z), mask=layout.mask, key=of_part.fold_in(1)))
        return torch.cat(parts).to(torch.uint8)


def gaussian(count: int, size: int, key: sd.Key) -> Tensor:
    """Standard normal ``[count, size]`` that the key names."""
    noise = torch.Generator().manual_seed(key.seed % 2**63)
    return torch.randn(count, size, generator=noise)
