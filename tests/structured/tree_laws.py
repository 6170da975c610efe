"""The laws of trees, chains and matchings for the list of ``laws.py``, with oracles that enumerate."""

import itertools
from typing import Any

import torch
from torch import Tensor

import softdraw as sd

WIDE = torch.float64


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=WIDE)


def symmetric(*shape: int, seed: int = 0) -> Tensor:
    values = normal(*shape, seed=seed)
    return values + values.mT


def arborescences(n: int, root: int = 0) -> Tensor:
    """All ``[n^(n-2), n, n]``: each vertex but the root has a parent, and all are reached from the root."""
    others = [v for v in range(n) if v != root]
    found = []
    for parents in itertools.product(range(n), repeat=n - 1):
        of = dict(zip(others, parents, strict=True))
        seen = {root}
        for _ in others:
            seen |= {v for v in others if of[v] in seen}
        if len(seen) == n:
            edges = torch.zeros(n, n, dtype=WIDE)
            edges[[of[v] for v in others], others] = 1.0
            found.append(edges)
    return torch.stack(found)


def spanning_trees(n: int) -> Tensor:
    """All ``[n^(n-2), n, n]``: the sets of n - 1 edges that join every two vertices."""
    found = []
    for chosen in itertools.combinations(itertools.combinations(range(n), 2), n - 1):
        group = list(range(n))
        for i, j in chosen:
            group = [group[i] if g == group[j] else g for g in group]
        if len(set(group)) == 1:
            tree = torch.zeros(n, n, dtype=WIDE)
            for i, j in chosen:
                tree[i, j] = tree[j, i] = 1.0
            found.append(tree)
    return torch.stack(found)


def paths(steps: int, states: int) -> Tensor:
    """All ``[K^T, T, K]``."""
    return torch.tensor(
        [
            [[float(s == k) for k in range(states)] for s in path]
            for path in itertools.product(range(states), repeat=steps)
        ],
        dtype=WIDE,
    )


def matchings(n: int, m: int) -> Tensor:
    """All ``[*, n, m]`` in which each row has a column of its own, or each column a row."""
    if n > m:
        return matchings(m, n).mT.contiguous()
    found = torch.zeros(0, n, m, dtype=WIDE)
    for columns in itertools.permutations(range(m), n):
        one = torch.zeros(1, n, m, dtype=WIDE)
        one[0, range(n), columns] = 1.0
        found = torch.cat((found, one))
    return found


def products(structures: Tensor, logits: Tensor) -> Tensor:
    """Sum of the logits of the entries that a structure has, ``[count, batch]``; a 0 takes nothing."""
    taken = structures.bool().unsqueeze(1)
    return torch.where(taken, logits, 0.0).flatten(2).sum(-1)


def chain_scores(structures: Tensor, unary: Tensor, pairwise: Tensor) -> Tensor:
    pairs = structures[:, :-1, :, None] * structures[:, 1:, None, :]
    return products(structures, unary) + products(pairs, pairwise)


def _second_masked(n: int) -> Tensor:
    return torch.tensor([True, False])[:, None, None].expand(2, n, n)


def laws(make_law: Any) -> dict[str, Any]:
    """The laws by name; ``make_law`` is the class of ``laws.py``."""
    found = {}
    for n, root in ((4, 0), (3, 2), (1, 0)):
        found[f"Arborescence {n} from {root}"] = make_law(
            parameters=lambda seed, n=n: (normal(3, n, n, seed=seed),),
            make=lambda logits, root=root: sd.structured.Arborescence(logits, root),
            structures=arborescences(n, root),
            score=products,
            padded=lambda dtype, n=n: sd.structured.Arborescence(
                normal(2, n, n).to(dtype), mask=_second_masked(n)
            ),
        )
    for n in (4, 1):
        found[f"SpanningTree {n}"] = make_law(
            parameters=lambda seed, n=n: (symmetric(3, n, n, seed=seed),),
            make=sd.structured.SpanningTree,
            structures=spanning_trees(n),
            score=lambda structures, logits: products(structures, logits) / 2,
            padded=lambda dtype, n=n: sd.structured.SpanningTree(
                symmetric(2, n, n).to(dtype), mask=_second_masked(n)
            ),
        )
    for steps, states in ((3, 3), (1, 4), (4, 1)):
        found[f"Chain {steps} {states}"] = make_law(
            parameters=lambda seed, t=steps, k=states: (
                normal(3, t, k, seed=seed),
                normal(3, t - 1, k, k, seed=seed + 1),
            ),
            make=sd.structured.Chain,
            structures=paths(steps, states),
            score=chain_scores,
            padded=lambda dtype, t=steps, k=states: sd.structured.Chain(
                normal(2, t, k).to(dtype), normal(k, k).to(dtype), torch.tensor([t, 0])
            ),
        )
    for n, m in ((3, 3), (2, 4), (3, 2), (1, 1)):
        found[f"Matching {n} {m}"] = make_law(
            parameters=lambda seed, n=n, m=m: (normal(3, n, m, seed=seed),),
            make=sd.structured.Matching,
            structures=matchings(n, m),
            score=products,
            padded=lambda dtype, n=n, m=m: sd.structured.Matching(
                normal(2, n, m).to(dtype), mask=torch.tensor([True, False])[:, None, None]
            ),
            coldest=0.0,  # Sinkhorn's iteration has no end near it
        )
    return found
