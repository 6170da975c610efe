"""A training loop of one's own with a temperature that falls, killed half way and resumed to the same
weights.

    python examples/plain_loop.py --out plain_loop.png

Three things make a resumed run the same run, bit for bit. The schedule is part of the layer, so `state_dict`
keeps the temperature. The noise of a step is named by a key that is folded with the step's number, so no
generator has to be saved. And the batch of a step is a function of its number too. The checkpoint is written
beside its place and renamed, so that a kill while it is written leaves the old one.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

import softdraw as sd

STEPS, EVERY, BATCH = 400, 50, 64
Row = tuple[int, float, float]  #: step, loss, temperature


class BarsVAE(nn.Module):
    """A discrete VAE of 8 x 8 images of bars; see docs/discrete-vae.md."""

    def __init__(self) -> None:
        super().__init__()
        self.tau = sd.schedules.Exponential(start=1.0, floor=0.5, rate=2e-3)
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10 * 4))
        self.latent = sd.nn.CategoricalLatent(10, 4, estimator="st-gumbel-softmax", tau=self.tau)
        self.decoder = nn.Sequential(nn.Linear(10 * 4, 128), nn.ReLU(), nn.Linear(128, 64))

    def loss(self, images: Tensor, key: sd.Key) -> Tensor:
        code = self.latent(self.encoder(images), key=key)
        pixels = self.decoder(code.sample.flatten(1))
        lost = binary_cross_entropy_with_logits(pixels, images, reduction="none").sum(1)
        return (lost + code.kl).mean()


def images_of(step: int) -> Tensor:
    """The batch of a step, whichever process asks for it."""
    lines = torch.rand(BATCH, 2, 8, generator=torch.Generator().manual_seed(step)) < 0.2
    return (lines[:, 0, :, None] | lines[:, 1, None, :]).float().flatten(1)


def train(checkpoint: Path, killed_at: int | None = None) -> tuple[BarsVAE, list[Row]]:
    """Go on from the checkpoint if there is one. ``killed_at`` stands for what nobody can foresee."""
    torch.manual_seed(0)
    model, key, rows, first = BarsVAE(), sd.Key(0), [], 0
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])  # the temperature with it
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    for step in range(first, STEPS):
        if step == killed_at:
            break
        loss = model.loss(images_of(step), key.fold_in(step))
        rows.append((step, loss.item(), model.tau.value))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.tau.step()
        if (step + 1) % EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            unfinished = checkpoint.with_suffix(".unfinished")
            torch.save(state, unfinished)
            unfinished.replace(checkpoint)
    return model, rows


def weights(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        whole, rows = train(Path(folder) / "whole.pt")
        _, before = train(Path(folder) / "parts.pt", killed_at=230)  # its last checkpoint is of step 200
        resumed, after = train(Path(folder) / "parts.pt")
    apart = float((weights(whole) - weights(resumed)).abs().max())
    figures = {"weights apart": apart, "tau apart": abs(whole.tau.value - resumed.tau.value)}
    loss = sum(loss for _, loss, _ in rows[-50:]) / 50
    figures |= {"loss": loss, "tau": whole.tau.value, "resumed at": after[0][0]}
    print(f"{STEPS} steps: loss {loss:.2f} nats, tau {figures['tau']:.3f}")
    print(f"killed at 230, resumed at {after[0][0]}: weights differ by {apart}")
    if args.out:
        draw(args.out, rows, before, after)
    return figures


def draw(out: str, rows: list[Row], before: list[Row], after: list[Row]) -> None:
    """Loss and temperature of the whole run as lines, of the killed and the resumed one as dots."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    for ax, column, label in zip(figure.subplots(1, 2), (1, 2), ("loss, nats", "temperature"), strict=True):
        ax.plot([row[0] for row in rows], [row[column] for row in rows], color="#c9ced6", label="not killed")
        for part, colour, name in (
            (before, "#d2691e", "killed at 230"),
            (after, "#2f6db3", "resumed at 200"),
        ):
            ax.plot([r[0] for r in part[::8]], [r[column] for r in part[::8]], ".", color=colour, label=name)
        ax.set(xlabel="step", ylabel=label)
    ax.legend(frameon=False)
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    main()
