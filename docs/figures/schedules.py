"""Draw docs/images/schedules.png: the published schedules, and Adaptive at work on a toy problem."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

import softdraw as sd
from softdraw import schedules

OUT = Path(__file__).parent.parent / "images" / "schedules.png"

PUBLISHED = {
    "Jang et al. 2017: Exponential, every 1000 steps": schedules.Exponential(1.0, 0.5, rate=3e-5, every=1000),
    "wav2vec 2.0: Multiplicative": schedules.Multiplicative(2.0, 0.5, factor=0.999995),
    "GDAS: Linear, by epoch": schedules.Linear(10.0, 0.1, steps=240),
    "DALL-E: Cosine": schedules.Cosine(1.0, 0.0625, steps=150_000),
    "Sequential: stay, then fall": schedules.Sequential(
        [schedules.Constant(1.0), schedules.Exponential(1.0, 0.3, rate=2e-4)], milestones=[3000]
    ),
}


def adaptive_run() -> tuple[list[float], list[float]]:
    """Temperature and share of dead rows while Adaptive watches straight-through Gumbel-softmax."""
    schedule = schedules.Adaptive(1.0, floor=0.01, factor=0.9, every=1, max_dead=0.05, max_variance=None)
    layer = sd.nn.GumbelSoftmax(schedule)
    generator = torch.Generator().manual_seed(0)
    taus, dead = [], []
    for step in range(60):
        logits = torch.randn(1000, 10, generator=generator).requires_grad_()
        taus.append(schedule.value)
        drawn = layer(logits, key=sd.Key(0).fold_in(step))
        (drawn * torch.randn(1000, 10, generator=generator)).sum().backward()
        schedule.step()
        dead.append(schedule.measured.dead)
    return taus, dead


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots(2, 3).flatten()
    for ax, (title, schedule) in zip(axes, PUBLISHED.items(), strict=False):
        schedule.plot(ax=ax)
        ax.set_title(title, fontsize=9)
        ax.set_ylim(bottom=0)
    taus, dead = adaptive_run()
    ax = axes[-1]
    ax.plot(taus, label="temperature")
    ax.plot(dead, label="share of dead rows")
    ax.axhline(0.05, color="grey", lw=0.8, ls="--", label="max_dead")
    ax.set_title("Adaptive: falls until gradients die", fontsize=9)
    ax.set_xlabel("step")
    ax.legend(fontsize=8)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
