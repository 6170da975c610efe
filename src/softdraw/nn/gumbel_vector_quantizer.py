"""The product quantizer of wav2vec 2.0."""

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from softdraw.estimators import Estimator
from softdraw.nn.categorical_latent import group_perplexity
from softdraw.nn.choice import Choice, Evaluation, one_hot_argmax, probabilities
from softdraw.random import Key
from softdraw.schedules import Multiplicative, Schedule


class GumbelVectorQuantizerOutput(NamedTuple):
    """What ``GumbelVectorQuantizer`` returns.

    Attributes:
        quantized: ``[*batch, code_dim]``: the chosen vectors of all groups, side by side.
        indices: int64 ``[*batch, groups]``: which entry was drawn (the largest one of a soft row); -1 for
            padding.
        perplexity: ``[groups]``: exp of the entropy of the mean probabilities.
        code_perplexity: ``[groups]``: the same of the most probable entries, without a gradient.
        diversity_loss: ``[]``: ``(groups · entries - Σ perplexity) / (groups · entries)``, to be added to the
            loss.
    """

    quantized: Tensor
    indices: Tensor
    perplexity: Tensor
    code_perplexity: Tensor
    diversity_loss: Tensor


class GumbelVectorQuantizer(nn.Module):
    """Projects to logits, draws one entry in each of ``groups`` codebooks, and joins the chosen vectors.

    The diversity loss has the form of perplexities that the published code of wav2vec 2.0 uses. Noise and
    softmax are computed in float32 whatever the dtype.

    Reference:
        Baevski, Zhou, Mohamed and Auli, wav2vec 2.0, NeurIPS 2020, section 2 and equation 4.

    Args:
        input_dim: size of the vectors to quantize.
        code_dim: size of the result, a multiple of ``groups``.
        groups: number of codebooks (G).
        entries: entries in each codebook (V).
        tau: a float, a 0-dim tensor or a schedule; None gives the paper's: 2.0, times 0.999995 a step, down
            to 0.5.
        estimator: a name or an object, straight-through Gumbel-Softmax by default.
        evaluation: in eval mode ``"argmax"``, ``"sample"`` or ``"mean"`` (a mixture of entries).

    Raises:
        ValueError: a size below 1, a ``code_dim`` that ``groups`` does not divide, or as ``Choice``.

    Shapes:
        ``[*batch, input_dim]`` to ``GumbelVectorQuantizerOutput``.

    Example:
        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(64, 8)
        >>> layer = sd.nn.GumbelVectorQuantizer(8, 6, groups=2, entries=5)
        >>> optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
        >>> for step in range(40):
        ...     out = layer(x, key=sd.Key(0).fold_in(step))
        ...     optimizer.zero_grad(); out.diversity_loss.backward(); optimizer.step()
        ...     layer.choice.schedule.step()
        >>> out.quantized.shape, bool((out.perplexity > 4.5).all()), layer.dead_codes().sum()
        (torch.Size([64, 6]), True, tensor(0))
    """

    def __init__(
        self,
        input_dim: int,
        code_dim: int,
        *,
        groups: int = 2,
        entries: int = 320,
        tau: float | Tensor | Schedule | None = None,
        estimator: str | Estimator = "st-gumbel-softmax",
        evaluation: Evaluation = "argmax",
    ) -> None:
        super().__init__()
        sizes = {"input_dim": input_dim, "code_dim": code_dim, "groups": groups, "entries": entries}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if code_dim % groups:
            raise ValueError(f"code_dim must be a multiple of groups, got {code_dim} and {groups}")
        self.input_dim, self.code_dim, self.groups, self.entries = input_dim, code_dim, groups, entries
        if tau is None and estimator == "st-gumbel-softmax":
            tau = Multiplicative(start=2.0, floor=0.5, factor=0.999995)
        self.choice = Choice(estimator, tau, evaluation)
        self.projection = nn.Linear(input_dim, groups * entries)
        self.codebook = nn.Parameter(torch.empty(groups, entries, code_dim // groups))
        # No buffer: DistributedDataParallel would overwrite the counts of every rank by those of the first.
        self._counts: Tensor
        self.reset_parameters()

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature of the next training draw."""
        return self.choice.tau

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> GumbelVectorQuantizerOutput:
        """Quantize ``x``.

        Args:
            x: ``[*batch, input_dim]``.
            mask: boolean, broadcastable to ``[*batch]``, False for padding: it gives zeros and counts
                nowhere.
            key: the noise.
            generator: where to take a fresh key from.

        Raises:
            ValueError: ``x`` has another last dimension.
        """
        if x.shape[-1] != self.input_dim:
            raise ValueError(f"x must have shape [*batch, {self.input_dim}], got {tuple(x.shape)}")
        logits = self.projection(x).unflatten(-1, (self.groups, self.entries))
        allowed = None if mask is None else mask.expand(x.shape[:-1])[..., None, None]
        rows = self.choice(logits, mask=allowed, key=key, generator=generator)
        vectors = torch.einsum("...gv,gvd->...gd", rows, self.codebook.to(rows.dtype)).flatten(-2)
        wide = logits if logits.dtype == torch.float64 else logits.float()
        per_group = group_perplexity(probabilities(wide, allowed))
        codes = group_perplexity(one_hot_argmax(wide.detach(), allowed))
        total = self.groups * self.entries
        diversity = (total - per_group.sum()) / total
        indices = rows.argmax(-1)
        if allowed is not None:
            indices = indices.masked_fill(~allowed.squeeze(-1), -1)
        if self.training:
            self._count(rows)
        return GumbelVectorQuantizerOutput(vectors, indices, per_group, codes, diversity)

    def usage(self) -> Tensor:
        """Draws of each entry in training since the last reset, on all ranks: ``[groups, entries]``."""
        counts = self._counts
        if dist.is_available() and dist.is_initialized():
            counts = counts.clone()
            dist.all_reduce(counts)
        return counts

    def dead_codes(self, share: float = 0.0) -> Tensor:
        """Entries drawn at most ``share`` times as often as under equal use: bool ``[groups, entries]``."""
        usage = self.usage()
        return usage <= share * usage.sum(-1, keepdim=True) / self.entries

    def reset_usage(self) -> None:
        """Forget what has been drawn."""
        self._counts = torch.zeros(self.groups, self.entries, device=self.codebook.device)

    def reset_parameters(self) -> None:
        """Initialise as wav2vec 2.0: normal projection without bias, uniform codebook."""
        nn.init.normal_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        nn.init.uniform_(self.codebook)
        self.choice.reset_parameters()
        self.reset_usage()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"{self.input_dim}, {self.code_dim}, groups={self.groups}, entries={self.entries}"

    def _count(self, rows: Tensor) -> None:
        drawn = rows.detach().float().reshape(-1, self.groups, self.entries).sum(0)
        self._counts = self._counts.to(drawn.device) + drawn
