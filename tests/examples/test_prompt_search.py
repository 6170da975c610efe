"""The worked example runs in seconds, counts its passes fairly and tells the truth about what it found."""

import importlib.util
from pathlib import Path

import pytest
import torch

import softdraw as sd

PATH = Path(__file__).parents[2] / "examples" / "prompt_search.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("example_prompt_search", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trained(example):
    with torch.random.fork_rng():
        model, words, loss = example.train(60, size=300)
    return model, words, loss


def test_the_model_has_learned_words(trained):
    assert trained[2] < 5.0 < torch.tensor(300.0).log()  # the loss of equally likely words


@pytest.mark.parametrize("name", ["gumbel", "coordinates", "chance"])
def test_a_search_tells_the_loss_of_the_prompt_that_it_found(example, trained, name):
    model, words, _ = trained
    phrase = torch.tensor([words.index(word) for word in ("value", "of", "the", "function")])
    seen = 0

    class Counted(type(model)):
        def loss(self, prompts, phrase):
            nonlocal seen
            seen += len(prompts)
            return super().loss(prompts, phrase)

    counted = Counted(300)
    counted.load_state_dict(model.state_dict())
    counted.requires_grad_(False)
    best, prompt = example.best(getattr(example, name)(counted, phrase, 20, sd.Key(0)))
    assert seen == 20 * example.BATCH
    hot = torch.nn.functional.one_hot(prompt, 300).float()
    assert model.loss(hot[None], phrase).item() == pytest.approx(best, abs=1e-4)
    # by hand: each word after all before it
    ids = torch.cat([prompt, phrase])
    logits = model(model.embedding(ids[None]))[0, len(prompt) - 1 : -1]
    assert torch.nn.functional.cross_entropy(logits, phrase).item() == pytest.approx(best, abs=1e-4)
    if name != "chance":
        assert best < example.best(example.chance(model, phrase, 20, sd.Key(0)))[0]


def test_the_program_prints_every_loss(example, capsys):
    with torch.random.fork_rng():
        rows = example.main(["--seeds", "1", "--steps", "2", "--training", "5"])
    printed = capsys.readouterr().out
    assert len(rows) == len(example.PHRASES)
    for phrase, seed, found in rows:
        for name, value in found.items():
            assert any(
                line.startswith(f"{value:.3f} {name:11} {seed} ") and line.endswith(f"-> {phrase}")
                for line in printed.splitlines()
            )
