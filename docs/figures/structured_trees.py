"""Draw docs/images/structured-trees.png: determinants and elimination, two laws, and how long a walk takes.

Run it to print the numbers that docs/structured-trees.md quotes.
"""

import itertools
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "structured-trees.png"
SCALES = [1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 200.0]
GRAPHS, VERTICES = 500, 5


def graphs(scale: float, count: int = GRAPHS) -> Tensor:
    """Symmetric logits of normal numbers with this standard deviation."""
    values = torch.randn(count, VERTICES, VERTICES, generator=torch.Generator().manual_seed(0)).double()
    upper = (values * scale).float().double().triu(1)
    return upper + upper.mT


def exact(logits: Tensor) -> Tensor:
    """Marginals by a sum over all trees, in float64."""
    every = sd.structured.SpanningTree(logits[0]).enumerate_support().double()
    scores = torch.einsum("bij,sij->bs", logits, every) / 2
    return torch.einsum("bs,sij->bij", scores.softmax(-1), every)


def by_determinant(logits: Tensor, dtype: torch.dtype) -> Tensor:
    """The gradient of the log determinant of a Laplacian, after the usual subtraction of the maximum."""
    x = (logits - logits.amax((-2, -1), keepdim=True)).to(dtype).requires_grad_()
    weights = x.exp() * (1 - torch.eye(VERTICES, dtype=dtype))
    laplacian = torch.diag_embed(weights.sum(-1)) - weights
    slopes = []
    for one in laplacian[:, 1:, 1:]:
        try:
            slopes.append(torch.autograd.grad(torch.linalg.slogdet(one)[1], x, retain_graph=True)[0].sum(0))
        except RuntimeError:  # singular
            slopes.append(torch.full((VERTICES, VERTICES), torch.nan))
    slope = torch.stack(slopes)
    return (slope + slope.mT).double()


def wrong_shares() -> dict[str, list[float]]:
    """Shares of graphs with a marginal that is wrong by more than 1e-2, or not a number."""
    shares: dict[str, list[float]] = {
        "determinant, float32": [],
        "determinant, float64": [],
        "softdraw, float32": [],
    }
    for scale in SCALES:
        logits = graphs(scale)
        truth = exact(logits)
        ours = sd.structured.SpanningTree(logits.float()).marginals.double()
        for name, value in zip(
            shares,
            (by_determinant(logits, torch.float32), by_determinant(logits, torch.float64), ours),
            strict=True,
        ):
            shares[name].append((~((value - truth).abs().amax((-2, -1)) <= 1e-2)).double().mean().item())
        worst = (ours - truth).abs().max().item()
        print(
            f"scale {scale:g}:",
            *(f"{k} {v[-1]:.1%};" for k, v in shares.items()),
            f"ours at most {worst:.1e}",
        )
    return shares


def walk_steps(logits: Tensor, limit: int = 200_000) -> int:
    """How many steps a loop-erased random walk (Wilson) takes to make one tree."""
    generator = torch.Generator().manual_seed(0)
    step = logits.masked_fill(torch.eye(VERTICES, dtype=torch.bool), -torch.inf).softmax(-1)
    draws = torch.multinomial(step, limit // VERTICES, replacement=True, generator=generator).tolist()
    visits, tree, steps = [0] * VERTICES, {0}, 0
    for start in range(1, VERTICES):
        after, vertex = {}, start
        while vertex not in tree:
            if visits[vertex] == len(draws[vertex]):
                return limit
            after[vertex] = draws[vertex][visits[vertex]]
            visits[vertex] += 1
            steps += 1
            vertex = after[vertex]
        vertex = start
        while vertex not in tree:
            tree.add(vertex)
            vertex = after[vertex]
    return steps


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for (name, share), mark in zip(wrong_shares().items(), ("x--", "o--", "s-"), strict=True):
        left.plot(SCALES, share, mark, label=name)
    left.set_xscale("log")
    left.set_xlabel("standard deviation of the logits")
    left.set_ylabel("share of graphs")
    left.set_title("marginals wrong by more than 0.01 (5 vertices)", fontsize=9)
    left.legend(fontsize=7)

    logits = torch.full((3, 3), 0.0)
    logits[0, 1] = logits[1, 0] = torch.tensor(10.0).log()
    d = sd.structured.SpanningTree(logits)
    best = d.relax(hard=True, sample_shape=(200_000,), key=sd.Key(0)).mean(0)
    drawn = d.sample((200_000,), key=sd.Key(0)).mean(0)
    edges = list(itertools.combinations(range(3), 2))
    for shift, (name, value) in enumerate(
        (("marginals", d.marginals), ("sample()", drawn), ("best tree under noise", best))
    ):
        heights = [value[edge].item() for edge in edges]
        print(name, heights)
        middle.bar([i + 0.27 * (shift - 1) for i in range(3)], heights, width=0.25, label=name)
    middle.set_xticks(range(3), ["weight 10", "weight 1", "weight 1"])
    middle.set_ylim(0.4, 1.05)
    middle.set_title("how often an edge of a triangle is taken", fontsize=9)
    middle.legend(fontsize=7)

    scales = [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    steps = [sorted(walk_steps(one) for one in graphs(scale, 200)) for scale in scales]
    for name, at in (("median", 100), ("9 of 10 take less", 180)):
        right.plot(scales, [one[at] for one in steps], "o-", label=f"random walk, {name}")
        print(name, [one[at] for one in steps])
    right.plot(scales, [VERTICES - 1] * len(scales), "s-", label="softdraw: choices, one a vertex")
    right.set_yscale("log")
    right.set_xlabel("standard deviation of the logits")
    right.set_title("steps for one exact draw (5 vertices)", fontsize=9)
    right.legend(fontsize=7)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
