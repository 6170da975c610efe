"""Problems to measure estimators on: small enough to enumerate, so that the truth is known."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from softdraw.diagnostics.exact import Family
from softdraw.estimators import Cost, get
from softdraw.random import Key
from softdraw.structured import Subset
from softdraw.user_objects import is_user_name, user_object, working_folder_importable

__all__ = ["Problem", "ProblemError", "builtin_problems", "load_problem"]


class ProblemError(ValueError):
    """No problem goes by that name, or what was found there is none."""


@dataclass(frozen=True)
class Problem:
    """A cost and the logits at which its gradient is estimated.

    Attributes:
        name: what it is called in tables and reports.
        description: one sentence.
        f: maps one-hot samples ``[S, *batch, D, C]`` to costs ``[S, *batch]``.
        logits: ``[*batch, D, C]``.
        mask: boolean, broadcastable to the logits, or None.
        distribution: makes the distribution of z from the logits where that is another than one-hot; f then
            maps its draws ``[S, *batch_shape, *event_shape]``.
    """

    name: str
    description: str
    f: Cost
    logits: Tensor
    mask: Tensor | None = None
    distribution: Family | None = None


def _rebar_toy() -> Problem:
    return Problem(
        "rebar-toy",
        "E[(b - 0.45)^2] of one fair coin, the toy problem of the REBAR paper",
        lambda z: (z[..., 0, 0] - 0.45).square(),
        torch.zeros(1, 2),
    )


def _polynomial() -> Problem:
    logits = 0.5 * torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    return Problem(
        "polynomial",
        "mean |b - 0.45|^3 over 8 coins: the polynomial programming of the ReinMax paper, cut to 2^8 states",
        lambda z: (z[..., 0] - 0.45).abs().pow(3).mean(-1),
        logits,
    )


def _cubic() -> Problem:
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 3, generator=g)
    logits = torch.randn(4, 3, generator=g)
    return Problem(
        "cubic",
        "the sum of three random cubic forms of 4 variables with 3 classes",
        lambda z: torch.einsum("...dc,dcm->...m", z, weight).pow(3).sum(-1),
        logits,
    )


def _vae() -> Problem:
    """A categorical VAE on 8 x 8 images of bars, trained for a moment, at its logits for one image."""
    g = torch.Generator().manual_seed(0)
    bars = torch.rand(256, 16, generator=g) < 0.25
    images = torch.maximum(
        bars[:, :8, None].expand(256, 8, 8).float(), bars[:, None, 8:].expand(256, 8, 8).float()
    ).flatten(1)

    def layer(rows: int, columns: int) -> list[Tensor]:
        bound = rows**-0.5
        weight = (2 * torch.rand(rows, columns, generator=g) - 1) * bound
        return [weight.requires_grad_(), torch.zeros(columns, requires_grad=True)]

    weights = [*layer(64, 64), *layer(64, 32), *layer(32, 64), *layer(64, 64)]
    w1, b1, w2, b2, w3, b3, w4, b4 = weights

    def encode(x: Tensor) -> Tensor:
        flat: Tensor = torch.relu(x @ w1 + b1) @ w2 + b2
        return flat.reshape(*flat.shape[:-1], 8, 4)

    def negative_elbo(z: Tensor, x: Tensor, logits: Tensor) -> Tensor:
        pixels = torch.relu(z.flatten(-2) @ w3 + b3) @ w4 + b4
        likelihood = torch.nn.functional.binary_cross_entropy_with_logits(
            pixels, x.expand(pixels.shape), reduction="none"
        ).sum(-1)
        log_q = logits.log_softmax(-1)
        return likelihood + (log_q.exp() * (log_q + torch.log(torch.tensor(4.0)))).sum((-1, -2))

    optimiser = torch.optim.Adam(weights, lr=5e-3)
    est = get("reinmax", tau=1.3)
    with torch.enable_grad():
        for step in range(300):
            logits = encode(images)
            z: Tensor = est(logits, key=Key(step))
            optimiser.zero_grad()
            torch.autograd.backward(negative_elbo(z, images, logits).mean())
            optimiser.step()
    for weight in weights:
        weight.requires_grad_(False)
    image = images[0]
    logits = encode(image)
    return Problem(
        "vae",
        "the cost of one image under a categorical VAE of 8 variables with 4 classes: 4^8 states",
        # the KL term depends on the logits alone, so its gradient is exact with every estimator
        lambda z: negative_elbo(z, image, logits),
        logits,
    )


def _subset() -> Problem:
    g = torch.Generator().manual_seed(0)
    logits, goal = torch.randn(10, generator=g), torch.randn(10, generator=g).abs()
    return Problem(
        "subset",
        "|z - b|^2 for the 252 ways to take 5 of 10 items: the synthetic experiment of the SIMPLE paper",
        lambda z: (z - goal).square().sum(-1),
        logits,
        distribution=lambda x: Subset(x, 5),
    )


_BUILTIN: dict[str, Callable[[], Problem]] = {
    "rebar-toy": _rebar_toy,
    "polynomial": _polynomial,
    "cubic": _cubic,
    "vae": _vae,
    "subset": _subset,
}


def builtin_problems() -> tuple[str, ...]:
    """Names that ``load_problem`` knows."""
    return tuple(_BUILTIN)


def load_problem(name: str) -> Problem:
    """A built-in problem, or a user's own as ``module:attribute``, looked for in the working folder first.

    The attribute is a ``Problem``, or a function that takes nothing and returns one, or returns a tuple of f
    and logits. What a user's function raises is raised.

    Raises:
        ProblemError: an unknown name, a module or attribute that cannot be found, or no problem there.

    Example:
        >>> from softdraw.diagnostics.problems import load_problem
        >>> load_problem("rebar-toy").logits.shape
        torch.Size([1, 2])
    """
    if name in _BUILTIN:
        return _BUILTIN[name]()
    if not is_user_name(name):
        raise ProblemError(
            f"problem: got {name!r}, expected one of {', '.join(_BUILTIN)}, or module:function"
        )
    try:
        value = user_object(name)
    except ValueError as error:
        raise ProblemError(f"problem {name!r}: {error}") from error
    if callable(value) and not isinstance(value, Problem):
        with working_folder_importable():
            value = value()
    if isinstance(value, Problem):
        return value
    if isinstance(value, tuple) and len(value) == 2 and callable(value[0]) and isinstance(value[1], Tensor):
        return Problem(name, f"the cost and logits of {name}", value[0], value[1])
    raise ProblemError(
        f"problem {name!r}: got {type(value).__name__}, expected a Problem, a function that returns one, or "
        "one that returns a tuple (f, logits)"
    )
