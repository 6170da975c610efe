"""Draw docs/images/temperature.png: what temperature does to the relaxed draws of one categorical choice.

Above, 1,500 draws of one of three classes at four temperatures, on the triangle whose corners are the
classes. Below, the first draw of each class while its temperature falls and its noise stays.
"""

from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "temperature.png"

PROBS = (0.5, 0.3, 0.2)
NAMES = ("A", "B", "C")
COLOURS = ("#2f6db3", "#d2691e", "#4d9a5b")
INK = "#33383f"
CORNERS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]], dtype=torch.float64)
TAUS = (3.0, 1.0, 0.3, 0.05)
POINTS = 1500


def on_triangle(weights: Tensor) -> Tensor:
    """Corners of the triangle, averaged with ``weights [n, 3]``."""
    return weights @ CORNERS


def triangle(ax: Axes, logits: Tensor, tau: float) -> None:
    """Samples at one temperature, coloured by the class that they will become."""
    key = sd.Key(0)
    soft = sd.gumbel_softmax(logits.expand(POINTS, 3), tau, key=key)
    chosen = sd.gumbel_max(logits.expand(POINTS, 3), key=key)
    outline = torch.cat((CORNERS, CORNERS[:1]))
    ax.plot(outline[:, 0], outline[:, 1], color=INK, linewidth=1.0, zorder=1)
    x, y = on_triangle(soft).T
    ax.scatter(x, y, s=7, c=[COLOURS[i] for i in chosen], alpha=0.35, linewidths=0, zorder=2, clip_on=False)
    for place, (name, corner) in enumerate(zip(NAMES, CORNERS.tolist(), strict=True)):
        share = f"{100 * (chosen == place).double().mean():.0f} %" if tau == TAUS[-1] else ""
        # a name stands outside its corner, below the two lower ones and above the upper one
        above = place == 2
        ax.annotate(
            f"{name}  {share}".strip(),
            corner,
            xytext=(0, 9 if above else -9),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            color=COLOURS[place],
            fontsize=11,
            fontweight="bold",
        )
    ax.set_title(f"temperature {tau:g}", fontsize=11, color=INK, pad=16)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_xlim(-0.12, 1.12)
    ax.set_ylim(-0.12, 1.0)


def strip(ax: Axes, logits: Tensor, chosen: int) -> None:
    """The first draw of a class over falling temperature: the weights of the classes, stacked."""
    drawn = sd.gumbel_max(logits.expand(POINTS, 3), key=sd.Key(0))
    row = int((drawn == chosen).nonzero()[0, 0])
    taus = torch.logspace(0.7, -1.5, 300, dtype=torch.float64)
    key = sd.Key(0).rows(row)
    weights = torch.stack([sd.gumbel_softmax(logits[None], float(tau), key=key)[0] for tau in taus])
    ax.stackplot(taus, *weights.T, colors=COLOURS, alpha=0.85, linewidth=0)
    ax.set_title(f"a draw that becomes {NAMES[chosen]}", fontsize=11, color=INK)
    ax.set_xscale("log")
    ax.set_xlim(float(taus[0]), float(taus[-1]))
    ax.set_ylim(0, 1)
    ax.set_xticks([5, 1, 0.3, 0.1, 0.03], ["5", "1", "0.3", "0.1", "0.03"], color=INK)
    ax.minorticks_off()
    ax.set_yticks([0, 0.5, 1], ["0", "0.5", "1"], color=INK)
    ax.set_xlabel("temperature, falling", color=INK)
    for side in ax.spines.values():
        side.set_visible(False)


def main() -> None:
    """Write the picture."""
    logits = torch.tensor(PROBS, dtype=torch.float64).log()
    figure = Figure(figsize=(10, 5.4), layout="constrained", facecolor="white")
    above, below = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    for ax, tau in zip(above.subplots(1, len(TAUS)), TAUS, strict=True):
        triangle(ax, logits, tau)
    axes = below.subplots(1, 3, sharey=True)
    for chosen, ax in enumerate(axes):
        strip(ax, logits, chosen)
    axes[0].set_ylabel("weight of each class", color=INK)
    figure.get_layout_engine().set(h_pad=0.08)
    figure.savefig(OUT, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main()
