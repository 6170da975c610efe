"""Draw docs/images/distributions.png: how wrong log_prob(rsample()) is, and what the densities look like.

Run it to print the numbers that docs/distributions.md quotes.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import softdraw as sd

OUT = Path(__file__).parent.parent / "images" / "distributions.png"
TAUS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1e1, 1e2, 1e4, 1e6, 1e8, 1e10]
CLASSES, DRAWS = 20, 20_000
BAR = 1e-4


def wrong_shares() -> tuple[list[float], list[float], list[float]]:
    """Shares of samples with a non-finite density by torch, a wrong one, and a wrong one by softdraw."""
    logits = torch.randn(CLASSES, generator=torch.Generator().manual_seed(0))
    infinite, wrong, ours = [], [], []
    for tau in TAUS:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            heat = torch.tensor(tau)
            theirs = torch.distributions.RelaxedOneHotCategorical(heat, logits=logits, validate_args=False)
            uniforms = torch.rand(DRAWS, CLASSES).clamp(torch.finfo().eps, 1 - torch.finfo().eps)
        # What torch's rsample computes from these uniforms, and the same in extended precision.
        noise = -(-(uniforms.log())).log()
        value = ((logits.log_softmax(-1) + noise) / tau).log_softmax(-1).exp()
        log_prob = theirs.log_prob(value)
        exact = torch.from_numpy(density(logits, noise, tau))
        infinite.append((~log_prob.isfinite()).double().mean().item())
        wrong.append((~((log_prob.double() - exact).abs() <= BAR * exact.abs())).double().mean().item())
        d = sd.distributions.RelaxedOneHotCategorical(tau, logits=logits)
        key = sd.Key(0)
        drawn = sd.random.gumbel((CLASSES,), sample_shape=(DRAWS,), key=key)
        exact = torch.from_numpy(density(logits, drawn, tau))
        error = (d.log_prob(d.rsample((DRAWS,), key=key)).double() - exact).abs()
        ours.append((~(error <= BAR * exact.abs())).double().mean().item())
        print(f"tau {tau:g}: torch {infinite[-1]:.2%} not finite, {wrong[-1]:.2%} wrong", end="; ")
        print(f"softdraw {ours[-1]:.2%} wrong")
    return infinite, wrong, ours


def density(logits: torch.Tensor, noise: torch.Tensor, tau: float) -> np.ndarray:
    """Log density at the point that the noise makes, in extended precision."""
    a, g = logits.double().numpy().astype(np.longdouble), noise.double().numpy().astype(np.longdouble)
    x = (a + g) / np.longdouble(tau)
    log_y = x - x.max(-1, keepdims=True)
    log_y = log_y - np.log(np.exp(log_y).sum(-1, keepdims=True))
    t = -g
    top = t.max(-1, keepdims=True)
    total = np.log(np.exp(t - top).sum(-1)) + top[:, 0]
    n = a.shape[-1]
    log_factorial = np.longdouble(torch.lgamma(torch.tensor(float(n), dtype=torch.float64)).item())
    value = log_factorial + (n - 1) * np.log(np.longdouble(tau)) + t.sum(-1) - n * total - log_y.sum(-1)
    return value.astype(np.float64)


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    infinite, wrong, ours = wrong_shares()
    left.plot(TAUS, wrong, "o-", label="torch, off by > 1e-4")
    left.plot(TAUS, infinite, "x--", label="torch, not finite")
    left.plot(TAUS, ours, "s-", label="softdraw, off by > 1e-4")
    left.set_xscale("log")
    left.set_xlabel("temperature")
    left.set_ylabel("share of own samples")
    left.set_title(f"log_prob(rsample()), float32, {CLASSES} classes", fontsize=9)
    left.legend(fontsize=7)
    y = torch.linspace(0.001, 0.999, 999)
    for tau in (0.3, 0.7, 1.0, 3.0):
        d = sd.distributions.RelaxedBernoulli(tau, logits=torch.tensor(0.5))
        middle.plot(y, d.log_prob(y).exp(), label=f"temperature {tau:g}")
    middle.set_ylim(0, 4)
    middle.set_xlabel("y")
    middle.set_title("RelaxedBernoulli, logit 0.5", fontsize=9)
    middle.legend(fontsize=7)
    for logit in (-2.0, 0.0, 2.0):
        gate = sd.distributions.HardConcrete(2 / 3, logits=torch.tensor(logit))
        z = gate.sample((100_000,), key=sd.Key(1))
        right.hist(
            z.numpy(),
            bins=np.linspace(-0.0125, 1.0125, 42),
            histtype="step",
            density=True,
            label=f"logit {logit:g}",
        )
    right.set_xlabel("gate")
    right.set_title("HardConcrete: atoms at 0 and 1", fontsize=9)
    right.legend(fontsize=7)
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
