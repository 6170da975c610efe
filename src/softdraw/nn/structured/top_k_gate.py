"""Which experts a token is sent to."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from softdraw.arguments import (
    check_classes,
    read_choice,
    read_count,
    read_mask,
    read_number,
    read_tau,
    wrong_value,
)
from softdraw.functional import topk
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import Scores, one_hot, relaxed, scores
from softdraw.nn.structured.layer import StructuredLayer, check_sources
from softdraw.nn.structured.routing import balance, inclusion, spread, within_capacity
from softdraw.random import Key, source
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule

__all__ = ["TopKGate", "TopKGateOutput"]

GRADIENTS = ("probability", "softmax", "midpoint", "straight-through")


class TopKGateOutput(NamedTuple):
    """What ``TopKGate`` returns.

    Attributes:
        weights: ``[*batch, experts]``: what the output of each expert is multiplied by; 0 for those that a
            token is not sent to.
        indices: ``[*batch, k]``, int64: the experts of each token, best first; -1 for padding and where an
            expert had no room.
        importance_loss: ``[]``: squared coefficient of variation of the experts' summed probabilities.
        load_loss: ``[]``: the same of the expected numbers of tokens that they are sent.
        balance_loss: ``[]``: that of Switch Transformers, 1 where the routing is even.
        load: ``[experts]``, int64: tokens that each expert takes.
        dropped: ``[]``, int64: assignments that found their expert full.
    """

    weights: Tensor
    indices: Tensor
    importance_loss: Tensor
    load_loss: Tensor
    balance_loss: Tensor
    load: Tensor
    dropped: Tensor


class TopKGate(StructuredLayer):
    """Sends every token to ``k`` of ``experts`` experts, drawn without replacement in training.

    The probabilities are p = softmax(W x / tau). In training the k largest of W x / tau plus Gumbel noise
    are taken, in eval mode the k largest of W x. **The noise chooses, and enters no weight**: weights and
    losses are functions of p, so that their gradient is not that of the noise. What the weights are:

    - ``gradient="probability"``: p_i of the chosen experts, as in Switch Transformers. The gradient is that
      of the weights alone, and says nothing of how the choice should change.
    - ``"softmax"``: the same divided by its sum over the chosen, as most models with two experts do. For
      k >= 2, since one weight would be 1 and have no gradient.
    - ``"midpoint"``: for k = 1, the gradient of the expected loss E_i[L(p_i y_i)], choice included. The
      choice's part is E_i[(L(p_i y_i) - L(0)) ∂log p_i], and the difference is taken from the slope at the
      midpoint between 0 and p_i y_i; so one token in two, at random, has half its weight in training. Exact
      in expectation for a loss that is quadratic in the output. The gradient of the experts is that of the
      weights they had.
    - ``"straight-through"``: ones, with the gradient of the relaxed draw, :func:`softdraw.relaxed_top_k`,
      which reaches all experts: worth it where all of them are evaluated.

    Reference:
        Shazeer et al., Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer, ICLR
        2017, section 4 and appendix A (importance and load, here of probabilities and with Gumbel noise);
        Fedus, Zoph and Shazeer, Switch Transformers, JMLR 2022, section 2.2 (balance, capacity); Liu, Gao and
        Chen, Sparse Backpropagation for MoE Training, 2023 (SparseMixer, the idea of the midpoint; the rule
        here is derived anew, and tested against enumeration).

    Args:
        features: size of a token, >= 1.
        experts: how many there are, >= 1.
        k: how many a token is sent to, from 1 to ``experts``.
        tau: a float, a 0-dim tensor or a schedule.
        gradient: see above.
        noise: draw the experts in training; without it the k most probable are taken, as in eval mode.
        capacity: each expert takes at most ``ceil(capacity · tokens · k / experts)`` tokens of a call, first
            choices before second ones and earlier tokens before later ones; the others are dropped and
            counted. None for no limit.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: where the parameters are made.
        dtype: that of the parameters.

    Raises:
        TypeError: a size that is no int, or a temperature or capacity that is no number.
        ValueError: a size out of range, another ``gradient`` or one that does not go with k or ``noise``, a
            negative temperature, or a capacity of 0 or less.

    Shapes:
        ``[*batch, features]`` to ``TopKGateOutput``.

    Example:
        Two linear experts learn |x|, one for each side:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x = torch.linspace(-1, 1, 128).unsqueeze(-1)
        >>> gate = sd.nn.TopKGate(1, experts=2, k=1, gradient="midpoint")
        >>> experts = torch.nn.Linear(1, 2)
        >>> optimizer = torch.optim.Adam([*gate.parameters(), *experts.parameters()], lr=0.05)
        >>> for step in range(300):
        ...     out = gate(4 * x, key=sd.Key(0).fold_in(step))
        ...     loss = ((out.weights * experts(x)).sum(-1) - x.abs().squeeze(-1)).square().mean()
        ...     loss = loss + 0.01 * out.balance_loss
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> out = gate.eval()(4 * x)
        >>> error = (out.weights * experts(x)).sum(-1) - x.abs().squeeze(-1)
        >>> bool(error.abs().mean() < 0.1), out.load
        (True, tensor([64, 64]))
    """

    def __init__(
        self,
        features: int,
        experts: int,
        k: int = 2,
        *,
        tau: float | Tensor | Schedule = 1.0,
        gradient: str = "probability",
        noise: bool = True,
        capacity: float | None = None,
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(tau, group)
        self.features = read_count("features", features, 1)
        self.experts = read_count("experts", experts, 1)
        self.k = read_count("k", k, 1, self.experts)
        self.noise = bool(noise)
        read_choice("gradient", gradient, GRADIENTS)
        if gradient == "midpoint" and (self.k != 1 or not self.noise):
            raise wrong_value("gradient", gradient, "another one unless k=1 and noise=True")
        if gradient == "softmax" and self.k == 1:
            raise wrong_value("gradient", gradient, "another one for k=1: its weight is 1, without gradient")
        self.gradient = gradient
        self.capacity = (
            None if capacity is None else read_number("capacity", capacity, above=0.0, below=math.inf)
        )
        self.projection = nn.Linear(self.features, self.experts, bias=False, device=device, dtype=dtype)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> TopKGateOutput:
        """Choose the experts of each token.

        Args:
            x: ``[*batch, features]``.
            mask: boolean, broadcastable to ``[*batch, experts]``, False for an expert that a token may not be
                sent to. A token without any is padding: it gives zeros and counts nowhere, though the
                capacity is that of all tokens. A token with fewer than k is sent to those.
            key: the noise; the rank is folded in under ``torch.distributed``.
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
        if x.shape[-1] != self.features:
            raise wrong_value("x", x, f"shape [*batch, {self.features}]")
        check_sources(key, generator)
        logits = self.projection(x)
        mask = read_mask(mask, x, logits.shape)
        logits = self.temperature.watched(logits, mask)
        tau = read_tau(self._now(), logits, eager=is_plain(logits))
        if isinstance(tau, Tensor) and tau.dim():
            tau = tau.unsqueeze(-1)
        zero = torch.zeros((), dtype=logits.dtype, device=logits.device)
        clean = scores(logits, mask, zero)
        noisy, draw = clean, None
        if self.training and self.noise:
            draw = source.call_key(*self._sources(key, generator))
            added = source.noise("gumbel", logits.detach(), 1, draw)[0]
            noisy = scores(logits, mask, added * _bounded(tau))
        probs = relaxed(clean, tau)
        indices = noisy.best(self.k)
        asked = indices.reshape(-1, self.k)
        kept = within_capacity(asked, self.experts, self.capacity)
        asked_hot, kept_hot = (
            one_hot(torch.where(wanted, asked, -1), self.experts, probs.dtype).sum(-2).detach()
            for wanted in (asked >= 0, kept)
        )
        chosen, sent = asked_hot.reshape(probs.shape), kept_hot.reshape(probs.shape)
        weights = self._weights(probs, clean, noisy, tau, chosen, sent, draw)
        flat = probs.reshape(-1, self.experts)
        load = asked_hot if draw is None else inclusion(clean.z, noisy, self.k, tau)
        return TopKGateOutput(
            torch.where(clean.bad, torch.nan, weights).to(logits.dtype),
            torch.where(kept, asked, -1).reshape(indices.shape),
            spread(flat.sum(0)),
            spread(load.reshape(-1, self.experts).sum(0)),
            balance(flat, asked_hot),
            kept_hot.sum(0).to(torch.int64),
            ((asked >= 0) & ~kept).sum(),
        )

    def _weights(
        self,
        probs: Tensor,
        clean: Scores,
        noisy: Scores,
        tau: float | Tensor,
        chosen: Tensor,
        sent: Tensor,
        draw: Key | None,
    ) -> Tensor:
        if self.gradient == "softmax":
            return relaxed(Scores(clean.z, chosen > 0, clean.bad), tau) * sent
        if self.gradient == "straight-through":
            if not self.training:
                return sent
            soft = topk.relax("entropic", noisy, self.k, tau, False)
            return sent + (soft - soft.detach())
        weights = probs * sent
        if self.gradient == "midpoint" and draw is not None:
            coin = source.noise("uniform", probs.detach()[..., :1], 1, draw.fold_in(1))[0]
            scale = torch.where(coin < 0.5, 0.5, 1.0).to(weights.dtype)
            # Slope at the weight (its own part) plus slope at half of it (the choice's): each is seen half of
            # the time, and so counts twice.
            return 2.0 * weights + (scale - 2.0) * weights.detach()
        return weights

    def reset_parameters(self) -> None:
        """Initialise as ``torch.nn.Linear`` does; reset a learned temperature."""
        self.projection.reset_parameters()
        super().reset_parameters()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        limit = "" if self.capacity is None else f", capacity={self.capacity:g}"
        own = f"k={self.k}, gradient={self.gradient!r}, noise={self.noise}{limit}"
        return f"{self.features}, {self.experts}, {own}"


def _bounded(tau: float | Tensor) -> float | Tensor:
    """A temperature by which noise can be multiplied: at an infinite one the noise alone decides."""
    return tau.clamp(max=1e30) if isinstance(tau, Tensor) else min(tau, 1e30)
