"""Find a prompt that makes a language model say a given phrase: by gradients through draws, and by swaps.

    python examples/prompt_search.py --seeds 5

A small recurrent model learns words of Python's own manual (`pydoc_data.topics`). Three searches then look
for eight words after which a phrase is likeliest, each with as many forward passes of a prompt:

- gumbel: words are drawn from logits of each place by straight-through Gumbel-Softmax and their embeddings
  mixed, so that the gradient of the phrase's loss reaches the logits; the temperature falls.
- coordinates: as GCG (Zou et al. 2023), the gradient at the present prompt ranks the words of each place, and
  of random swaps among the best the one of least loss is taken.
- chance: prompts at random.

Prints the least loss, in nats a word of the phrase, that each has met.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator
from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

import softdraw as sd

PHRASES = "return value of the function", "names of the local variables", "the class is called when an object"
PLACES, BATCH = 8, 32
Steps = Iterator[tuple[Tensor, Tensor]]  #: of each step BATCH losses, and the words of their prompts


class Model(nn.Module):
    def __init__(self, words: int, width: int = 64) -> None:
        super().__init__()
        self.embedding, self.read = nn.Embedding(words, width), nn.GRU(width, 96, batch_first=True)
        self.head = nn.Linear(96, words)

    def forward(self, embedded: Tensor) -> Tensor:  # [batch, words, width] to logits of the word after each
        return self.head(self.read(embedded)[0])

    def loss(self, prompts: Tensor, phrase: Tensor) -> Tensor:
        """-log p of a word of the phrase after each prompt, one-hots ``[batch, places, vocabulary]``."""
        said = self.embedding(phrase).expand(len(prompts), -1, -1)
        logits = self(torch.cat([prompts @ self.embedding.weight, said[:, :-1]], 1))[:, PLACES - 1 :]
        target = phrase.expand(len(prompts), -1)
        return cross_entropy(logits.transpose(1, 2), target, reduction="none").mean(1)


def train(steps: int, size: int = 600) -> tuple[Model, list[str], float]:
    """The model, its vocabulary, and the loss of its last steps."""
    text = re.findall(r"[a-z]+|[.,:]", " ".join(topics[name] for name in sorted(topics)).lower())
    words = ["?", *(word for word, _ in Counter(text).most_common(size - 1))]
    number = {word: i for i, word in enumerate(words)}
    ids = torch.tensor([number.get(word, 0) for word in text])
    torch.manual_seed(0)
    model, losses = Model(size), []
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        cut = ids[torch.randint(len(ids) - 25, (BATCH, 1)) + torch.arange(25)]
        loss = cross_entropy(model(model.embedding(cut[:, :-1])).flatten(0, 1), cut[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.requires_grad_(False), words, sum(losses[-50:]) / len(losses[-50:])


def gumbel(model: Model, phrase: Tensor, steps: int, key: sd.Key) -> Steps:
    logits = torch.zeros(PLACES, model.embedding.num_embeddings, requires_grad=True)
    optimizer = torch.optim.Adam([logits], 0.3)
    schedule = sd.schedules.Exponential(2.0, 0.5, rate=1.4 / steps)
    for step in range(steps):
        drawn = sd.gumbel_softmax(
            logits.expand(BATCH, -1, -1), schedule.tau, hard=True, key=key.fold_in(step)
        )
        losses = model.loss(drawn, phrase)
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
        schedule.step()
        yield losses.detach(), drawn.argmax(-1)


def coordinates(model: Model, phrase: Tensor, steps: int, key: sd.Key, k: int = 64) -> Steps:
    size = model.embedding.num_embeddings
    prompt = sd.gumbel_max(torch.zeros(PLACES, size), key=key.fold_in(steps))
    for step in range(steps):
        hot = one_hot(prompt, size).float().requires_grad_()
        here = model.loss(hot[None], phrase)
        ranked = (-torch.autograd.grad(here.sum(), hot)[0]).topk(k).indices
        of_places, of_ranks = key.fold_in(step).split()
        place = sd.gumbel_max(torch.zeros(BATCH - 1, PLACES), key=of_places)
        swaps = prompt.repeat(BATCH - 1, 1)
        swaps[range(BATCH - 1), place] = ranked[place, sd.gumbel_max(torch.zeros(BATCH - 1, k), key=of_ranks)]
        losses = model.loss(one_hot(swaps, size).float(), phrase)
        yield torch.cat([here.detach(), losses]), torch.cat([prompt[None], swaps])
        prompt = swaps[losses.argmin()]


def chance(model: Model, phrase: Tensor, steps: int, key: sd.Key) -> Steps:
    size = model.embedding.num_embeddings
    for step in range(steps):
        prompts = sd.gumbel_max(torch.zeros(BATCH, PLACES, size), key=key.fold_in(step))
        yield model.loss(one_hot(prompts, size).float(), phrase), prompts


def best(search: Steps) -> tuple[float, Tensor]:
    """The least loss of all steps, and its prompt."""
    return min(
        ((float(losses.min()), words[losses.argmin()]) for losses, words in search), key=lambda x: x[0]
    )


def main(arguments: list[str] | None = None) -> list[tuple[str, int, dict[str, float]]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("--seeds", 2), ("--steps", 100), ("--training", 300)):
        parser.add_argument(name, type=int, default=default)
    options = parser.parse_args(arguments)
    model, words, loss = train(options.training)
    print(f"model: {loss:.2f} nats a word; a search: {options.steps * BATCH} forward passes of a prompt")
    rows, seconds = [], Counter[str]()
    for phrase in PHRASES:
        ids = torch.tensor([words.index(word) for word in phrase.split()])
        for seed in range(options.seeds):
            found = {}
            for search in (gumbel, coordinates, chance):
                start, name = time.perf_counter(), search.__name__
                found[name], prompt = best(search(model, ids, options.steps, sd.Key(seed)))
                seconds[name] += time.perf_counter() - start
                print(f"{found[name]:.3f} {name:11} {seed} {' '.join(words[i] for i in prompt)} -> {phrase}")
            rows.append((phrase, seed, found))
    for name, total in seconds.items():
        mean = sum(found[name] for *_, found in rows) / len(rows)
        print(f"{name:11} mean {mean:.3f}, {total / len(rows):.1f} s a search")
    return rows


if __name__ == "__main__":
    main()
