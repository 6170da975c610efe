"""Measure gradient estimators on your own problem, and train with the one that the measurement advises.

    python examples/choosing_an_estimator.py --out choosing_an_estimator.png

Eight jobs go to three machines; a schedule costs the squared overtime of each. `sd.diagnostics.compare`
measures bias and variance of several gradients of the expected cost, `advise` ranks them. It is asked as it
matters in a training: at logits that the default, straight-through Gumbel-Softmax, has been at work on (bias
comes late), and for the budget of a whole training (noise averages out over steps, bias does not). Then
the logits are trained with the advised gradient and with the default, at eight costs a step each. All 6,561
schedules can be visited, so the expected cost that is shown is exact.
"""

import argparse

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import one_hot

import softdraw as sd

JOBS, MACHINES, BUDGET, STEPS = 8, 3, 8, 100
DEFAULT = "st-gumbel-softmax"
#: each costs one evaluation a draw
NAMES = ("gumbel-softmax", DEFAULT, "st", "reinmax", "gumbel-rao", "rloo", "unordered-set")
HOURS = 1 + 4 * sd.random.uniform((JOBS,), key=sd.Key(0))


def cost(z: Tensor) -> Tensor:
    """Of schedules, one-hot rows ``[S, jobs, machines]``: ``[S]``."""
    hours = torch.einsum("sjm,j->sm", z, HOURS)
    return (hours - HOURS.sum() / MACHINES).relu().square().sum(-1)


def train(name: str, tau: float | None, steps: int, key: sd.Key) -> tuple[Tensor, list[float]]:
    """The logits, and the exact expected cost of every fifth step of Adam."""
    estimator = sd.estimators.get(name, samples=BUDGET, **({} if tau is None else {"tau": tau}))
    logits, curve = torch.zeros(JOBS, MACHINES, requires_grad=True), []
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for step in range(steps + 1):
        if step % 5 == 0:
            curve.append(float(sd.diagnostics.exact_value(cost, logits.detach())))
        optimizer.zero_grad()
        estimator.expectation(cost, logits, key=key.fold_in(step)).backward()
        optimizer.step()
    return logits.detach(), curve


def main(argv: list[str] | None = None) -> dict[str, float]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", help="file of the picture")
    parser.add_argument("--runs", type=int, default=6, help="of each training")
    args = parser.parse_args(argv)
    key = sd.Key(100)
    logits, _ = train(DEFAULT, None, 60, key)
    compared = sd.diagnostics.compare(cost, logits, NAMES, draws=500, key=key, timing=False)
    print(compared)
    advice = sd.diagnostics.advise(
        cost, logits, evaluations=BUDGET * STEPS, estimators=NAMES, taus=(0.5, 1.0, 1.5), key=key
    )
    best = advice.best.measures
    print(f"advised for {advice.budget}: {best.estimator}, temperature {best.tau}")
    every = one_hot(torch.cartesian_prod(*[torch.arange(MACHINES)] * JOBS), MACHINES).float()
    figures = {"least": float(cost(every).min())}
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for label, name, tau, colour in (
        ("default", DEFAULT, None, "#d2691e"),
        ("advised", best.estimator, best.tau, "#2f6db3"),
    ):
        runs = torch.tensor([train(name, tau, STEPS, sd.Key(run))[1] for run in range(args.runs)])
        figures[label] = float(runs[:, -1].mean())
        print(f"{label} ({name}): expected cost {figures[label]:.2f}, the least is {figures['least']:.2f}")
        right.plot(BUDGET * torch.arange(0, STEPS + 1, 5), runs.T, color=colour, lw=0.8)
        right.plot([], color=colour, label=f"{label}: {name}")
    if args.out:
        for row in compared:
            left.errorbar(
                row.bias, row.variance, row.variance_error, row.bias_error, color="#2f6db3", fmt="o"
            )
            left.annotate(
                row.estimator, (row.bias, row.variance), (3, 4), textcoords="offset points", fontsize=8
            )
        left.set(xlim=(-0.5, 7), xlabel="bias", ylabel="variance of one estimate")
        right.axhline(figures["least"], color="grey", lw=0.8, ls="--", label="the best schedule")
        right.set(xlabel="costs computed", ylabel="expected cost, exact")
        right.legend(frameon=False)
        figure.savefig(args.out, dpi=70)
    return figures


if __name__ == "__main__":
    main()
