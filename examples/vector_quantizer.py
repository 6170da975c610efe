"""A vector-quantised autoencoder whose dead codes come back to life, on scikit-learn's 8 x 8 digits.

    python examples/vector_quantizer.py --out vector_quantizer.png

A codebook of 64 vectors collapses: a few entries win early, and those that are never drawn get no gradient.
Every 100 steps the dead entries are set anew from outputs of the encoder: each becomes the twin of the entry
of a random image, and turns towards that image until it wins there. Prints the perplexity of the codes (how
many are in use) and the error of the test images, without this and with it.
"""

import argparse

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn

import softdraw as sd

ENTRIES, WIDTH, BATCH = 64, 16, 128


class Autoencoder(nn.Module):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, WIDTH), nn.LayerNorm(WIDTH)
        )
        tau = sd.schedules.Exponential(2.0, 0.5, rate=2.0 / steps)
        self.quantizer = sd.nn.GumbelVectorQuantizer(WIDTH, WIDTH, groups=1, entries=ENTRIES, tau=tau)
        self.decoder = nn.Sequential(nn.Linear(WIDTH, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images: Tensor, key: sd.Key | None = None) -> tuple[Tensor, Tensor]:
        """The squared error of each image, and its code ``[batch]``."""
        out = self.quantizer(self.encoder(images), key=key)
        return (self.decoder(out.quantized) - images).square().sum(1), out.indices[:, 0]


@torch.no_grad()
def revive(model: Autoencoder, images: Tensor, key: sd.Key) -> None:
    """Set the entries anew that were never drawn since the last call, each from one image."""
    layer = model.quantizer
    dead = layer.dead_codes()[0].nonzero().flatten()
    chosen = sd.gumbel_top_k(torch.zeros(len(images)), ENTRIES, key=key)[: len(dead)]
    encoded = model.encoder(images[chosen])
    highest, entry = layer.projection(encoded).max(1)
    weight = layer.projection.weight[entry] + nn.functional.normalize(encoded, dim=1)
    layer.projection.weight[dead] = weight
    layer.projection.bias[dead] = highest + 1.0 - (weight * encoded).sum(1)  # its logit is then the highest
    layer.codebook[0, dead] = layer.codebook[0, entry]
    layer.reset_usage()


def fit(
    train: Tensor, test: Tensor, steps: int, seed: int, reviving: bool
) -> tuple[list[float], Tensor, float]:
    """Perplexity of the test images' codes every ten steps, their counts at the end, and the error."""
    torch.manual_seed(seed)
    key, model, curve = sd.Key(seed), Autoencoder(steps), []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        error, _ = model(train[torch.randint(len(train), (BATCH,))], key.fold_in(step))
        optimizer.zero_grad()
        error.mean().backward()
        optimizer.step()
        model.quantizer.schedule.step()
        if reviving and step % 100 == 99 and step < 0.6 * steps:
            revive(model, train, key.fold_in(steps + step))
        if step % 10 == 9:
            with torch.no_grad():
                error, codes = model.eval()(test)
            model.train()
            counts = codes.bincount(minlength=ENTRIES)
            curve.append(float(torch.distributions.Categorical(counts.float()).entropy().exp()))
    return curve, counts, float(error.mean())


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help="file of the picture")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    images = torch.from_numpy(load_digits().data).float() / 16
    figure = Figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    figures = {}
    for name, reviving, colour in (("left alone", False, "#d2691e"), ("revived", True, "#2f6db3")):
        curve, counts, error = fit(images[:1300], images[1300:], args.steps, args.seed, reviving)
        print(
            f"{name:10} perplexity {curve[-1]:5.1f} of {ENTRIES}, {int((counts > 0).sum()):2d} codes in use, "
            f"squared error {error:.2f} an image"
        )
        figures |= {f"perplexity {name}": curve[-1], f"error {name}": error}
        left.plot(range(10, args.steps + 1, 10), curve, color=colour, label=name)
        right.plot(counts.sort(descending=True).values, drawstyle="steps-mid", color=colour, label=name)
    left.set(xlabel="step", ylabel="perplexity of the codes", ylim=(0, None))
    right.set(xlabel="code, the most used first", ylabel="test images")
    left.legend(frameon=False)
    if args.out:
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
