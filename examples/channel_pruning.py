"""Prune the channels of a convolutional network with hard Concrete gates, on scikit-learn's 8 x 8 digits.

    python examples/channel_pruning.py --out channel_pruning.png

Each channel of two layers is multiplied by a gate that learns to close: the loss has a weight times the
expected number of open gates (Louizos et al. 2018). Then closed channels are cut out of the weights, which
leaves a smaller network of the same output. Prints for each weight the channels kept, the accuracy on test
images, and that of a network which had so many channels from the start.
"""

import argparse

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn

import softdraw as sd

WIDTHS, BATCH = (16, 32), 64
WEIGHTS = (0.0, 0.02, 0.05, 0.1)


class Network(nn.Module):
    """Two convolutions and a linear layer; with `gated=True` a gate for each channel."""

    def __init__(self, first: int, second: int, gated: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Conv2d(1, first, 3, padding=1), nn.Conv2d(first, second, 3, stride=2)]
        )
        self.head = nn.Linear(second, 10)
        widths = (first, second) if gated else ()
        self.gates = nn.ModuleList(sd.nn.HardConcreteGate((width, 1, 1), initial=0.9) for width in widths)

    def forward(self, x: Tensor, key: sd.Key | None = None) -> Tensor:
        for place, layer in enumerate(self.layers):
            x = layer(x).relu()
            if self.gates:
                x = self.gates[place](x, key=key and key.fold_in(place))
        return self.head(x.amax((2, 3)))


def cut(network: Network) -> Network:
    """The network without its closed channels, what gates pass on in eval mode folded into the weights."""
    gates = [gate.gates().flatten() for gate in network.gates]
    kept = [gate.nonzero().flatten() for gate in gates]
    small = Network(*map(len, kept))
    weights = network.state_dict()
    for place in (0, 1):  # a gate is not negative, so that it may multiply before relu as well as after
        for name in (f"layers.{place}.weight", f"layers.{place}.bias"):
            weights[name] = torch.einsum("c...,c->c...", weights[name], gates[place])[kept[place]]
    weights["layers.1.weight"] = weights["layers.1.weight"][:, kept[0]]
    weights["head.weight"] = weights["head.weight"][:, kept[1]]
    small.load_state_dict({name: weights[name] for name in small.state_dict()})
    return small


def fit(network: Network, images: Tensor, digits: Tensor, weight: float, steps: int, key: sd.Key) -> Network:
    others = [*network.layers.parameters(), *network.head.parameters()]
    gates = {"params": [*network.gates.parameters()], "lr": 0.1}
    optimizer = torch.optim.Adam([{"params": others}, gates], lr=5e-3)
    for step in range(steps):
        batch = torch.randint(len(images), (BATCH,))
        loss = nn.functional.cross_entropy(network(images[batch], key.fold_in(step)), digits[batch])
        loss = loss + min(1.0, 2 * step / steps) * weight * sum(gate.penalty() for gate in network.gates)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def accuracy(network: Network, images: Tensor, digits: Tensor) -> float:
    with torch.no_grad():
        return float((network(images).argmax(1) == digits).float().mean())


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help="file of the picture")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    data = load_digits()
    images, digits = torch.from_numpy(data.images).float().unsqueeze(1) / 16, torch.from_numpy(data.target)
    train, test = (images[:1300], digits[:1300]), (images[1300:], digits[1300:])
    figures, rows = {}, []
    for weight in WEIGHTS:
        torch.manual_seed(args.seed)
        gated = fit(Network(*WIDTHS, gated=True), *train, weight, args.steps, sd.Key(args.seed))
        small = cut(gated)
        kept = [len(layer.weight) for layer in small.layers]
        fresh = fit(Network(*kept), *train, 0.0, args.steps, sd.Key(args.seed))
        rows.append((sum(kept), accuracy(small, *test), accuracy(fresh, *test)))
        print(
            f"weight {weight:<6g} channels {kept[0]:2d} + {kept[1]:2d}, test accuracy {rows[-1][1]:.3f}, "
            f"of a network made that small {rows[-1][2]:.3f}"
        )
        figures |= {f"channels at {weight:g}": rows[-1][0], f"accuracy at {weight:g}": rows[-1][1]}
    if args.out:
        figure = Figure(figsize=(8, 4), layout="constrained")
        ax = figure.subplots()
        for place, label, colour in (
            (1, "gates that close", "#2f6db3"),
            (2, "as small from the start", "#d2691e"),
        ):
            ax.plot([row[0] for row in rows], [row[place] for row in rows], "o-", color=colour, label=label)
        ax.set(xlabel=f"channels kept, of {sum(WIDTHS)}", ylabel="accuracy on test images")
        ax.legend(frameon=False)
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
