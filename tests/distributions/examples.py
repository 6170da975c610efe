"""One example of every distribution: a new one joins the tests of what all of them promise by one line."""

from collections.abc import Callable

import scipy.stats
import torch

from softdraw import distributions as D

LOGITS = torch.tensor([[0.5, -1.0, 2.0, 0.0], [1.0, 1.0, -3.0, 0.2], [0.0, 0.0, 0.0, 0.0]])
TAU = torch.tensor([0.3, 1.0, 2.5])

#: name -> a distribution of batch shape [3] and event shape [4], or of batch shape [3, 4], in a dtype
EXAMPLES: dict[str, Callable[[torch.dtype], torch.distributions.Distribution]] = {
    "RelaxedOneHotCategorical": lambda t: D.RelaxedOneHotCategorical(TAU.to(t), logits=LOGITS.to(t)),
    "RelaxedOneHotCategoricalStraightThrough": lambda t: D.RelaxedOneHotCategoricalStraightThrough(
        TAU.to(t), logits=LOGITS.to(t)
    ),
    "ExpRelaxedCategorical": lambda t: D.ExpRelaxedCategorical(TAU.to(t), logits=LOGITS.to(t)),
    "RelaxedBernoulli": lambda t: D.RelaxedBernoulli(TAU.to(t), logits=LOGITS.to(t)),
    "RelaxedBernoulliStraightThrough": lambda t: D.RelaxedBernoulliStraightThrough(
        TAU.to(t), logits=LOGITS.to(t)
    ),
    "LogitRelaxedBernoulli": lambda t: D.LogitRelaxedBernoulli(TAU.to(t), logits=LOGITS.to(t)),
    "HardConcrete": lambda t: D.HardConcrete(TAU.to(t), logits=LOGITS.to(t)),
    "Categorical": lambda t: D.Categorical(logits=LOGITS.to(t)),
    "OneHotCategorical": lambda t: D.OneHotCategorical(logits=LOGITS.to(t)),
}
DISCRETE = ("Categorical", "OneHotCategorical")
RELAXED = [name for name in EXAMPLES if name not in DISCRETE]
STRAIGHT_THROUGH = [name for name in RELAXED if "StraightThrough" in name]

#: One statistical test in a million fails by chance on a correct program; the keys are fixed, so none does.
FALSE_ALARM = 1e-6


def assert_frequencies(counts: torch.Tensor, probs: torch.Tensor) -> None:
    """Chi-square of counts against probabilities, at the stated false-alarm rate."""
    probs = probs.double() / probs.double().sum()
    possible = probs > 0
    assert counts[~possible].sum() == 0
    expected = probs[possible] * counts.sum()
    p_value = scipy.stats.chisquare(counts[possible].double().numpy(), expected.numpy()).pvalue
    assert p_value > FALSE_ALARM, (counts, expected)


def assert_same_law(left: torch.Tensor, right: torch.Tensor) -> None:
    """Two-sample Kolmogorov-Smirnov test, at the stated false-alarm rate."""
    p_value = scipy.stats.ks_2samp(left.flatten().numpy(), right.flatten().numpy()).pvalue
    assert p_value > FALSE_ALARM, p_value


def assert_mean(draws: torch.Tensor, expected: torch.Tensor) -> None:
    """z-test of the mean over dim 0: five standard errors, a rate of 6e-7 for each entry."""
    error = draws.double().std(0) / draws.shape[0] ** 0.5
    distance = (draws.double().mean(0) - expected).abs()
    assert (distance <= 5 * error + 1e-9).all(), (distance / error).max()
