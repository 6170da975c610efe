"""The product quantizer of wav2vec 2.0."""

import warnings
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from softdraw.arguments import check_classes, read_count, read_mask, read_number, wrong_value
from softdraw.estimators import Estimator
from softdraw.nn.categorical_latent import group_perplexity
from softdraw.nn.choice import Choice, Evaluation, one_hot_argmax, probabilities
from softdraw.nn.layer import ChoiceLayer
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Multiplicative, Schedule

#: training passes after which a default schedule that has not moved is an oversight
_PASSES = 1000


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


class GumbelVectorQuantizer(ChoiceLayer):
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
            to 0.5. As every schedule, it moves when it is told, by ``layer.schedule.step()`` after each
            optimizer step; one that stands still for 1000 training passes gives a warning.
        estimator: a name or an object, straight-through Gumbel-Softmax by default.
        evaluation: in eval mode ``"argmax"``, ``"sample"`` or ``"mean"`` (a mixture of entries).
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: where the parameters are made.
        dtype: that of the parameters.

    Raises:
        TypeError: a size that is no int, or as ``Choice``.
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
        ...     layer.schedule.step()
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
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_dim, self.code_dim = (
            read_count("input_dim", input_dim, 1),
            read_count("code_dim", code_dim, 1),
        )
        self.groups, self.entries = read_count("groups", groups, 1), read_count("entries", entries, 1)
        if self.code_dim % self.groups:
            raise wrong_value("code_dim", self.code_dim, f"a multiple of groups = {self.groups}")
        #: training passes in which a schedule that the user did not choose may stand still before he is told
        self._passes_left = self._first_step = 0
        if tau is None and estimator == "st-gumbel-softmax":
            tau, self._passes_left = Multiplicative(start=2.0, floor=0.5, factor=0.999995), _PASSES
        self.choice = Choice(estimator, tau, evaluation, group=group)
        self.projection = nn.Linear(self.input_dim, self.groups * self.entries, device=device, dtype=dtype)
        size = self.groups, self.entries, self.code_dim // self.groups
        self.codebook = nn.Parameter(torch.empty(size, device=device, dtype=dtype))
        # No buffer: DistributedDataParallel would overwrite the counts of every rank by those of the first.
        self._counts: Tensor
        self.reset_parameters()

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
            TypeError: ``x`` is no dense tensor of float16, bfloat16, float32 or float64, ``mask`` none of
                bool, or ``key`` or ``generator`` of another type.
            ValueError: ``x`` has another last dimension, ``mask`` does not broadcast or is on another device,
                or both ``key`` and ``generator``.
        """
        if is_symbol(x):
            return record_module(self, x, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        check_classes("x", x, "[*batch, features]")
        if x.shape[-1] != self.input_dim:
            raise wrong_value("x", x, f"shape [*batch, {self.input_dim}]")
        logits = self.projection(x).unflatten(-1, (self.groups, self.entries))
        mask = read_mask(mask, x, x.shape[:-1])
        allowed = None if mask is None else mask[..., None, None].expand(logits.shape)
        rows = self.choice(logits, mask=allowed, key=key, generator=generator)
        vectors = torch.einsum("...gv,gvd->...gd", rows, self.codebook.to(rows.dtype)).flatten(-2)
        wide = logits if logits.dtype == torch.float64 else logits.float()
        per_group = group_perplexity(probabilities(wide, allowed))
        codes = group_perplexity(one_hot_argmax(wide.detach(), allowed))
        total = self.groups * self.entries
        diversity = (total - per_group.sum()) / total
        indices = rows.argmax(-1)
        if allowed is not None:
            indices = indices.masked_fill(~allowed[..., 0], -1)
        if self.training:
            self._count(rows)
            if not torch.compiler.is_compiling() and self._passes_left:
                self._look_at_schedule()
        return GumbelVectorQuantizerOutput(vectors, indices, per_group, codes, diversity)

    def usage(self, *, all_ranks: bool = False) -> Tensor:
        """Draws of each entry in training since the last reset: ``[groups, entries]``.

        Args:
            all_ranks: sum them over the ranks of ``torch.distributed``. Every rank must then make this call;
                without it a rank counts its own draws and waits for nobody.
        """
        counts = self._counts_on(self.codebook.device)
        if all_ranks and dist.is_available() and dist.is_initialized():
            counts = counts.clone()
            dist.all_reduce(counts)
        return counts

    def dead_codes(self, share: float = 0.0, *, all_ranks: bool = False) -> Tensor:
        """Entries drawn at most ``share`` times as often as under equal use: bool ``[groups, entries]``.

        Args:
            share: 0 lists the entries that were never drawn.
            all_ranks: as in ``usage``.
        """
        share = read_number("share", share, least=0.0)
        usage = self.usage(all_ranks=all_ranks)
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
        self._counts = self._counts_on(drawn.device) + drawn

    def _counts_on(self, device: torch.device) -> Tensor:
        """The counts where they are needed; nothing was drawn while the layer was on the meta device."""
        counts = self._counts
        return torch.zeros_like(counts, device=device) if counts.is_meta else counts.to(device)

    def _look_at_schedule(self) -> None:
        schedule = self.choice.schedule
        if schedule is None:
            return
        if self._passes_left == _PASSES:
            self._first_step = schedule.step_count
        moved = schedule.step_count != self._first_step
        self._passes_left = 0 if moved else self._passes_left - 1
        if not moved and not self._passes_left:
            warnings.warn(
                f"GumbelVectorQuantizer: its default temperature {schedule!r} has stood still for {_PASSES} "
                "training passes: call layer.schedule.step() after each optimizer step, or give it a tau=",
                UserWarning,
                stacklevel=2,
            )
