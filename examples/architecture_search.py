"""Differentiable architecture search: an operation for each edge of a cell, chosen by Gumbel-Softmax draws.

    python examples/architecture_search.py --out architecture_search.png

A cell has two inputs, signals, and two nodes that add up what comes along edges (DARTS, Liu et al. 2019).
Each of five edges is one of six operations, two of them with weights: 7,776 cells. The data come from a
hidden cell, so the right operations are known. Every example draws a cell of its own, soft at first, hard in
the end; weights and probabilities learn together. The best of three searches is kept, beside random cells.
"""

import argparse

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, max_pool1d, one_hot

import softdraw as sd

OPERATIONS = {  # of a signal [batch, 1, length] and the two filters of the edge
    "none": lambda h, narrow, wide: torch.zeros_like(h),
    "same": lambda h, narrow, wide: h,
    "average": lambda h, narrow, wide: avg_pool1d(h, 3, 1, 1),
    "maximum": lambda h, narrow, wide: max_pool1d(h, 3, 1, 1),
    "filter": lambda h, narrow, wide: conv1d(h, narrow, padding=1),
    "wide filter": lambda h, narrow, wide: conv1d(h, wide, padding=4, dilation=4),
}
EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # from input or node, to node
HIDDEN = (4, 3, 5, 1, 2)  # the operation of each edge in the cell that made the data
BATCH, LENGTH, NOISE = 48, 24, 0.1


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Parameter(0.5 * torch.randn(len(EDGES), 2, 1, 1, 3))

    def forward(self, x: Tensor, choice: Tensor) -> Tensor:
        """Signals ``[batch, 2, length]`` through the cells ``[batch, edges, operations]``."""
        nodes = [*x.split(1, 1), torch.zeros_like(x[:, :1]), torch.zeros_like(x[:, :1])]
        for edge, (start, end) in enumerate(EDGES):
            for number, operation in enumerate(OPERATIONS.values()):
                share = choice[:, edge, number, None, None]
                if share.any():
                    nodes[end] = nodes[end] + share * operation(nodes[start], *self.filters[edge])
        return nodes[3][:, 0]


def draw(truth: Cell, key: sd.Key) -> tuple[Tensor, Tensor]:
    """Signals, and what the hidden cell makes of them, with noise."""
    of_signals, of_noise = key.split()
    x = sd.random.logistic((BATCH, 2, LENGTH), key=of_signals)
    hidden = one_hot(torch.tensor(HIDDEN), len(OPERATIONS)).float().expand(BATCH, -1, -1)
    with torch.no_grad():
        return x, truth(x, hidden) + NOISE * sd.random.logistic((BATCH, LENGTH), key=of_noise)


def fit(truth: Cell, steps: int, seed: int, fixed: Tensor | None = None) -> tuple[Tensor, float]:
    """Probabilities of operations, by step, and the error of the cell chosen or of the `fixed` one."""
    torch.manual_seed(seed)
    cell, key = Cell(), sd.Key(seed)
    logits = torch.zeros(len(EDGES), len(OPERATIONS), requires_grad=True)
    tau = sd.schedules.Exponential(5.0, 0.1, rate=4.0 / steps)
    choice = sd.nn.GumbelSoftmax(tau, estimator="gumbel-softmax")
    optimizer = torch.optim.Adam([*cell.parameters(), logits], lr=0.04)
    curve = []
    for step in range(steps):
        of_data, of_draw = key.fold_in(step).split()
        x, y = draw(truth, of_data)
        rows = (logits if fixed is None else fixed).expand(BATCH, -1, -1)
        loss = (cell(x, choice(rows, key=of_draw) if fixed is None else rows) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tau.step()
        curve.append(logits.detach().softmax(-1))
    x, y = draw(truth, key.fold_in(steps))
    with torch.no_grad():  # eval mode takes the most probable operation
        error = (cell(x, choice.eval()(rows)) - y).square().mean()
    return torch.stack(curve), float(error)


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help="file of the picture")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args(argv)
    torch.manual_seed(100)
    truth, hidden, names = Cell(), torch.tensor(HIDDEN), list(OPERATIONS)
    errors, searches = {"found": [], "random": []}, []
    for seed in range(args.seeds):
        curve, error = fit(truth, args.steps, seed)
        found = curve[-1].argmax(-1)
        searches.append((error, int((found == hidden).sum()), curve))
        print(f"seed {seed}: {searches[-1][1]} of 5 right, error {error:.3f}: {[names[i] for i in found]}")
        cell = sd.gumbel_max(torch.zeros(len(EDGES), len(OPERATIONS)), key=sd.Key(seed).fold_in(args.steps))
        errors["found"].append(error)
        errors["random"].append(fit(truth, args.steps, seed, one_hot(cell, len(OPERATIONS)).float())[1])
    best, right, curve = min(searches, key=lambda search: search[0])
    figures = {"best": best, "right": right, "random": min(errors["random"])}
    print(f"best search and best random cell: {figures}; the noise alone: {NOISE**2 * torch.pi**2 / 3:.3f}")
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, other = figure.subplots(1, 2, width_ratios=[2, 1])
        for edge, (start, end) in enumerate(EDGES):
            label = f"{start} to {end}: {names[HIDDEN[edge]]}"
            left.plot(curve[:, edge, HIDDEN[edge]].numpy(), label=label)
        left.set(xlabel="step", ylabel="probability of the right operation", ylim=(0, 1.02))
        left.legend(frameon=False, fontsize=8)
        for place, (name, colour) in enumerate((("found", "#2f6db3"), ("random", "#d2691e"))):
            other.plot([place] * args.seeds, errors[name], "o", color=colour)
        other.set(yscale="log", xlim=(-0.5, 1.5), xticks=[0, 1], xticklabels=errors, ylabel="squared error")
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
