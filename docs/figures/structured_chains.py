"""Draw docs/images/structured-chains.png: what is no draw from a chain, and what is.

Run it to print the numbers that docs/structured-chains.md quotes.
"""

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "structured-chains.png"
STEPS, STATES, DRAWS = 5, 3, 200_000
COUPLINGS = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0]


def chain(coupling: float) -> sd.structured.Chain:
    """States that like to stay, the more so the stronger the coupling."""
    unary = torch.randn(STEPS, STATES, generator=torch.Generator().manual_seed(0))
    return sd.structured.Chain(unary, coupling * torch.eye(STATES))


def distance(d: sd.structured.Chain, drawn: Tensor) -> float:
    """Total variation between the law and the frequencies of draws, over all paths."""
    place = STATES ** torch.arange(STEPS)
    counts = (drawn.argmax(-1) * place).sum(-1).bincount(minlength=STATES**STEPS)
    every = d.enumerate_support()
    probs = torch.zeros(STATES**STEPS)
    probs[(every.argmax(-1) * place).sum(-1)] = d.log_prob(every).exp()
    return 0.5 * (counts / len(drawn) - probs).abs().sum().item()


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    found: dict[str, list[float]] = {
        "states drawn from marginals": [],
        "best path under noise": [],
        "sample()": [],
    }
    for coupling in COUPLINGS:
        d = chain(coupling)
        apart = sd.gumbel_softmax(d.marginals.log().expand(DRAWS, STEPS, STATES), hard=True, key=sd.Key(1))
        best = d.relax(hard=True, sample_shape=(DRAWS,), key=sd.Key(1))
        for name, drawn in zip(found, (apart, best, d.sample((DRAWS,), key=sd.Key(1))), strict=True):
            found[name].append(distance(d, drawn))
        print(f"coupling {coupling:g}:", *(f"{name} {value[-1]:.3f};" for name, value in found.items()))
    for (name, value), mark in zip(found.items(), ("x--", "o--", "s-"), strict=True):
        left.plot(COUPLINGS, value, mark, label=name)
    left.set_xlabel("coupling of neighbours")
    left.set_ylabel("total variation from the law")
    left.set_title(f"{DRAWS:,} paths of {STEPS} steps", fontsize=9)
    left.legend(fontsize=7)

    unary = torch.zeros(40, 2)
    unary[10:30, 1] = torch.tensor([1.2, -0.8] * 10)
    d = sd.structured.Chain(unary, torch.tensor([[1.5, -1.5], [-1.5, 1.5]]))
    middle.plot(unary[:, 1] - unary[:, 0], ".", color="grey", label="unary, state 1 over 0")
    middle.plot(d.marginals[:, 1], label="marginal of state 1")
    middle.step(range(40), d.mode[:, 1], where="mid", label="mode")
    middle.set_xlabel("step")
    middle.set_title("noisy evidence, states that like to stay", fontsize=9)
    middle.legend(fontsize=7)
    right.imshow(d.sample((40,), key=sd.Key(0))[..., 1], aspect="auto", interpolation="nearest", cmap="Greys")
    right.set_xlabel("step")
    right.set_ylabel("draw")
    right.set_title("40 exact draws", fontsize=9)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
