"""The monitor inside a real Trainer."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import softdraw as sd

lightning = pytest.importorskip("lightning.pytorch")

from softdraw.integrations.lightning import GradientMonitorCallback  # noqa: E402


class Chooser(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(3, 4)
        self.choice = sd.estimators.get("reinmax", tau=1.2)

    def training_step(self, batch, index):
        y = self.choice(self.score(batch[0]), key=sd.Key(index))
        return (y * torch.arange(4.0)).sum(-1).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def fit(callback, tmp_path):
    torch.manual_seed(0)
    data = DataLoader(TensorDataset(torch.randn(48, 3)), batch_size=8)
    trainer = lightning.Trainer(
        callbacks=[callback],
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        default_root_dir=tmp_path,
    )
    trainer.fit(Chooser(), data)
    return trainer


@pytest.mark.filterwarnings("ignore")  # lightning's own advice on workers and devices
def test_records_are_made_and_logged(tmp_path):
    callback = GradientMonitorCallback("choice", every=2, name="choice")
    trainer = fit(callback, tmp_path)
    assert [record["step"] for record in callback.records] == [1, 3, 5]
    for record in callback.records:
        assert record["tau"] == pytest.approx(1.2)
        assert 1.0 < record["perplexity"] <= 4.0
        assert record["gradient_norm"] > 0
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    for name in ("signal_to_noise", "dead_rows", "entropy", "perplexity", "gradient_norm", "tau"):
        assert logged[f"choice/{name}"] == pytest.approx(callback.records[-1][name], rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_unknown_layer_is_named(tmp_path):
    with pytest.raises(ValueError, match="layer: got 'nothing', expected the name of a module"):
        fit(GradientMonitorCallback("nothing"), tmp_path)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="layer: got 3, expected a module"):
        GradientMonitorCallback(3)
    with pytest.raises(ValueError, match="every: got 0, expected an int >= 1"):
        GradientMonitorCallback("choice", every=0)
