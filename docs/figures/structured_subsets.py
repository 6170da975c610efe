"""Draw docs/images/structured-subsets.png, and print the numbers of docs/structured-subsets.md."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "structured-subsets.png"
WEIGHTS = torch.tensor([8.0, 4.0, 2.0, 1.0, 1.0, 1.0], dtype=torch.float64)
ASKED = torch.tensor([0.95, 0.8, 0.6, 0.3, 0.2, 0.15], dtype=torch.float64)
TAUS = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]


def laws() -> tuple[torch.Tensor, torch.Tensor]:
    """Inclusion probabilities of both laws with the same weights, 2 of 6; prints their total variation."""
    subset = sd.structured.Subset(WEIGHTS.log(), 2)
    ordered = sd.structured.OrderedSubset(WEIGHTS.log(), 2)
    sets = subset.enumerate_support()
    distance = (subset.log_prob(sets).exp() - ordered.set_log_prob(sets).exp()).abs().sum() / 2
    print("inclusion, Subset:       ", subset.marginals.numpy().round(3))
    print("inclusion, OrderedSubset:", ordered.marginals.numpy().round(3))
    print(f"total variation {distance:.3f}")
    return subset.marginals, ordered.marginals


def asked() -> tuple[torch.Tensor, torch.Tensor]:
    """What comes of inclusion probabilities asked for: by the log odds under noise, and solved for."""
    noisy = sd.structured.OrderedSubset(ASKED.log() - (-ASKED).log1p(), 3).marginals
    solved = sd.structured.Subset.with_inclusion(ASKED).marginals
    print("asked for:           ", ASKED.numpy())
    print("k best of log odds:  ", noisy.numpy().round(3))
    print(f"with_inclusion is off by {(solved - ASKED).abs().max():.1e}")
    return noisy, solved


def exceeding() -> dict[str, list[float]]:
    """Share of 2000 relaxed samples, 5 of 20, with an entry above 1.001, over the temperature."""
    logits = torch.randn(2000, 20, generator=torch.Generator().manual_seed(0))
    shares: dict[str, list[float]] = {}
    for method in ("successive", "entropic"):
        draws = [sd.relaxed_top_k(logits, 5, tau, method=method, key=sd.Key(0)) for tau in TAUS]
        shares[method] = [float((y > 1.001).any(-1).float().mean()) for y in draws]
        at = TAUS.index(1.0)
        print(f"{method} at tau 1: {shares[method][at]:.2f} of rows above 1, up to {draws[at].max():.2f}")
    return shares


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    subset, ordered = laws()
    place = torch.arange(6)
    left.bar(place - 0.2, subset, 0.4, label="Subset")
    left.bar(place + 0.2, ordered, 0.4, label="OrderedSubset (k best under noise)")
    left.set_xticks(place, [f"{w:g}" for w in WEIGHTS])
    left.set_xlabel("weight of the item")
    left.set_ylabel("inclusion probability, 2 of 6")
    left.set_title("one name, two laws", fontsize=9)
    left.legend(fontsize=8)
    noisy, solved = asked()
    middle.plot([0, 1], [0, 1], color="grey", lw=0.8)
    middle.plot(ASKED, noisy, "o", label="log odds and Gumbel noise")
    middle.plot(ASKED, solved, "x", label="Subset.with_inclusion")
    middle.set_xlabel("asked for, 3 of 6")
    middle.set_ylabel("inclusion probability")
    middle.set_title("inclusion probabilities that are asked for", fontsize=9)
    middle.legend(fontsize=8)
    for method, share in exceeding().items():
        right.semilogx(TAUS, share, marker="o", label=method)
    right.set_xlabel("temperature")
    right.set_ylabel("share of samples with an entry above 1")
    right.set_title("relaxations of 5 of 20", fontsize=9)
    right.legend(fontsize=8)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
