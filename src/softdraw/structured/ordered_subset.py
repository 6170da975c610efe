"""``OrderedSubset``: k of n items in order, drawn one after the other without replacement."""

import math
from typing import Any, NoReturn

import torch
from torch import Tensor

from softdraw._torch import is_readable
from softdraw.arguments import (
    read_choice,
    read_sample_shape,
    read_tau,
    wrong_type,
    wrong_value,
)
from softdraw.functional import gumbel_top_k
from softdraw.functional.order import best_first, ranked
from softdraw.functional.structures.soft_sort import METHODS, relax_order
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import compute_dtype, scores, wide
from softdraw.random import Key
from softdraw.structured.item_law import ItemLaw
from softdraw.structured.plackett_luce import inclusion, order_log_prob, set_log_prob

__all__ = ["OrderedSubset"]


class OrderedSubset(ItemLaw):
    """k of n items, best first, each drawn from softmax(logits) of what is left: Plackett and Luce's law.

    A draw is the k largest of logits + Gumbel noise, that of ``softdraw.gumbel_top_k`` at the same key, and
    at k = 1 of ``softdraw.gumbel_max``. k = n is a ranking. The law of the set that is drawn
    (``set_log_prob``) is not that of :class:`softdraw.structured.Subset`, and how often an item is among the
    k (``marginals``) is no simple function of its logit: both are one-dimensional integrals, taken here to
    about 1e-10.

    Args:
        logits: ``[*batch, n]`` of any floating dtype; ``-inf`` masks an item.
        k: how many, from 0 to n.
        mask: boolean, broadcastable to the logits, True where an item may be drawn. Where fewer than k may,
            all are drawn, and -1 stands after them; a row without any is padding.
        validate_args: check arguments and values; torch's default.

    Raises:
        TypeError: ``logits`` is no dense tensor of float16, bfloat16, float32 or float64, ``mask`` none of
            bool, or ``k`` no int.
        ValueError: no items, k out of range, a mask that does not fit, or values of NaN or ``+inf``.

    Shapes:
        ``sample(s)``: int64 ``[*s, *batch, k]``; ``relax``, ``rsample``: ``[*s, *batch, k, n]``, a row for
        each place; ``mode``: int64 ``[*batch, k]``; ``log_prob``: ``[*s, *batch]``, of either form;
        ``marginals``: ``[*batch, n]``.

    Example:
        >>> import softdraw as sd, torch
        >>> d = sd.structured.OrderedSubset(torch.tensor([0.5, 0.3, 0.2]).log(), k=2)
        >>> d.log_prob(torch.tensor([0, 1])).exp()  # 0.5 * 0.3 / (0.3 + 0.2)
        tensor(0.3000)
        >>> d.set_log_prob(torch.tensor([1, 1, 0])).exp()  # and 0.3 * 0.5 / (0.5 + 0.2)
        tensor(0.5143)
        >>> d.marginals
        tensor([0.8393, 0.6750, 0.4857])
        >>> rows = d.rsample(key=sd.Key(0))
        >>> bool((rows.argmax(-1) == d.sample(key=sd.Key(0))).all())
        True

    Reference:
        Plackett, "The analysis of permutations", Applied Statistics 1975; Kool, van Hoof, Welling,
        "Stochastic beams and where to find them", ICML 2019, and "Estimating gradients for discrete random
        variables by sampling without replacement", ICLR 2020, appendix B (the set).
    """

    _called = "orders of distinct items"

    def __init__(
        self, logits: Tensor, k: int, *, mask: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        self._read(logits, k, mask, validate_args)
        empty = ~self._allowed.any(-1)
        self._initialise(logits.shape[:-1], (self.k,), logits.dtype, empty, validate_args)

    def _x(self) -> Tensor:
        return self.logits.to(wide(self._logits.device))

    def _length(self) -> Tensor:
        """How many are drawn in each row, ``[*batch]``."""
        return self._allowed.sum(-1).clamp(max=self.k)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability ``[*s, *batch]`` of orders, in float32, or float64 for float64.

        Args:
            value: indices ``[*s, *batch, k]`` of an integer dtype, or a row for each place ``[*s, *batch, k,
                n]`` of a floating one, as ``rsample`` and ``relax(hard=True)`` give them.

        Raises:
            TypeError: no tensor.
            ValueError: a wrong shape, or values that are no orders (only when arguments are validated).
        """
        if isinstance(value, Tensor) and value.is_floating_point():
            n = self._logits.shape[-1]
            if value.shape[-2:] != (self.k, n):
                raise wrong_value("value", value, f"rows of shape {(self.k, n)} in its last dims")
            some = (value == 1).any(-1) & ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)
            none = (value == 0).all(-1)
            # -2 is no order, and so refused
            value = torch.where(some, value.argmax(-1), torch.where(none, -1, -2))
        return super().log_prob(value)

    def set_log_prob(self, k_hot: Tensor) -> Tensor:
        """Log probability ``[*s, *batch]`` that the items drawn are the set ``k_hot``, in any order.

        It is that of the time at which the last of them arrives in a race, by quadrature, in O(n + k) numbers
        for each of 192 nodes; an enumeration would take k! orders.

        Args:
            k_hot: ``[*s, *batch, n]`` of zeros and ones (or booleans), k of them ones; where fewer than k
                items are allowed, all of those.

        Raises:
            TypeError: no tensor.
            ValueError: a wrong shape, or rows that are no such sets (only when arguments are validated).

        Example:
            >>> import softdraw as sd, torch
            >>> d = sd.structured.OrderedSubset(torch.zeros(4), k=2)
            >>> d.set_log_prob(torch.tensor([True, False, True, False])).exp()  # one of six
            tensor(0.1667)

        Reference:
            Kool, van Hoof, Welling, "Estimating gradients for discrete random variables by sampling without
            replacement", ICLR 2020, appendix B.
        """
        if not isinstance(k_hot, Tensor):
            raise wrong_type("k_hot", k_hot, "a tensor of zeros and ones")
        n = self._logits.shape[-1]
        if k_hot.shape[-1:] != (n,):
            raise wrong_value("k_hot", k_hot, f"{n} items in its last dim")
        chosen = k_hot != 0
        count = chosen.sum(-1)
        right = ((k_hot == 1) | ~chosen).all(-1) & ((count == self.k) | (count == self._length()))
        if self._validate_args and is_readable(right) and not bool(right.all()):
            wrong = f"{int((~right).sum())} of {right.numel()} rows that are not"
            raise ValueError(f"k_hot: got {wrong} {self.k} ones among zeros, expected those alone")
        shape = torch.broadcast_shapes(chosen.shape, self._logits.shape)  # type: ignore[no-untyped-call]
        chosen = chosen.expand(shape)
        inside = right & ~(chosen & ~self._allowed).any(-1) & (count == self._length())
        value = set_log_prob(self._x(), chosen & self._allowed, self.k)
        return torch.where(inside, value, -torch.inf).to(compute_dtype(self._dtype))

    @property
    def marginals(self) -> Tensor:
        """How probable it is that each item is among the k, ``[*batch, n]``: in sum k, differentiable.

        By quadrature, in some 100 n k operations for a row; with a gradient, in as much memory.
        """
        return inclusion(self._x(), self.k).to(self._dtype)

    @property
    def mean(self) -> Tensor:
        """Orders have none; ``marginals`` is how often each item is among the k."""
        raise self._absent("mean")

    @property
    def variance(self) -> Tensor:
        """Orders have none."""
        raise self._absent("variance")

    @property
    def mode(self) -> Tensor:
        """The k items of largest logit, best first, int64 ``[*batch, k]``; -1 after the last allowed one."""
        index = best_first(ranked(self._logits.to(compute_dtype(self._dtype)), self._allowed), self.k)
        return torch.where(self._allowed.gather(-1, index), index, -1)

    def rsample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The draw of ``sample`` at the same key as rows of zeros and ones, ``[*s, *batch, k, n]``.

        The gradient is that of ``relax(1.0)``; arguments are those of ``sample``.
        """
        return self.relax(1.0, hard=True, sample_shape=sample_shape, key=key, generator=generator)

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
        method: str = "softsort",
    ) -> Tensor:
        """A row of weights for each place, ``[*sample_shape, *batch, k, n]``, by ``softdraw.soft_sort``.

        As tau tends to 0 row j becomes the one-hot of the j-th item that ``sample`` draws at the same key.
        Each row sums to 1; rows after the last allowed item are zeros.

        Args:
            tau: the temperature: a number, or a tensor with one for each row of the batch.
            hard: the draw itself in value, with the gradient of the weights.
            sample_shape: leading shape of the result.
            key: the name of the noise.
            generator: a source of a fresh key.
            method: ``"softsort"``, or ``"neuralsort"`` in O(n^2) memory.

        Raises:
            TypeError, ValueError: as ``softdraw.soft_sort``, and ``sample`` for the sources of noise.

        Example:
            >>> import softdraw as sd, torch
            >>> d = sd.structured.OrderedSubset(torch.zeros(5), k=2)
            >>> d.relax(0.1, sample_shape=(3,), key=sd.Key(0)).shape
            torch.Size([3, 2, 5])
        """
        read_choice("method", method, METHODS)
        tau = read_tau(tau, self._logits, eager=is_plain(self._logits))
        noise = self._noise("gumbel", self._logits, read_sample_shape(sample_shape), key, generator)
        drawn = scores(self._logits, self._allowed, noise)
        return relax_order(drawn, self.k, tau, hard, method).to(self._dtype)

    def moved(self, by: Tensor) -> NoReturn:
        """Indices are no parts with a logit each."""
        raise self._absent("moved parameters")

    def _draw(self, samples: int, key: Key | None, generator: torch.Generator | None) -> Tensor:
        return gumbel_top_k(
            self._logits.detach(),
            self.k,
            sample_shape=(samples,),
            mask=self._allowed,
            key=key,
            generator=generator,
        )

    def _is_structure(self, value: Tensor) -> Tensor:
        some = (value >= 0) & (value < self._logits.shape[-1])
        order = value.sort(dim=-1).values
        twice = ((order[..., 1:] == order[..., :-1]) & (order[..., 1:] >= 0)).any(-1)
        place = torch.arange(self.k, device=value.device)
        drawn = torch.where(place < self._length().unsqueeze(-1), some, value == -1).all(-1)
        return ~twice & (some.all(-1) | drawn)

    def _log_density(self, value: Tensor) -> Tensor:
        value = value.long().clamp(max=self._logits.shape[-1] - 1)
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)  # type: ignore[no-untyped-call]
        value = value.expand(*shape, self.k)
        allowed = self._allowed.expand(*shape, self._allowed.shape[-1])
        density = order_log_prob(self._x(), torch.where(value >= 0, value, -1))
        barred = ((value >= 0) & ~allowed.gather(-1, value.clamp(min=0))).any(-1)
        return torch.where(barred, -torch.inf, density)

    def _count(self) -> int:
        return math.perm(self._logits.shape[-1], self.k)

    def _structures(self) -> Tensor:
        """All orders of k of all items, masked or not."""
        n, device = self._logits.shape[-1], self._logits.device
        found = torch.zeros(1, 0, dtype=torch.int64, device=device)
        for _ in range(self.k):
            longer = torch.arange(n, device=device).expand(len(found), n).reshape(-1, 1)
            before = found.repeat_interleave(n, 0)
            found = torch.cat((before, longer), -1)[(before != longer).all(-1)]
        return found
