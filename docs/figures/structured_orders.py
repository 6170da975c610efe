"""Draw docs/images/structured-orders.png, and print the numbers of docs/structured-orders.md."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "structured-orders.png"
WEIGHTS = torch.tensor([8.0, 4.0, 2.0, 1.0, 1.0, 1.0], dtype=torch.float64)


def errors() -> tuple[list[int], list[float], list[float]]:
    """Errors of the log probability of a set of k of 40: by quadrature, and as a mean over 1000 orders."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(40, generator=generator, dtype=torch.float64)
    sizes, ours, means = [2, 3, 4, 5, 6, 7, 8], [], []
    for k in sizes:
        d = sd.structured.OrderedSubset(logits, k)
        chosen = logits.argsort()[20 : 20 + k]
        hot = torch.zeros(40, dtype=torch.float64).scatter(0, chosen, 1.0)
        orders = chosen[sd.structured.OrderedSubset(torch.zeros(k), k).enumerate_support()]
        scores = d.log_prob(orders)
        exact = scores.logsumexp(0)
        some = scores[torch.randint(len(scores), (1000,), generator=generator)]
        mean = some.logsumexp(0) - torch.tensor(1000.0).log() + torch.tensor(float(len(scores))).log()
        ours.append(max(float((d.set_log_prob(hot) - exact).abs()), 1e-16))
        means.append(max(float((mean - exact).abs()), 1e-16))
    print("quadrature is off by at most", f"{max(ours):.1e}", "and 1000 orders by", f"{max(means):.1e}")
    return sizes, ours, means


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for k in range(1, 6):
        inclusion = sd.structured.OrderedSubset(WEIGHTS.log(), k).marginals
        left.plot(inclusion, marker="o", label=f"k = {k}")
    left.set_xticks(range(6), [f"{w:g}" for w in WEIGHTS])
    left.set_xlabel("weight of the item")
    left.set_ylabel("inclusion probability")
    left.set_title("k of 6 under Gumbel noise", fontsize=9)
    left.legend(fontsize=8)
    sizes, ours, means = errors()
    middle.semilogy(sizes, means, marker="o", label="mean over 1000 orders")
    middle.semilogy(sizes, ours, marker="o", label="set_log_prob")
    middle.set_xlabel("k of 40")
    middle.set_ylabel("error of the log probability")
    middle.set_title("a set, whatever its order", fontsize=9)
    middle.legend(fontsize=8)
    rows = sd.structured.OrderedSubset(WEIGHTS.log(), 6).relax(0.5, key=sd.Key(1))
    right.imshow(rows, cmap="Blues", vmin=0, vmax=1)
    right.set_xlabel("item")
    right.set_ylabel("place")
    right.set_title("a ranking relaxed at tau 0.5", fontsize=9)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
