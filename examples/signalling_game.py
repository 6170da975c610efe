"""Two networks that must agree on a language: one sees an object, the other hears two symbols of it.

    python examples/signalling_game.py --out signalling_game.png

An object has a shape and a colour, one of five each. The sender says two symbols of an alphabet of eight,
drawn by straight-through Gumbel-Softmax at a falling temperature; the receiver names the object. Nobody tells
them what a symbol means. The picture shows what they came to mean by the end, and how often the object was
understood on the way, beside REINFORCE with a moving average, which learns the sender from right or wrong
alone. Two figures tell of the language: the bits of a message about its object, and topographic similarity,
the correlation of how far apart two objects are (features) and their messages (symbols): 1 for a language of
which each symbol names one feature, about 0 for words by chance.
"""

import argparse

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import one_hot

import softdraw as sd

KINDS, SYMBOLS, PLACES, BATCH = 5, 8, 2, 64
OBJECTS = torch.cartesian_prod(torch.arange(KINDS), torch.arange(KINDS))  # [25, 2]: shape and colour


class Game(nn.Module):
    def __init__(self, tau: sd.schedules.Schedule) -> None:
        super().__init__()
        self.sender = nn.Sequential(nn.Linear(2 * KINDS, 64), nn.ReLU(), nn.Linear(64, PLACES * SYMBOLS))
        self.receiver = nn.Sequential(nn.Linear(PLACES * SYMBOLS, 64), nn.ReLU(), nn.Linear(64, 2 * KINDS))
        self.pathwise = sd.estimators.get("st-gumbel-softmax", tau=tau)
        self.score = sd.estimators.get("reinforce")

    def logits(self, objects: Tensor) -> Tensor:
        seen = one_hot(objects, KINDS).float().flatten(1)
        return self.sender(seen).unflatten(1, (PLACES, SYMBOLS))

    def cost(self, message: Tensor, objects: Tensor) -> Tensor:  # nats of both features, [..., batch]
        guess = self.receiver(message.flatten(-2)).unflatten(-1, (2, KINDS)).log_softmax(-1)
        return -(guess * one_hot(objects, KINDS)).sum((-1, -2))

    def loss(self, objects: Tensor, key: sd.Key, pathwise: bool) -> Tensor:
        logits = self.logits(objects)
        if pathwise:
            return self.cost(self.pathwise(logits, key=key), objects).mean()
        return self.score.expectation(lambda said: self.cost(said, objects), logits, key=key).mean()

    @torch.no_grad()
    def understood(self) -> tuple[float, Tensor]:  # share of objects, and their messages [25, places]
        message = self.logits(OBJECTS).argmax(-1)
        said = one_hot(message, SYMBOLS).float().flatten(1)
        guess = self.receiver(said).unflatten(-1, (2, KINDS)).argmax(-1)
        return float((guess == OBJECTS).all(1).float().mean()), message


def language(message: Tensor) -> tuple[float, float]:
    """Bits that ``[25, places]`` messages tell about their objects, and topographic similarity."""
    share = message.unique(dim=0, return_counts=True)[1] / len(message)
    pairs = torch.combinations(torch.arange(len(OBJECTS)))
    apart = [(x[pairs[:, 0]] != x[pairs[:, 1]]).sum(1).float() for x in (OBJECTS, message)]
    return float(-(share * share.log2()).sum()), float(torch.corrcoef(torch.stack(apart))[0, 1])


def train(pathwise: bool, steps: int, seed: int) -> tuple[Game, list[float]]:
    torch.manual_seed(seed)
    tau = sd.schedules.Exponential(start=2.0, floor=0.5, rate=2.0 / steps)
    game, right = Game(tau), []
    optimizer = torch.optim.Adam(game.parameters(), lr=5e-3)
    for step in range(steps):
        objects = OBJECTS[torch.randint(len(OBJECTS), (BATCH,))]
        loss = game.loss(objects, sd.Key(seed).fold_in(step), pathwise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tau.step()
        if step % 20 == 19:
            right.append(game.understood()[0])
    return game, right


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    for name, default in (("--out", ""), ("--steps", 800), ("--seeds", 2)):
        parser.add_argument(name, type=type(default), default=default)
    args = parser.parse_args(argv)
    figures, curves, messages = {}, {}, {}
    for way in ("pathwise", "score"):
        runs = [train(way == "pathwise", args.steps, seed) for seed in range(args.seeds)]
        curves[way] = torch.tensor([right for _, right in runs])
        messages[way] = [game.understood()[1] for game, _ in runs]
        bits, alike = torch.tensor([language(message) for message in messages[way]]).unbind(1)
        right = curves[way][:, -1]
        figures |= {way: float(right.mean()), f"{way}, bits": float(bits.mean())}
        figures[f"{way}, topographic similarity"] = float(alike.mean())
        print(f"{way:8} understood {right.mean():.2f} ({right.min():.2f} to {right.max():.2f}),", end=" ")
        print(f"{bits.mean():.2f} of 4.64 bits, topographic similarity {alike.mean():.2f}")
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for (way, curve), colour in zip(curves.items(), ("#2f6db3", "#d2691e"), strict=True):
            left.plot(range(20, args.steps + 1, 20), curve.mean(0), color=colour, label=way)
        left.set(xlabel="steps", ylabel="objects understood", ylim=(0, 1.02))
        left.legend(frameon=False)
        table = messages["pathwise"][0].view(KINDS, KINDS, PLACES)
        right.imshow(table[..., 0].tolist(), cmap="Set3", vmin=0, vmax=11)
        for shape in range(KINDS):
            for colour in range(KINDS):
                word = "".join("abcdefgh"[symbol] for symbol in table[shape, colour])
                right.text(colour, shape, word, ha="center", va="center")
        right.set(
            xlabel="colour", ylabel="shape", xticks=range(KINDS), yticks=range(KINDS), title="what is said"
        )
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
