"""What the laws share: which values may be read, what may be taken, sums in which 0 times -inf is 0."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from softdraw._torch import is_readable
from softdraw.arguments import read_mask
from softdraw.kernels.formulas import allowed_classes

__all__ = ["expected", "read_allowed", "validates"]


def validates(validate_args: bool | None) -> bool:
    """What ``validate_args`` comes to, None being torch's default."""
    return bool(Distribution._validate_args) if validate_args is None else validate_args


def read_allowed(name: str, logits: Tensor, mask: Tensor | None, validate_args: bool | None) -> Tensor:
    """Where a part may be taken: the mask is True and the logit is not ``-inf``; shape of the logits.

    Raises:
        TypeError: the mask is no tensor of bool.
        ValueError: the mask does not fit; allowed logits of NaN or ``+inf``, where they may be read.
    """
    allowed = allowed_classes(logits.detach(), read_mask(mask, logits))
    if validates(validate_args) and is_readable(logits, allowed):
        wrong = allowed & ~(logits.detach() < math.inf)
        if bool(wrong.any()):
            values = logits.detach()[wrong].flatten()[:3].tolist()
            raise ValueError(f"{name}: got values such as {values}, expected all finite or -inf")
    return allowed


def expected(weights: Tensor, values: Tensor, dims: int = 1) -> Tensor:
    """Σ weights * values over the last ``dims``, where 0 times ``-inf`` is 0, with that gradient."""
    inside = values > -torch.inf
    product = weights * torch.where(inside, values, 0.0)
    product = torch.where(~inside & (weights > 0), -torch.inf, product)
    return product.sum(tuple(range(-dims, 0)))
