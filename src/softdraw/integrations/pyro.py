"""softdraw's distributions for ``pyro.sample``."""

from softdraw import distributions

try:
    from pyro.distributions.torch_distribution import TorchDistributionMixin
except ImportError as error:
    raise ImportError("softdraw.integrations.pyro needs Pyro: pip install 'softdraw[pyro]'") from error

__all__ = [
    "Categorical",
    "ExpRelaxedCategorical",
    "HardConcrete",
    "LogitRelaxedBernoulli",
    "OneHotCategorical",
    "RelaxedBernoulli",
    "RelaxedBernoulliStraightThrough",
    "RelaxedOneHotCategorical",
    "RelaxedOneHotCategoricalStraightThrough",
]


class RelaxedOneHotCategorical(distributions.RelaxedOneHotCategorical, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.RelaxedOneHotCategorical`` for ``pyro.sample``.

    Example:
        >>> import torch, pyro
        >>> from softdraw.integrations.pyro import RelaxedOneHotCategorical
        >>> pyro.sample("z", RelaxedOneHotCategorical(0.5, logits=torch.zeros(4))).shape
        torch.Size([4])
    """


class RelaxedOneHotCategoricalStraightThrough(
    distributions.RelaxedOneHotCategoricalStraightThrough,
    TorchDistributionMixin,  # type: ignore[misc]
):
    """``softdraw.distributions.RelaxedOneHotCategoricalStraightThrough`` for ``pyro.sample``.

    Takes the place of Pyro's class of this name, whose samples lose their relaxed value in ``clone``.
    """


class ExpRelaxedCategorical(distributions.ExpRelaxedCategorical, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.ExpRelaxedCategorical`` for ``pyro.sample``."""


class RelaxedBernoulli(distributions.RelaxedBernoulli, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.RelaxedBernoulli`` for ``pyro.sample``."""


class RelaxedBernoulliStraightThrough(
    distributions.RelaxedBernoulliStraightThrough,
    TorchDistributionMixin,  # type: ignore[misc]
):
    """``softdraw.distributions.RelaxedBernoulliStraightThrough`` for ``pyro.sample``."""


class LogitRelaxedBernoulli(distributions.LogitRelaxedBernoulli, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.LogitRelaxedBernoulli`` for ``pyro.sample``."""


class HardConcrete(distributions.HardConcrete, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.HardConcrete`` for ``pyro.sample``."""


class Categorical(distributions.Categorical, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.Categorical`` for ``pyro.sample``."""


class OneHotCategorical(distributions.OneHotCategorical, TorchDistributionMixin):  # type: ignore[misc]
    """``softdraw.distributions.OneHotCategorical`` for ``pyro.sample``."""
