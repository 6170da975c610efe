"""A VAE whose code is a handful of categorical choices, on scikit-learn's 8 x 8 digits.

    python examples/digits_vae.py --out digits_vae.png
    python examples/digits_vae.py --estimator reinmax --tau 1.3

The encoder proposes four choices of six classes, straight-through Gumbel-Softmax draws them at a falling
temperature, the decoder paints the image. The code has 6^4 = 1,296 states, few enough to sum over, so what is
printed is no estimate: the negative ELBO itself, in nats an image, and the negative log likelihood that it
bounds.
"""

import argparse
import math

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as pixel_loss
from torch.nn.functional import one_hot

import softdraw as sd

VARIABLES, CLASSES, BATCH = 4, 6, 100


class DiscreteVAE(nn.Module):
    def __init__(self, estimator: str, tau: sd.schedules.Schedule) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, VARIABLES * CLASSES))
        self.latent = sd.nn.CategoricalLatent(VARIABLES, CLASSES, estimator=estimator, tau=tau)
        self.decoder = nn.Sequential(nn.Linear(VARIABLES * CLASSES, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images: Tensor, key: sd.Key) -> Tensor:
        """The negative ELBO of each image, on one draw of its code."""
        code = self.latent(self.encoder(images), key=key)
        pixels = self.decoder(code.sample.flatten(1))
        return pixel_loss(pixels, images, reduction="none").sum(1) + code.kl

    @torch.no_grad()
    def exact(self, images: Tensor) -> tuple[float, float]:
        """Mean negative ELBO and mean negative log likelihood, by a sum over all states of the code."""
        every = torch.cartesian_prod(*[torch.arange(CLASSES)] * VARIABLES)
        states = one_hot(every, CLASSES).float().flatten(1)  # [states, variables · classes]
        pixels = self.decoder(states)
        # log p(x | z) of a Bernoulli image is x · logits less what does not depend on x
        log_p = images @ pixels.T - nn.functional.softplus(pixels).sum(1)
        code = self.latent(self.encoder(images), key=sd.Key(0))
        q = (code.log_probs.flatten(1) @ states.T).exp()
        nll = math.log(len(states)) - log_p.logsumexp(1)  # the prior is uniform
        return float((code.kl - (q * log_p).sum(1)).mean()), float(nll.mean())


def picture(model: DiscreteVAE, images: Tensor, curve: list[tuple[int, float, float]], out: str) -> None:
    """The loss while training; images, their reconstructions, and samples of the prior."""
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1)
    for line, name, colour in ((1, "training", "#2f6db3"), (2, "test", "#d2691e")):
        above.plot([row[0] for row in curve], [row[line] for row in curve], color=colour, label=name)
    above.set(xlabel="step", ylabel="negative ELBO, nats")
    above.legend(frameon=False)
    with torch.no_grad():
        model.eval()  # the most probable code
        code = model.latent(model.encoder(images[:12])).sample
        prior = sd.gumbel_softmax(torch.zeros(12, VARIABLES, CLASSES), hard=True, key=sd.Key(1))
        rows = [images[:12], *(model.decoder(z.flatten(1)).sigmoid() for z in (code, prior))]
    tiles = torch.nn.functional.pad(torch.stack(rows).view(3, 12, 8, 8), (1, 1, 1, 1), value=0.5)
    below.imshow(tiles.transpose(1, 2).reshape(30, 120).numpy(), cmap="Greys", vmin=0, vmax=1)
    below.set_xticks([])
    below.set_yticks([4.5, 14.5, 24.5], ["test image", "reconstruction", "from the prior"])
    figure.savefig(out, dpi=80)


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help="file of the picture")
    parser.add_argument("--estimator", default="st-gumbel-softmax")
    parser.add_argument("--tau", type=float, help="a fixed temperature instead of 1.0 falling to 0.5")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    images = (torch.from_numpy(load_digits().data) >= 8).float()
    train, test = images[:1400], images[1400:]
    torch.manual_seed(args.seed)
    key = sd.Key(args.seed)
    tau = sd.schedules.Exponential(1.0, 0.5, rate=2 * math.log(2) / args.steps)  # at 0.5 halfway
    model = DiscreteVAE(args.estimator, sd.schedules.Constant(args.tau) if args.tau else tau)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    curve = []
    for step in range(args.steps):
        batch = train[torch.randint(len(train), (BATCH,))]
        loss = model(batch, key.fold_in(step)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.latent.schedule.step()
        if step % 50 == 49:
            curve.append((step + 1, model.exact(train)[0], model.exact(test)[0]))
    (train_elbo, _), (test_elbo, test_nll) = model.exact(train), model.exact(test)
    print(f"negative ELBO, nats an image: training {train_elbo:.2f}, test {test_elbo:.2f}")
    print(f"negative log likelihood of the test images: {test_nll:.2f}")
    if args.out:
        picture(model, test, curve, args.out)
    return {"train": train_elbo, "test": test_elbo, "test_nll": test_nll, "start": curve[0][2]}


if __name__ == "__main__":
    main()
