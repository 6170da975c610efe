"""A mixture of experts that finds out by itself which expert serves which part of the data.

    python examples/mixture_of_experts.py --out mixture_of_experts.png

Tokens come from six regimes, and in each another law leads to what is asked for; a noisy mark tells them
apart, and nobody says how many there are. `TopKGate` sends every token to one of six small networks, drawn
with Gumbel noise in training, and a loss keeps the load even. Its gradient counts what another choice would
have been worth ("midpoint"), or only how the weight of the choice should change ("probability"). Beside them:
one network that does as much work for a token as one expert does.
"""

import argparse
from collections.abc import Iterator

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import softdraw as sd

REGIMES, EXPERTS, SIZE, WIDTH, BATCH = 6, 6, 8, 8, 128
COLOURS = {"midpoint": "#2f6db3", "probability": "#4d9a5b", "one network": "#d2691e"}


class Tokens:
    """Marks, inputs and targets of tokens; each regime has a mark and a linear map of its own."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.marks, self.maps = self.normal(REGIMES, SIZE), self.normal(REGIMES, SIZE, 4) / SIZE**0.5

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        while True:
            regime = torch.randint(REGIMES, (size,), generator=self.generator)
            x = self.normal(size, SIZE)
            mark = self.marks[regime] + 0.3 * self.normal(size, SIZE)
            yield regime, mark, x, (x.unsqueeze(1) @ self.maps[regime]).squeeze(1)


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


def train(way: str, steps: int, seed: int) -> tuple[Mixture, list[float]]:
    torch.manual_seed(seed)
    model = Mixture(1, "") if way == "one network" else Mixture(EXPERTS, way)
    optimizer, errors = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for step, (_, mark, x, target) in zip(range(steps), Tokens().batches(BATCH), strict=False):
        value, _, uneven = model(mark, x, sd.Key(seed).fold_in(step))
        error = (value - target).square().mean()
        optimizer.zero_grad()
        (error + 0.01 * uneven).backward()
        optimizer.step()
        errors.append(error.item())
    return model.eval(), errors


@torch.no_grad()
def judge(model: Mixture) -> tuple[float, Tensor]:
    """Squared error on 6,000 tokens, and how many of each regime went to each expert."""
    regime, mark, x, target = next(Tokens().batches(6000))
    value, expert, _ = model(mark, x)
    table = torch.zeros(REGIMES, EXPERTS).index_put_((regime, expert), torch.ones(6000), accumulate=True)
    return float((value - target).square().mean()), table


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    for name, default in (("--out", ""), ("--steps", 800), ("--seeds", 1)):
        parser.add_argument(name, type=type(default), default=default)
    args = parser.parse_args(argv)
    figures, curves, tables = {}, {}, {}
    for way in COLOURS:
        runs = [train(way, args.steps, seed) for seed in range(args.seeds)]
        found = [judge(model) for model, _ in runs]
        curves[way] = torch.tensor([errors for _, errors in runs]).mean(0)
        tables[way] = found[0][1]
        figures[f"{way}, error"] = sum(error for error, _ in found) / args.seeds
        alone = [
            float(table.amax(1).sum() / table.sum()) for _, table in found
        ]  # in their regime's usual expert
        figures[f"{way}, specialised"] = sum(alone) / args.seeds
        print(f"{way:12} error {figures[f'{way}, error']:.3f}")
    print("tokens of each regime (rows) by expert, midpoint:", tables["midpoint"].int().tolist())
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for way, colour in COLOURS.items():
            left.plot(
                range(50, args.steps + 1, 25), curves[way].unfold(0, 50, 25).mean(1), color=colour, label=way
            )
        left.set(xlabel="steps", ylabel="squared error", yscale="log")
        left.legend(frameon=False)
        right.imshow(tables["midpoint"].tolist(), cmap="Blues")
        right.set(xlabel="expert", ylabel="regime", title="where tokens go (midpoint)")
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
