"""Draw docs/images/nn.png: what the diversity loss does to a codebook, and the L0 penalty to gates."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "nn.png"


def quantize(weight: float) -> list[float]:
    """Perplexity of one codebook of 32 entries over the training of an autoencoder on 16 clusters."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        centres = 3 * torch.randn(16, 8)
        x = centres[torch.arange(512) % 16] + 0.1 * torch.randn(512, 8)
        layer = sd.nn.GumbelVectorQuantizer(8, 8, groups=1, entries=32, tau=1.0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    curve = []
    for step in range(400):
        out = layer(x, key=sd.Key(0).fold_in(step))
        loss = (out.quantized - x).square().mean() + weight * out.diversity_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(out.code_perplexity.item())
    return curve


def prune(weight: float) -> list[float]:
    """Expected share of open gates over the training of a linear model of which 5 of 50 features matter."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1024, 50, generator=generator)
    target = x[:, :5].sum(-1)
    gate, linear = sd.nn.HardConcreteGate(50, initial=0.9), torch.zeros(50, requires_grad=True)
    optimizer = torch.optim.Adam([*gate.parameters(), linear], lr=0.03)
    curve = []
    for step in range(600):
        loss = (
            gate(x, key=sd.Key(0).fold_in(step)) @ linear - target
        ).square().mean() + weight * gate.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(gate.penalty().item())
    return curve


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for weight in (0.0, 0.1, 1.0):
        left.plot(quantize(weight), label=f"diversity weight {weight:g}")
    left.set_xlabel("step")
    left.set_ylabel("perplexity of the codes")
    left.set_title("GumbelVectorQuantizer, 32 entries, 16 clusters", fontsize=9)
    left.legend(fontsize=8)
    for weight in (0.0, 0.003, 0.03):
        right.plot(prune(weight), label=f"L0 weight {weight:g}")
    right.axhline(5, color="grey", lw=0.8, ls="--", label="features that matter")
    right.set_xlabel("step")
    right.set_ylabel("expected open gates")
    right.set_title("HardConcreteGate, 50 features", fontsize=9)
    right.legend(fontsize=8)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
