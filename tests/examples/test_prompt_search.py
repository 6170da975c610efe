"""The searches for a prompt count their passes fairly and tell the truth about what they found."""

import functools

import pytest
import torch

import softdraw as sd


@pytest.fixture(scope="module")
def trained():
    from .conftest import load

    module = load("prompt_search")
    with torch.random.fork_rng():
        return module, *module.train(60)


def test_the_model_has_learned_words(trained):
    module, *_, loss = trained
    assert loss < 5.5 < torch.tensor(float(module.WORDS)).log()  # the loss of equally likely words


@pytest.mark.parametrize("name", ["gumbel", "coordinates", "chance"])
def test_a_search_tells_the_loss_of_the_prompt_that_it_found(trained, name):
    module, model, words, _ = trained
    phrase = torch.tensor([words.index(word) for word in ("value", "of", "the", "function")])
    chance = functools.partial(module.gumbel, rate=0.0)
    seen = 0

    class Counted(module.Model):
        def loss(self, prompts, phrase):
            nonlocal seen
            seen += len(prompts)
            return super().loss(prompts, phrase)

    counted = Counted()
    counted.load_state_dict(model.state_dict())
    counted.requires_grad_(False)
    search = chance if name == "chance" else getattr(module, name)
    losses, prompts = map(torch.cat, zip(*search(counted, phrase, 20, sd.Key(0)), strict=True))
    assert seen == len(losses) == len(prompts) == 20 * module.BATCH
    best, prompt = losses.min().item(), prompts[losses.argmin()]
    hot = torch.nn.functional.one_hot(prompt, module.WORDS).float()
    assert model.loss(hot[None], phrase).item() == pytest.approx(best, abs=1e-4)
    # by hand: each word after all before it
    ids = torch.cat([prompt, phrase])
    logits = model(model.embedding(ids[None]))[0, len(prompt) - 1 : -1]
    assert torch.nn.functional.cross_entropy(logits, phrase).item() == pytest.approx(best, abs=1e-4)
    if name != "chance":
        assert best < torch.cat([x for x, _ in chance(model, phrase, 20, sd.Key(0))]).min()


def test_both_searches_find_better_prompts_than_chance(ran):
    figures, _, printed = ran("prompt_search")
    assert figures["gumbel"] < figures["chance"]
    assert figures["coordinates"] < figures["chance"]
    for name in ("gumbel", "coordinates", "chance"):
        printed_losses = [float(line.split()[0]) for line in printed.splitlines() if f" {name} " in line]
        assert len(printed_losses) == 3
        assert sum(printed_losses) / 3 == pytest.approx(figures[name], abs=1e-3)
