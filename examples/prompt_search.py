"""Find a prompt that makes a language model say a given phrase: by gradients through draws, and by swaps.

    python examples/prompt_search.py --seeds 5 --out prompt_search.png

A small recurrent model learns words of Python's own manual. Three searches look for eight words after which
a phrase is likeliest: `gumbel` draws each word by straight-through Gumbel-Softmax, so that the phrase's loss
has a gradient to the words' logits; `coordinates` (GCG, Zou et al. 2023) ranks words by the gradient at the
present prompt and takes the best of random swaps; `chance` draws as `gumbel` does and learns nothing.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pydoc_data.topics import topics

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

import softdraw as sd

PHRASES = "return value of the function", "names of the local variables", "the class is called when an object"
WORDS, PLACES, BATCH = 600, 8, 32
Steps = Iterator[tuple[Tensor, Tensor]]  #: of each step BATCH losses, and the words of their prompts


class Model(nn.Module):
    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.embedding, self.read = nn.Embedding(WORDS, width), nn.GRU(width, 96, batch_first=True)
        self.head = nn.Linear(96, WORDS)

    def forward(self, embedded: Tensor) -> Tensor:  # [batch, words, width] to logits of the word after each
        return self.head(self.read(embedded)[0])

    def loss(self, prompts: Tensor, phrase: Tensor) -> Tensor:  # one-hots [batch, places, words] to [batch]
        said = self.embedding(phrase).expand(len(prompts), -1, -1)
        logits = self(torch.cat([prompts @ self.embedding.weight, said[:, :-1]], 1))[:, PLACES - 1 :]
        return cross_entropy(logits.mT, phrase.expand(len(prompts), -1), reduction="none").mean(1)


def train(steps: int) -> tuple[Model, list[str], float]:
    text = re.findall(r"[a-z]+|[.,:]", " ".join(topics[name] for name in sorted(topics)).lower())
    words = ["?", *(word for word, _ in Counter(text).most_common(WORDS - 1))]
    number = {word: i for i, word in enumerate(words)}
    ids = torch.tensor([number.get(word, 0) for word in text])
    torch.manual_seed(0)
    model, losses = Model(), []
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        cut = ids[torch.randint(len(ids) - 25, (BATCH, 1)) + torch.arange(25)]
        loss = cross_entropy(model(model.embedding(cut[:, :-1])).flatten(0, 1), cut[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.requires_grad_(False), words, sum(losses[-50:]) / len(losses[-50:])


def gumbel(model: Model, phrase: Tensor, steps: int, key: sd.Key, rate: float = 0.3) -> Steps:
    logits = torch.zeros(PLACES, WORDS, requires_grad=True)
    optimizer = torch.optim.Adam([logits], rate)
    tau = sd.schedules.Exponential(2.0, 0.5, rate=1.4 / steps)
    for step in range(steps):
        drawn = sd.gumbel_softmax(logits.expand(BATCH, -1, -1), tau.tau, hard=True, key=key.fold_in(step))
        losses = model.loss(drawn, phrase)
        (logits.grad,) = torch.autograd.grad(losses.mean(), logits)
        optimizer.step()
        tau.step()
        yield losses.detach(), drawn.argmax(-1)


def coordinates(model: Model, phrase: Tensor, steps: int, key: sd.Key, k: int = 64) -> Steps:
    prompt = sd.gumbel_max(torch.zeros(PLACES, WORDS), key=key.fold_in(steps))
    for step in range(steps):
        hot = one_hot(prompt, WORDS).float().requires_grad_()
        here = model.loss(hot[None], phrase)
        ranked = (-torch.autograd.grad(here.sum(), hot)[0]).topk(k).indices
        of_places, of_ranks = key.fold_in(step).split()
        place = sd.gumbel_max(torch.zeros(BATCH - 1, PLACES), key=of_places)
        swaps = prompt.repeat(BATCH - 1, 1)
        swaps[range(BATCH - 1), place] = ranked[place, sd.gumbel_max(torch.zeros(BATCH - 1, k), key=of_ranks)]
        losses = model.loss(one_hot(swaps, WORDS).float(), phrase)
        yield torch.cat([here.detach(), losses]), torch.cat([prompt[None], swaps])
        prompt = swaps[losses.argmin()]


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    for name, default in (("--out", ""), ("--seeds", 1), ("--steps", 60), ("--training", 150)):
        parser.add_argument(name, type=type(default), default=default)
    args = parser.parse_args(argv)
    model, words, loss = train(args.training)
    figures, ax = {"model": loss}, (figure := Figure(figsize=(8, 4), layout="constrained")).subplots()
    searches = {"gumbel": gumbel, "coordinates": coordinates, "chance": lambda *x: gumbel(*x, rate=0.0)}
    for (name, search), colour in zip(searches.items(), ("#2f6db3", "#d2691e", "#4d9a5b"), strict=True):
        curves = []
        for phrase, seed in product(PHRASES, range(args.seeds)):
            ids = torch.tensor([words.index(word) for word in phrase.split()])
            losses, prompts = map(torch.cat, zip(*search(model, ids, args.steps, sd.Key(seed)), strict=True))
            curves.append(losses.cummin(0).values)
            said = " ".join(words[i] for i in prompts[losses.argmin()])
            print(f"{losses.min():.3f} {name:11} {seed} {said} -> {phrase}")
        mean = torch.stack(curves).mean(0)
        figures[name] = float(mean[-1])
        ax.plot(mean, color=colour, label=name)
    print(f"mean least loss of {len(curves)} searches of {len(mean)} prompts each:", figures)
    if args.out:
        ax.set(xlabel="prompts tried", ylabel="least loss so far, nats a word")
        ax.legend(frameon=False)
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
