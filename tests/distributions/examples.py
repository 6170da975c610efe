"""One example of every distribution: a new one joins the tests of what all of them promise by one line."""

from collections.abc import Callable

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
