"""A graph network that learns which edges of a noisy graph to trust, by drawing three of twelve for each
node.

    python examples/edge_sampling.py --out edge_sampling.png

Every node has twelve neighbours, of which three matter: those whose edge features have the largest product of
their first two entries. What a node is to predict depends on the mean of these three. `drawn` gives each node
an exact draw of three edges from `sd.structured.Subset`, with the gradient of its marginals (SIMPLE);
`attention` mixes all twelve by a softmax of the same scores; `all edges` takes the plain mean. Nobody sees
which edges are true.
"""

import argparse

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import softdraw as sd

NODES, NEIGHBOURS, TRUE, WIDTH = 128, 12, 3, 8
WAYS = {"drawn": "#2f6db3", "attention": "#d2691e", "all edges": "#4d9a5b"}
WEIGHT = torch.randn(WIDTH, 4, generator=torch.Generator().manual_seed(0))  # of the law to be learned


def graph(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features of the nodes that each node hears, of its edges, its true edges, and its target."""
    features = torch.randn(NODES, WIDTH, generator=generator)
    heard = features[torch.randint(NODES, (NODES, NEIGHBOURS), generator=generator)]
    edges = torch.randn(NODES, NEIGHBOURS, 4, generator=generator)
    best = (edges[..., 0] * edges[..., 1]).topk(TRUE).indices
    true = torch.zeros(NODES, NEIGHBOURS).scatter(1, best, 1.0)
    mean = (true.unsqueeze(2) * heard).sum(1) / TRUE
    return heard, edges, true, (2 * mean @ WEIGHT).tanh()


class EdgeSampler(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.score = nn.Sequential(
            nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )
        self.read = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, 4))

    def edges(self, edges: Tensor, key: sd.Key | None) -> Tensor:
        """``[nodes, neighbours]``, whose rows sum to three; the likeliest edges without a key."""
        logits = self.score(edges).squeeze(-1)
        if self.way == "drawn":
            law = sd.structured.Subset(logits, TRUE)
            return law.mode if key is None else law.rsample(key=key)
        return TRUE * (logits if self.way == "attention" else torch.zeros_like(logits)).softmax(-1)

    def forward(self, heard: Tensor, edges: Tensor, key: sd.Key | None = None) -> Tensor:
        chosen = self.edges(edges, key)
        return self.read((chosen.unsqueeze(2) * heard).sum(1) / TRUE)


def train(way: str, steps: int, seed: int) -> tuple[EdgeSampler, list[float]]:
    torch.manual_seed(seed)
    model, generator, losses = EdgeSampler(way), torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        heard, edges, _, target = graph(generator)
        loss = (model(heard, edges, sd.Key(seed).fold_in(step)) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


@torch.no_grad()
def judge(model: EdgeSampler, graphs: int = 30) -> tuple[float, float]:
    """Squared error on new graphs, and the share of the three best edges that are true."""
    generator, errors, right = torch.Generator().manual_seed(1000), [], []
    for _ in range(graphs):
        heard, edges, true, target = graph(generator)
        errors.append((model(heard, edges) - target).square().mean())
        best = model.edges(edges, None).topk(TRUE).indices
        right.append(true.gather(1, best).mean())
    return float(torch.stack(errors).mean()), float(torch.stack(right).mean())


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    for name, default in (("--out", ""), ("--steps", 800), ("--seeds", 1)):
        parser.add_argument(name, type=type(default), default=default)
    args = parser.parse_args(argv)
    figures, curves = {}, {}
    for way in WAYS:
        runs = [train(way, args.steps, seed) for seed in range(args.seeds)]
        curves[way] = torch.tensor([losses for _, losses in runs]).mean(0)
        errors, true = torch.tensor([judge(model) for model, _ in runs]).unbind(1)
        figures |= {f"{way}, error": float(errors.mean()), f"{way}, true edges": float(true.mean())}
        print(
            f"{way:10} error {errors.mean():.3f}, true among its three best edges {true.mean():.2f};", end=""
        )
        print(" error by seed", " ".join(f"{error:.3f}" for error in errors))
    if args.out:
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for way, colour in WAYS.items():
            mean = curves[way].unfold(0, 40, 20).mean(1)
            left.plot(range(40, args.steps + 1, 20), mean, color=colour, label=way)
        left.set(xlabel="steps", ylabel="squared error")
        left.legend(frameon=False)
        right.bar(list(WAYS), [figures[f"{way}, true edges"] for way in WAYS], color=list(WAYS.values()))
        right.set(ylabel="true among the three best edges", ylim=(0, 1))
        figure.savefig(args.out, dpi=80)
    return figures


if __name__ == "__main__":
    main()
