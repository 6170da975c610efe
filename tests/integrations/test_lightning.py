"""The callback under Lightning's trainer: steps, log, checkpoint."""

import warnings

import pytest
import torch

import softdraw as sd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")

from softdraw.integrations.lightning import TemperatureCallback

pytestmark = pytest.mark.filterwarnings("ignore")


class Model(lightning.LightningModule):
    """A choice that learns which of three classes is rewarded."""

    def __init__(self, tau):
        super().__init__()
        self.choice = sd.nn.GumbelSoftmax(tau)
        self.logits = torch.nn.Parameter(torch.zeros(3))
        self.seen = []

    def training_step(self, batch, index):
        self.seen.append(float(self.choice.tau))
        return -(self.choice(self.logits.expand(len(batch[0]), 3)) @ torch.tensor([0.0, 1.0, 0.2])).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def train(folder, callback, epochs=2, model=None, resume=None, **options):
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(40, 1)), batch_size=8)
    trainer = lightning.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        callbacks=[callback],
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=lightning.loggers.CSVLogger(folder),
        log_every_n_steps=1,
        **options,
    )
    model = model or Model(callback.schedule)
    trainer.fit(model, data, ckpt_path=resume, weights_only=True if resume else None)
    return trainer, model


def test_one_step_an_optimizer_step_and_the_log(tmp_path):
    s = sd.schedules.Linear(1.0, 0.5, steps=10)
    trainer, model = train(tmp_path, TemperatureCallback(s))
    assert s.step_count == trainer.global_step == 10
    assert model.seen == pytest.approx([s.at(i) for i in range(10)])
    rows = (tmp_path / "lightning_logs/version_0/metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("temperature")
    assert [float(r.split(",")[column]) for r in rows[1:]] == pytest.approx(model.seen)


def test_accumulation_and_epochs(tmp_path):
    s = sd.schedules.Linear(1.0, 0.5, steps=10)
    trainer, _ = train(tmp_path, TemperatureCallback(s), accumulate_grad_batches=2)
    assert s.step_count == trainer.global_step == 6
    s = sd.schedules.Linear(1.0, 0.5, steps=10)
    train(tmp_path, TemperatureCallback(s, every="epoch"), epochs=3)
    assert s.step_count == 3


@pytest.mark.parametrize("kind", ["Linear", "Adaptive"])
def test_a_resumed_run_goes_on_where_it_stopped(tmp_path, kind):
    make = {
        "Linear": lambda: sd.schedules.Linear(1.0, 0.5, steps=20),
        "Adaptive": lambda: sd.schedules.Adaptive(1.0, factor=0.9, every=3, max_variance=None),
    }[kind]
    whole = make()
    train(tmp_path / "whole", TemperatureCallback(whole), epochs=4)
    first, second = make(), make()
    trainer, _ = train(tmp_path / "first", TemperatureCallback(first), epochs=2)
    path = tmp_path / "saved.ckpt"
    trainer.save_checkpoint(path)
    train(tmp_path / "second", TemperatureCallback(second), epochs=4, resume=path)
    assert second.step_count == whole.step_count == 20
    assert second.value == whole.value
    assert second.tau.item() == whole.tau.item()


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"schedule: got 0\.5, expected a softdraw\.schedules\.Schedule"):
        TemperatureCallback(0.5)
    with pytest.raises(ValueError, match=r"every: got .*, expected one of 'step', 'epoch'"):
        TemperatureCallback(sd.schedules.Constant(), every="batch")
    keys = {TemperatureCallback(sd.schedules.Constant(), name=n).state_key for n in "ab"}
    assert len(keys) == 2
