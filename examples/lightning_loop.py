"""Lightning's Trainer with a temperature that falls, stopped half way and resumed to the same weights.

    python examples/lightning_loop.py --out lightning_loop.png

`TemperatureCallback` steps the schedule after each step of the optimizer, logs it, and keeps it in
Lightning's checkpoint. The noise of a step is named by a key that is folded with the step's number, so that
the resumed run draws what the other one would have drawn.
"""

import argparse
import logging
import tempfile
import warnings
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, TensorDataset

import softdraw as sd
from softdraw.integrations.lightning import TemperatureCallback

EPOCHS, IMAGES, BATCH = 8, 2048, 64
LOOKS = {"one run": ("#c9ced6", "-"), "first half": ("#d2691e", "."), "resumed": ("#2f6db3", ".")}


class BarsVAE(LightningModule):
    """A discrete VAE of 8 x 8 images of bars; see docs/discrete-vae.md."""

    def __init__(self, tau: sd.schedules.Schedule) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10 * 4))
        self.latent = sd.nn.CategoricalLatent(10, 4, estimator="st-gumbel-softmax", tau=tau)
        self.decoder = nn.Sequential(nn.Linear(10 * 4, 128), nn.ReLU(), nn.Linear(128, 64))
        self.rows: list[tuple[int, float, float]] = []  # step, loss, temperature

    def training_step(self, batch: list[Tensor], number: int) -> Tensor:
        (images,) = batch
        code = self.latent(self.encoder(images), key=sd.Key(0).fold_in(self.global_step))
        pixels = self.decoder(code.sample.flatten(1))
        lost = binary_cross_entropy_with_logits(pixels, images, reduction="none").sum(1)
        loss = (lost + code.kl).mean()
        self.log("loss", loss)
        self.rows.append((self.global_step, loss.item(), float(self.latent.tau)))
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def bars() -> DataLoader:
    """Batches in one order, so that an epoch is the same in every process."""
    lines = torch.rand(IMAGES, 2, 8, generator=torch.Generator().manual_seed(0)) < 0.2
    images = (lines[:, 0, :, None] | lines[:, 1, None, :]).float().flatten(1)
    return DataLoader(TensorDataset(images), batch_size=BATCH)


def train(folder: str, epochs: int, resume: Path | None = None) -> tuple[BarsVAE, Path]:
    torch.manual_seed(0)
    tau = sd.schedules.Exponential(start=1.0, floor=0.5, rate=2e-3)
    model, path = BarsVAE(tau), Path(folder, f"{epochs}.ckpt")
    trainer = Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        callbacks=[TemperatureCallback(tau)],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few workers and no logger, which are meant
        trainer.fit(model, bars(), ckpt_path=resume, weights_only=True)
        trainer.save_checkpoint(path)
    return model, path


def weights(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="")
    args = parser.parse_args(argv)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        whole, _ = train(folder, EPOCHS)
        part, checkpoint = train(folder, EPOCHS // 2)
        resumed, _ = train(folder, EPOCHS, checkpoint)
    apart = float((weights(whole) - weights(resumed)).abs().max())
    tau, again = float(whole.latent.tau), float(resumed.latent.tau)
    figures = {"weights apart": apart, "tau apart": abs(tau - again), "tau": tau}
    figures |= {"loss": sum(loss for _, loss, _ in whole.rows[-32:]) / 32, "resumed at": resumed.rows[0][0]}
    print(f"{len(whole.rows)} steps: loss {figures['loss']:.2f} nats, tau {tau:.3f}")
    print(f"resumed at {resumed.rows[0][0]}: weights differ by {apart}")
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        rows = {"one run": whole.rows, "first half": part.rows[::6], "resumed": resumed.rows[::6]}
        axes = figure.subplots(1, 2)
        for ax, column, label in zip(axes, (1, 2), ("loss, nats", "temperature"), strict=True):
            for name, (colour, style) in LOOKS.items():
                steps, values = zip(*((row[0], row[column]) for row in rows[name]), strict=True)
                ax.plot(steps, values, style, color=colour, label=name)
            ax.set(xlabel="step", ylabel=label)
        ax.legend(frameon=False)
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
