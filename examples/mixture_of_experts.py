"""A mixture of experts that finds out by itself which expert serves which part of the data.

    python examples/mixture_of_experts.py --out mixture_of_experts.png

Tokens come from six regimes, and in each another law leads to what is asked for; a noisy mark tells them
apart, and nobody says how many there are. `TopKGate` sends every token to one of six small networks, drawn
with Gumbel noise in training, and a loss keeps the load even. Its gradient counts what another choice would
have been worth ("midpoint"), or only how the weight of the choice should change ("probability"). Beside them:
one network that does as much work for a token as one expert does. `--balance` weighs the loss of uneven load.
"""

import argparse
from collections.abc import Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import softdraw as sd

REGIMES, EXPERTS, SIZE, WIDTH, BATCH, TESTED = 6, 6, 8, 8, 128, 6000
COLOURS = {"midpoint": "#2f6db3", "probability": "#4d9a5b", "one network": "#d2691e"}


def tokens(size: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Batches of regimes, marks, inputs and targets; each regime has a mark and a linear map of its own."""
    law, generator = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    marks = torch.randn(REGIMES, SIZE, generator=law)
    maps = torch.randn(REGIMES, SIZE, 4, generator=law) / SIZE**0.5
    while True:
        regime = torch.randint(REGIMES, (size,), generator=generator)
        noise, x = torch.randn(2, size, SIZE, generator=generator)
        yield regime, marks[regime] + 0.3 * noise, x, (x.unsqueeze(1) @ maps[regime]).squeeze(1)


class Mixture(nn.Module):
    """``experts`` networks of one hidden layer, side by side, and a gate if there are several."""

    def __init__(self, experts: int, gradient: str) -> None:
        super().__init__()
        self.gate = sd.nn.TopKGate(SIZE, experts, k=1, gradient=gradient) if experts > 1 else None
        self.first = nn.Parameter(torch.randn(experts, 2 * SIZE, WIDTH) / (2 * SIZE) ** 0.5)
        self.second = nn.Parameter(torch.randn(experts, WIDTH, 4) / WIDTH**0.5)

    def forward(self, mark: Tensor, x: Tensor, key: sd.Key | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Values ``[batch, 4]``, the expert of each token, and what uneven load costs."""
        hidden = torch.einsum("bi,eij->bej", torch.cat((mark, x), 1), self.first).relu()
        each = torch.einsum("bej,ejk->bek", hidden, self.second)
        if self.gate is None:
            return each[:, 0], torch.zeros(len(x), dtype=torch.long), torch.zeros(())
        sent = self.gate(mark, key=key)
        return (sent.weights.unsqueeze(2) * each).sum(1), sent.indices[:, 0], sent.balance_loss


def train(way: str, steps: int, seed: int, balance: float) -> tuple[Mixture, list[float]]:
    torch.manual_seed(seed)
    model = Mixture(1, "") if way == "one network" else Mixture(EXPERTS, way)
    optimizer, errors = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for step, (_, mark, x, target) in zip(range(steps), tokens(BATCH, seed + 1), strict=False):
        value, _, uneven = model(mark, x, sd.Key(seed).fold_in(step))
        error = (value - target).square().mean()
        optimizer.zero_grad()
        (error + balance * uneven).backward()
        optimizer.step()
        errors.append(error.item())
    return model.eval(), errors


@torch.no_grad()
def judge(model: Mixture) -> tuple[Tensor, Tensor]:
    """Squared error on new tokens, and how many of each regime went to each expert."""
    regime, mark, x, target = next(tokens(TESTED, seed=1000))
    value, expert, _ = model(mark, x)
    table = (regime * EXPERTS + expert).bincount(minlength=REGIMES * EXPERTS).view(REGIMES, EXPERTS)
    return (value - target).square().mean(), table


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    for name, default in (("--out", ""), ("--steps", 800), ("--seeds", 1), ("--balance", 0.2)):
        parser.add_argument(name, type=type(default), default=default)
    args = parser.parse_args(argv)
    figures, curves, tables = {}, {}, {}
    for way in COLOURS:
        runs = [train(way, args.steps, seed, args.balance) for seed in range(args.seeds)]
        errors, tables[way] = map(torch.stack, zip(*(judge(model) for model, _ in runs), strict=True))
        curves[way] = torch.tensor([curve for _, curve in runs]).mean(0)
        print(f"{way:12} error {errors.mean():.3f}, by seed", " ".join(f"{error:.3f}" for error in errors))
        figures[f"{way}, error"] = float(errors.mean())
        if way != "one network":
            usual, busiest = tables[way].amax(2).sum(1) / TESTED, tables[way].sum(1).amax(1) / TESTED
            figures[f"{way}, specialised"] = float(usual.mean())
            figures[f"{way}, busiest"] = float(busiest.mean())
            print(f"{'':12} {usual.mean():.0%} of the tokens go where most of their regime go,", end=" ")
            print(f"{busiest.mean():.0%} to the busiest expert (even: {1 / EXPERTS:.0%})")
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for way, colour in COLOURS.items():
            mean = curves[way].unfold(0, 50, 25).mean(1)
            left.plot(range(50, args.steps + 1, 25), mean, color=colour, label=way)
        left.set(xlabel="steps", ylabel="squared error", yscale="log")
        left.legend(frameon=False)
        right.imshow(tables["midpoint"][0].tolist(), cmap="Blues")
        right.set(xlabel="expert", ylabel="regime", title="where tokens go (midpoint)")
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
