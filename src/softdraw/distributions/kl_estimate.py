"""A Monte Carlo KL divergence with its standard error, in log space."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from softdraw.arguments import read_count
from softdraw.distributions.relaxed.base import Relaxed
from softdraw.random import Key


def kl_estimate(
    p: Distribution,
    q: Distribution,
    draws: int,
    *,
    key: Key | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Estimate ``KL(p ‖ q)`` by the mean of ``log p - log q`` over draws of ``p``.

    Relaxed distributions are compared at the log-space values of the draws, so neither underflow nor
    validation spoils a term. The value is differentiable in the parameters of both (pathwise through the
    draws).

    Args:
        p: where the draws come from; of softdraw, or any distribution with ``rsample``.
        q: what they are compared with; same event shape.
        draws: number of draws, >= 2.
        key: the noise (softdraw's distributions only).
        generator: where to take a fresh key from.

    Returns:
        The estimate and its standard error, both ``[*batch_shape]``. Where ``q`` forbids a draw, both are
        ``inf``.

    Raises:
        TypeError: ``draws`` is no int.
        ValueError: ``draws`` < 2, both ``key`` and ``generator``, or one of them for a ``p`` that takes none.

    Example:
        >>> import torch, softdraw as sd
        >>> R = sd.distributions.RelaxedOneHotCategorical
        >>> p, q = R(0.1, logits=torch.tensor([0.0, 1.0, 2.0])), R(0.5, logits=torch.zeros(3))
        >>> value, error = sd.distributions.kl_estimate(p, q, 20_000, key=sd.Key(0))
        >>> value > 1.0, error < 0.1
        (tensor(True), tensor(True))
    """
    draws = read_count("draws", draws, least=2)  # the standard error needs two
    terms = _log_ratio(p, q, draws, key, generator)
    value = terms.mean(0)
    error = terms.detach().std(0) / math.sqrt(draws)
    return value, torch.where(value.detach().isinf(), math.inf, error)


def _log_ratio(
    p: Distribution, q: Distribution, draws: int, key: Key | None, generator: torch.Generator | None
) -> Tensor:
    shape = torch.Size((draws,))
    if isinstance(p, Relaxed) and isinstance(q, Relaxed) and p._space == q._space:
        _, log_space = p._draw(shape, key, generator)
        return p._density(log_space) - q._density(log_space)
    if isinstance(p, Relaxed):
        value = p.rsample(shape, key=key, generator=generator)
    elif key is not None or generator is not None:
        name = "key" if generator is None else "generator"
        raise ValueError(
            f"{name}: got one with p of type {type(p).__name__}, expected None, or a relaxed p of softdraw"
        )
    else:
        value = p.rsample(shape)
    return p.log_prob(value) - q.log_prob(value)
