"""Choose features by a layer that learns to choose, where scoring them one at a time goes wrong.

    python examples/feature_selection.py --out feature_selection.png

Three of twelve features are wanted. One tells something of the class, and four noisy copies of it tell the
same again; two tell a lot together, by their product, and nothing alone. Mutual information with the class
takes copies. `ConcreteSelector` before a small network learns what features do together: of three trainings,
which do not all find it, the one of least loss is taken. Both choices are judged by a forest trained on the
chosen features alone, on examples that it has not seen.
"""

import argparse

import torch
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import mutual_info_classif
from torch import Tensor, nn

import softdraw as sd

PAIR, DIRECT, COPIES, FEATURES, SELECTED = (0, 1), 2, (3, 4, 5, 6), 12, 3


def draw(count: int) -> tuple[Tensor, Tensor]:
    """Features ``[count, 12]`` and classes ``[count]``."""
    x = torch.randn(count, FEATURES)
    for copy in COPIES:
        x[:, copy] = x[:, DIRECT] + 0.1 * torch.randn(count)
    log_odds = 4.0 * x[:, PAIR[0]] * x[:, PAIR[1]] + x[:, DIRECT]
    return x, (torch.rand(count) < log_odds.sigmoid()).long()


def learned(x: Tensor, y: Tensor, steps: int, key: sd.Key) -> tuple[float, list[int]]:
    """The loss without noise, and the features that the layer picks."""
    tau = sd.schedules.Exponential(5.0, 0.1, rate=4.0 / steps)
    selector = sd.nn.ConcreteSelector(FEATURES, SELECTED, estimator="gumbel-softmax", tau=tau)
    network = nn.Sequential(
        nn.Linear(SELECTED, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    optimizer.add_param_group({"params": selector.parameters(), "lr": 0.05})
    for step in range(steps):
        batch = torch.randint(len(x), (256,))
        loss = nn.functional.cross_entropy(network(selector(x[batch], key=key.fold_in(step))), y[batch])
        # two outputs that pick the same feature waste one: pay for what is picked more than once
        loss = loss + 0.2 * (selector.logits.softmax(1).sum(0) - 1).relu().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        selector.schedule.step()
    with torch.no_grad():
        loss = nn.functional.cross_entropy(network(selector.eval()(x)), y)
    return float(loss), selector.selection().tolist()


def accuracy(features: list[int], train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> float:
    forest = RandomForestClassifier(60, min_samples_leaf=10, random_state=0)
    forest.fit(train[0][:, features].numpy(), train[1].numpy())
    return float(forest.score(test[0][:, features].numpy(), test[1].numpy()))


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help="file of the picture")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args(argv)
    scores, found, hits = [], {"mutual information": [], "ConcreteSelector": [], "best": []}, 0
    for seed in range(args.seeds):
        torch.manual_seed(seed)
        train, test = draw(2000), draw(2000)
        scores.append(
            torch.from_numpy(mutual_info_classif(*(part.numpy() for part in train), random_state=0))
        )
        _, picked = min(learned(*train, args.steps, key) for key in sd.Key(seed).split(3))
        hits += set(PAIR) < set(picked) and not {DIRECT, *COPIES}.isdisjoint(picked)
        choices = scores[-1].topk(SELECTED).indices.tolist(), picked, [*PAIR, DIRECT]
        for name, features in zip(found, choices, strict=True):
            found[name].append(accuracy(features, train, test))
            print(f"seed {seed} {name:18} {sorted(features)} accuracy {found[name][-1]:.3f}")
    figures = {name: sum(values) / len(values) for name, values in found.items()} | {
        "found": hits / args.seeds
    }
    print("means:", figures)
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        colours = ["#4d9a5b"] * 2 + ["#2f6db3"] * 5 + ["grey"] * (FEATURES - 7)
        left.bar(range(FEATURES), torch.stack(scores).mean(0).numpy(), color=colours)
        left.set(xlabel="feature: a pair, one and its copies, noise", ylabel="mutual information, nats")
        for (name, values), colour in zip(found.items(), ("#d2691e", "#2f6db3", "grey"), strict=True):
            right.plot(range(args.seeds), values, "o", color=colour, label=name)
        right.set(xlabel="seed", ylabel="accuracy on new examples", xticks=range(args.seeds), ylim=(0.45, 1))
        right.legend(frameon=False)
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
