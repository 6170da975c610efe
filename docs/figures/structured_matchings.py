"""Draw docs/images/structured-matchings.png: two laws of permutations, and Sinkhorn iterated enough or not.

Run it to print the numbers that docs/structured-matchings.md quotes.
"""

import warnings
from pathlib import Path

import torch
from matplotlib.figure import Figure

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "structured-matchings.png"
SCALES = [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]
TAUS = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
DRAWS = 20_000


def distances() -> list[tuple[float, float]]:
    """Total variation of ``sample`` and of the best matching under noise from the law, for 3 x 3 scores."""
    found = []
    for scale in SCALES:
        scores = scale * torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
        d = sd.structured.Matching(scores)
        every = d.enumerate_support()
        probs = d.log_prob(every).exp()
        row = []
        for drawn in (
            d.sample((DRAWS,), key=sd.Key(0)),
            d.relax(hard=True, sample_shape=(DRAWS,), key=sd.Key(0)),
        ):
            counts = (drawn.flatten(1).unsqueeze(1) == every.flatten(1)).all(-1).sum(0)
            row.append(0.5 * (counts / DRAWS - probs).abs().sum().item())
        print(f"scale {scale:g}: sample() {row[0]:.3f}, best under noise {row[1]:.3f}")
        found.append((row[0], row[1]))
    return found


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    rows = distances()
    left.plot(SCALES, [row[1] for row in rows], "o--", label="best matching under noise")
    left.plot(SCALES, [row[0] for row in rows], "s-", label="sample()")
    left.set_xlabel("scale of the scores")
    left.set_ylabel("total variation from the law")
    left.set_title(f"3 x 3 scores, {DRAWS:,} draws", fontsize=9)
    left.legend(fontsize=7)

    d = sd.structured.Matching(torch.randn(20, 50, 50, generator=torch.Generator().manual_seed(0)))
    for name, options, mark in (
        ("20 iterations", {"max_iterations": 20}, "o--"),
        ("tolerance 1e-3 (default)", {}, "s-"),
    ):
        errors = []
        for tau in TAUS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                y = d.relax(tau, key=sd.Key(0), **options)
            errors.append((y.sum(-1) - 1).abs().amax(-1).median().item())
        print(name, errors)
        middle.plot(TAUS, errors, mark, label=name)
    middle.set_xscale("log")
    middle.set_yscale("log")
    middle.set_xlabel("temperature")
    middle.set_ylabel("largest error of a row's sum, median")
    middle.set_title("50 x 50 scores", fontsize=9)
    middle.legend(fontsize=7)

    scores = 2.0 * torch.eye(6) + torch.diag(torch.full((5,), 1.5), 1)
    right.imshow(sd.structured.Matching(scores).marginals, vmin=0, vmax=1, cmap="Greys")
    right.set_title("marginals of a 6 x 6 law", fontsize=9)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
