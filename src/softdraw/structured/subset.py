"""``Subset``: k of n items, the exponential family of k-subsets."""

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions.kl import register_kl

from softdraw._torch import is_readable
from softdraw.arguments import (
    read_sample_shape,
    read_tau,
)
from softdraw.functional import gumbel_max, relaxed_top_k, topk
from softdraw.functional.order import k_hot
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype, one_hot, wide
from softdraw.kernels.structures import subsets
from softdraw.random import Key
from softdraw.structured.inclusion import logits_with_inclusion
from softdraw.structured.item_law import ItemLaw
from softdraw.structured.parameters import expected, validates

__all__ = ["Subset"]


class Subset(ItemLaw):
    """k of n items, p(S) proportional to the product of exp(logit) over S: conditional Poisson sampling.

    Of all laws with the same marginals it has the largest entropy, and it is that of independent bits
    (Bernoulli with these logits), given that k of them are 1. **It is not the law of the k best under Gumbel
    noise**, which is that of :class:`softdraw.structured.OrderedSubset`: published code draws one and
    differentiates the other. Here draws, probabilities, marginals and gradients are of this law.

    At k = 1 it is the one-hot categorical, with the draws of ``softdraw.gumbel_max``. Log partition and
    marginals take O(n k) time and O(sqrt(n) k) memory, in a fused loop on the CPU.

    Args:
        logits: ``[*batch, n]`` of any floating dtype; adding a constant to a row changes nothing. ``-inf``
            masks an item.
        k: how many, from 0 to n.
        mask: boolean, broadcastable to the logits, True where an item may be taken. A row without any is
            padding.
        validate_args: check arguments and values; torch's default.

    Raises:
        TypeError: ``logits`` is no dense tensor of float16, bfloat16, float32 or float64, ``mask`` none of
            bool, or ``k`` no int.
        ValueError: no items, k out of range, a mask that does not fit, values of NaN or ``+inf``, or a row
            with allowed items, but fewer than k of them.

    Shapes:
        ``sample(s)``, ``relax``: ``[*s, *batch, n]``, zeros and ones whose sum is k; ``marginals``, ``mode``:
        ``[*batch, n]``; ``log_prob``: ``[*s, *batch]``; ``covariance``: ``[*batch, n, n]``.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.tensor([2.0, 1.0, 0.0, -1.0], requires_grad=True)
        >>> d = sd.structured.Subset(logits, k=2)
        >>> d.marginals
        tensor([0.8808, 0.6944, 0.3056, 0.1192], grad_fn=<...>)
        >>> z = d.sample((50_000,), key=sd.Key(0))
        >>> bool((z.sum(-1) == 2).all()), bool((z.mean(0) - d.marginals).abs().max() < 0.01)
        (True, True)
        >>> torch.autograd.grad(d.log_partition, logits)[0]
        tensor([0.8808, 0.6944, 0.3056, 0.1192])
        >>> round(d.log_prob(d.enumerate_support()).exp().sum().item(), 4)
        1.0

    Reference:
        Chen, Dempster, Liu, "Weighted finite population sampling to maximize entropy", Biometrika 1994;
        Ahmed, Zeng, Niepert, Van den Broeck, "SIMPLE: a gradient estimator for k-subset sampling", ICLR 2023.
    """

    def __init__(
        self, logits: Tensor, k: int, *, mask: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        self._read(logits, k, mask, validate_args)
        empty = ~self._allowed.any(-1)
        few = (self._allowed.sum(-1) < self.k) & ~empty
        if validates(validate_args) and is_readable(few) and bool(few.any()):
            raise ValueError(
                f"logits: got {int(few.sum())} rows with fewer than k = {self.k} items that are allowed, "
                "expected k or more, or none in a row of padding"
            )
        self._called = f"rows of zeros and {self.k} ones"
        self._initialise(logits.shape[:-1], logits.shape[-1:], logits.dtype, empty | few, validate_args)

    @classmethod
    def with_inclusion(cls, probs: Tensor, *, validate_args: bool | None = None) -> Self:
        """The law of k-subsets whose marginals are ``probs``, and of all those the one of largest entropy.

        **The k best under Gumbel noise cannot do this**: how often an item is among them is no simple
        function of its logit. The logits are found by Newton's method in float64, and carry no gradient.

        Args:
            probs: ``[*batch, n]`` in [0, 1], whose sum is the same whole number k in each row (to 1e-4 of it
                in half precision, which is corrected).
            validate_args: check values; torch's default.

        Raises:
            TypeError: ``probs`` is no dense tensor of float16, bfloat16, float32 or float64.
            ValueError: no items, values outside of [0, 1], or sums that are not one whole number.

        Example:
            >>> import softdraw as sd, torch
            >>> d = sd.structured.Subset.with_inclusion(torch.tensor([0.9, 0.6, 0.3, 0.2]))
            >>> d.k, d.marginals
            (2, tensor([0.9000, 0.6000, 0.3000, 0.2000]))

        Reference:
            Chen, Dempster, Liu, "Weighted finite population sampling to maximize entropy", Biometrika 1994.
        """
        logits, k = logits_with_inclusion(probs)
        return cls(logits, k, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same law with its logits expanded to ``batch_shape``."""
        new = super().expand(batch_shape, _instance)
        new._called = self._called
        return new

    def _x(self) -> Tensor:
        # Not a logit of the masked ones, whose gradient is 0.
        return self.logits.to(wide(self._logits.device))

    @property
    def log_partition(self) -> Tensor:
        """Log of the elementary symmetric polynomial e_k of exp(logits), ``[*batch]``; 0 for padding."""
        value = subsets.log_partition(self._x(), self.k)
        return torch.where(self._empty, 0.0, value).to(compute_dtype(self._dtype))

    @property
    def marginals(self) -> Tensor:
        """How probable it is that each item is among the k, ``[*batch, n]``: in sum k."""
        return subsets.marginals(self._x(), self.k)[1].to(self._dtype)

    def covariance_product(self, direction: Tensor) -> Tensor:
        """The covariance matrix times ``direction`` ``[*batch, n]``, in O(n k): how the marginals change."""
        x = self._x()
        return subsets.covariance_product(x, self.k, direction.to(x.dtype)).to(self._dtype)

    @property
    def covariance(self) -> Tensor:
        """How the items go together, ``[*batch, n, n]``: P(i and j) - P(i) P(j), which sums to 0 over j."""
        n, x = self._logits.shape[-1], self._x()
        units = torch.eye(n, dtype=x.dtype, device=x.device)
        units = units.reshape(n, *(1,) * (x.dim() - 1), n).expand(n, *x.shape)
        return subsets.covariance_product(x, self.k, units).movedim(0, -2).to(self._dtype)

    @property
    def mode(self) -> Tensor:
        """The k items of largest logit, ``[*batch, n]``; of equals the first."""
        best = k_hot(self._logits.to(compute_dtype(self._dtype)), self._allowed, self.k)
        return (best & ~self._empty.unsqueeze(-1)).to(self._dtype)

    def entropy(self) -> Tensor:
        """Entropy ``[*batch]`` in nats: log partition less the expected sum of logits."""
        x = self._x()
        value, means = subsets.marginals(x, self.k)
        entropy = torch.where(self._empty, 0.0, value) - expected(means, x)
        return entropy.to(compute_dtype(self._dtype))

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
        method: str = "entropic",
    ) -> Tensor:
        """Weights in [0, 1] whose sum is k, ``[*sample_shape, *batch, n]``: ``softdraw.relaxed_top_k``.

        As tau tends to 0 they tend to the k best under Gumbel noise, **a draw of another law** (that of
        ``OrderedSubset``); for draws of this law with a gradient there is ``rsample``.

        Args:
            tau: the temperature: a number, or a tensor with one for each row of the batch.
            hard: the k-hot of the k best in value, with the gradient of the weights.
            sample_shape: leading shape of the result.
            key: the name of the noise.
            generator: a source of a fresh key.
            method: ``"entropic"``, ``"successive"`` or ``"sparse"``.

        Raises:
            TypeError, ValueError: as ``softdraw.relaxed_top_k``.

        Example:
            >>> import softdraw as sd, torch
            >>> d = sd.structured.Subset(torch.tensor([2.0, 1.0, 0.0, -1.0]), k=2)
            >>> y = d.relax(0.5, sample_shape=(3,), key=sd.Key(0))
            >>> y.shape, bool((y.sum(-1) - 2).abs().max() < 1e-5)
            (torch.Size([3, 4]), True)
        """
        topk.check_method(method)
        tau = read_tau(tau, self._logits, eager=is_plain(self._logits))
        shape = read_sample_shape(sample_shape)
        noise = self._noise("gumbel", self._logits, shape, key, generator)
        allowed = self._allowed & ~self._empty.unsqueeze(-1)
        logits = self._logits.expand(noise.shape)
        return relaxed_top_k(logits, self.k, tau, hard, method=method, mask=allowed, noise=noise)

    def _draw(self, samples: int, key: Key | None, generator: torch.Generator | None) -> Tensor:
        if self.k == 1:
            options = {"sample_shape": (samples,), "mask": self._allowed, "key": key, "generator": generator}
            index = gumbel_max(self._logits.detach(), **options)  # type: ignore[arg-type]
            return one_hot(index, self._logits.shape[-1], self._dtype)
        uniforms = self._noise("uniform", self._logits, (samples,), key, generator)
        return subsets.draws(self._x(), self.k, uniforms).to(self._dtype)

    def _is_structure(self, value: Tensor) -> Tensor:
        bits = ((value == 0) | (value == 1)).all(-1)
        count = value.sum(-1)
        return bits & ((count == self.k) | (self._empty & (count == 0)))

    def _log_density(self, value: Tensor) -> Tensor:
        x = self._x()
        score = expected(value.to(x.dtype), x) - subsets.log_partition(x, self.k)
        alone = torch.where((value == 0).all(-1), 0.0, -torch.inf).to(x.dtype)
        return torch.where(self._empty, alone, score)

    def _count(self) -> int:
        return math.comb(self._logits.shape[-1], self.k)

    def _structures(self) -> Tensor:
        n, device = self._logits.shape[-1], self._logits.device
        if self.k == 0:
            return torch.zeros(1, n, dtype=self._dtype, device=device)
        chosen = torch.combinations(torch.arange(n, device=device), self.k)
        return torch.zeros(len(chosen), n, dtype=self._dtype, device=device).scatter(-1, chosen, 1.0)


@register_kl(Subset, Subset)  # type: ignore[no-untyped-call, untyped-decorator]
def kl_subset(p: Subset, q: Subset) -> Tensor:
    """KL divergence ``[*batch]``: ``inf`` where ``p`` may take what ``q`` may not, and for another k.

    Rows of padding of ``p`` give 0.
    """
    x, y = p._x(), q._x()
    value, means = subsets.marginals(x, p.k)
    dtype = compute_dtype(torch.promote_types(p._dtype, q._dtype))
    if p.k != q.k:
        return torch.where(p._empty, 0.0, torch.full_like(value, torch.inf)).to(dtype)
    other = subsets.log_partition(y, q.k)
    inside = torch.where(q._empty, 0.0, other) - torch.where(p._empty, 0.0, value)
    distance = inside + expected(means, x) - expected(means, y)
    distance = torch.where(q._empty, torch.inf, distance)
    return torch.where(p._empty, 0.0, distance).to(dtype)
