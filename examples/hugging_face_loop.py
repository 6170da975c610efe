"""Hugging Face's Trainer with a temperature that falls, stopped half way and resumed to the same weights.

    python examples/hugging_face_loop.py --out hugging_face_loop.png

`TemperatureCallback` steps the schedule after each step of the optimizer, adds it to the log, and keeps it in
the checkpoint. The layer draws from torch's own generator, whose state the Trainer saves and restores, so
that the resumed run draws what the other one would have drawn. The model is made here: nothing is downloaded.
"""

import argparse
import tempfile
import warnings

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import PrinterCallback, Trainer, TrainingArguments

import softdraw as sd
from softdraw.integrations.transformers import TemperatureCallback

STEPS, IMAGES, BATCH = 160, 2048, 64
LOOKS = {"one run": ("#c9ced6", "-"), "first half": ("#d2691e", "."), "resumed": ("#2f6db3", ".")}


class BarsVAE(nn.Module):
    """A discrete VAE of 8 x 8 images of bars; see docs/discrete-vae.md."""

    def __init__(self, tau: sd.schedules.Schedule) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10 * 4))
        self.latent = sd.nn.CategoricalLatent(10, 4, estimator="st-gumbel-softmax", tau=tau)
        self.decoder = nn.Sequential(nn.Linear(10 * 4, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        code = self.latent(self.encoder(images))
        pixels = self.decoder(code.sample.flatten(1))
        lost = binary_cross_entropy_with_logits(pixels, images, reduction="none").sum(1)
        return {"loss": (lost + code.kl).mean()}


def bars() -> list[dict[str, Tensor]]:
    lines = torch.rand(IMAGES, 2, 8, generator=torch.Generator().manual_seed(0)) < 0.2
    images = (lines[:, 0, :, None] | lines[:, 1, None, :]).float().flatten(1)
    return [{"images": image} for image in images]


def train(folder: str, steps: int, resume: bool = False) -> Trainer:
    torch.manual_seed(0)
    tau = sd.schedules.Exponential(start=1.0, floor=0.5, rate=4e-3)
    options = TrainingArguments(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=3e-3,
        lr_scheduler_type="constant",  # a rate that falls would fall faster in the shorter run
        logging_steps=2,
        save_steps=STEPS // 2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    trainer = Trainer(BarsVAE(tau), options, train_dataset=bars(), callbacks=[TemperatureCallback(tau)])
    trainer.remove_callback(PrinterCallback)  # the log is drawn below, not printed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of memory that a processor has no use for
        trainer.train(resume_from_checkpoint=resume or None)
    return trainer


def weights(trainer: Trainer) -> Tensor:
    return nn.utils.parameters_to_vector(trainer.model.parameters()).detach()


def logged(trainer: Trainer) -> list[tuple[int, float, float]]:
    """Step, loss and temperature of each row of the log."""
    log = [row for row in trainer.state.log_history if "loss" in row]
    return [(row["step"], row["loss"], row["temperature"]) for row in log]


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        whole = train(one, STEPS)
        part = train(two, STEPS // 2)
        resumed = train(two, STEPS, resume=True)
    apart = float((weights(whole) - weights(resumed)).abs().max())
    rows = {name: logged(run) for name, run in (("one run", whole), ("first half", part))}
    rows["resumed"] = logged(resumed)[len(rows["first half"]) :]  # its checkpoint brings the log before it
    tau = float(whole.model.latent.tau)
    figures = {"weights apart": apart, "tau apart": abs(tau - float(resumed.model.latent.tau)), "tau": tau}
    loss = sum(loss for _, loss, _ in rows["one run"][-10:]) / 10
    figures |= {"loss": loss, "resumed at": rows["resumed"][0][0]}
    print(f"{STEPS} steps: loss {loss:.2f} nats, tau {tau:.3f}")
    print(f"resumed half way: weights differ by {apart}, tau by {figures['tau apart']}")
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
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
