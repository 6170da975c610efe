"""The callback under Hugging Face's Trainer: steps, log, checkpoint."""

import warnings

import pytest
import torch

import softdraw as sd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    from softdraw.integrations.transformers import TemperatureCallback

pytestmark = pytest.mark.filterwarnings("ignore")


class Model(torch.nn.Module):
    """A choice that learns which of three classes is rewarded."""

    def __init__(self, tau):
        super().__init__()
        self.choice = sd.nn.GumbelSoftmax(tau)
        self.logits = torch.nn.Parameter(torch.zeros(3))
        self.seen = []

    def forward(self, x):
        self.seen.append(float(self.choice.tau))
        drawn = self.choice(self.logits.expand(len(x), 3))
        return {"loss": -(drawn @ torch.tensor([0.0, 1.0, 0.2])).mean()}


class Reporter(transformers.TrainerCallback):
    """Stands for TensorBoard: called before the callbacks that the trainer is given."""

    def __init__(self):
        self.rows = []

    def on_log(self, args, state, control, logs, **kwargs):
        self.rows.append(dict(logs))


def train(folder, schedule, steps, resume=None, reporter=None):
    model = Model(schedule)
    options = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        logging_steps=1,
        save_steps=5,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        seed=0,
    )
    trainer = transformers.Trainer(
        model=model,
        args=options,
        train_dataset=[{"x": torch.zeros(1)} for _ in range(64)],
        callbacks=[reporter] if reporter else [TemperatureCallback(schedule)],
    )
    if reporter:
        TemperatureCallback(schedule).attach(trainer)
    trainer.train(resume_from_checkpoint=resume)
    return trainer, model


def test_one_step_an_optimizer_step_and_the_log(tmp_path, capsys):
    s = sd.schedules.Linear(1.0, 0.5, steps=10)
    trainer, model = train(tmp_path, s, steps=4)
    assert s.step_count == trainer.state.global_step == 4
    assert model.seen == pytest.approx([s.at(i) for i in (0, 0, 1, 1, 2, 2, 3, 3)])
    logged = [row["temperature"] for row in trainer.state.log_history if "loss" in row]
    assert logged == pytest.approx([s.at(i) for i in (1, 2, 3, 4)])


def test_attached_it_is_seen_by_reporters(tmp_path, capsys):
    s, reporter = sd.schedules.Linear(1.0, 0.5, steps=10), Reporter()
    train(tmp_path, s, steps=2, reporter=reporter)
    assert [row["temperature"] for row in reporter.rows if "loss" in row] == pytest.approx([0.95, 0.9])


@pytest.mark.parametrize("kind", ["Linear", "Adaptive"])
def test_a_resumed_run_goes_on_where_it_stopped(tmp_path, capsys, kind):
    make = {
        "Linear": lambda: sd.schedules.Linear(1.0, 0.5, steps=20),
        "Adaptive": lambda: sd.schedules.Adaptive(1.0, factor=0.9, every=3, max_variance=None),
    }[kind]
    whole, first, second = make(), make(), make()
    train(tmp_path / "whole", whole, steps=8)
    train(tmp_path / "parts", first, steps=5)
    train(tmp_path / "parts", second, steps=8, resume=True)
    assert second.step_count == whole.step_count == 8
    assert second.value == whole.value
    assert second.tau.item() == whole.tau.item()


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"schedule: got 0\.5, expected a softdraw\.schedules\.Schedule"):
        TemperatureCallback(0.5)
