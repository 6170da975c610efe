"""Feature selection by categorical choices."""

import torch
from torch import Tensor, nn

from softdraw.arguments import check_classes, read_count, wrong_value
from softdraw.estimators import Estimator
from softdraw.nn.choice import Choice, probabilities
from softdraw.nn.layer import ChoiceLayer
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.random.source import one_source
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule


class ConcreteSelector(ChoiceLayer):
    """Picks ``selected`` of ``features`` inputs, each by a categorical choice over all of them.

    The paper relaxes (``estimator="gumbel-softmax"``) and lowers the temperature from 10 to 0.01
    exponentially: ``tau=Exponential(10.0, 0.01, rate=math.log(1000) / steps)``.

    Reference:
        Abid, Balin and Zou, Concrete Autoencoders for Differentiable Feature Selection and Reconstruction,
        ICML 2019.

    Args:
        features: number of inputs, >= 1.
        selected: number of outputs, >= 1; two of them may pick the same input (see ``duplicates``).
        tau: a float, a 0-dim tensor or a schedule; None takes the estimator's own default.
        estimator: a name or an object, straight-through Gumbel-Softmax by default.
        per_example: draw another choice for every example of the batch instead of one a forward pass.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: where the parameters are made.
        dtype: that of the parameters.

    Raises:
        TypeError: a size that is no int, or as ``Choice``.
        ValueError: a size below 1, or as ``Choice``.

    Shapes:
        ``[*batch, features]`` to ``[*batch, selected]``.

    Example:
        The one informative feature of five is found:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(256, 5)
        >>> layer = sd.nn.ConcreteSelector(5, 1, tau=1.0, per_example=True)
        >>> optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        >>> for step in range(100):
        ...     loss = (layer(x, key=sd.Key(0).fold_in(step))[:, 0] - x[:, 3]).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> layer.selection()
        tensor([3])
    """

    def __init__(
        self,
        features: int,
        selected: int,
        *,
        tau: float | Tensor | Schedule | None = None,
        estimator: str | Estimator = "st-gumbel-softmax",
        per_example: bool = False,
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.features, self.selected = (
            read_count("features", features, 1),
            read_count("selected", selected, 1),
        )
        self.per_example = per_example
        self.choice = Choice(estimator, tau, group=group)
        self.logits = nn.Parameter(torch.empty(self.selected, self.features, device=device, dtype=dtype))
        self.reset_parameters()

    def forward(
        self, x: Tensor, *, key: Key | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """The chosen features: a mixture of them where the estimator returns soft rows.

        Args:
            x: ``[*batch, features]``.
            key: the noise.
            generator: where to take a fresh key from.

        Raises:
            TypeError: ``x`` is no dense tensor of float16, bfloat16, float32 or float64, or ``key`` or
                ``generator`` of another type.
            ValueError: ``x`` has another last dimension, or both ``key`` and ``generator``.
        """
        if is_symbol(x):
            return record_module(self, x, key=key, generator=generator)  # type: ignore[no-any-return]
        check_classes("x", x, "[*batch, features]")
        if key is not None or generator is not None:
            one_source(key, generator)
        if x.shape[-1] != self.features:
            raise wrong_value("x", x, f"shape [*batch, {self.features}]")
        if not self.training:
            return x.index_select(-1, self.selection())
        batch = x.shape[:-1] if self.per_example else ()
        rows = self.choice(self.logits.expand(*batch, -1, -1), key=key, generator=generator).to(x.dtype)
        return (rows @ x.unsqueeze(-1)).squeeze(-1)  # type: ignore[no-any-return]

    def selection(self) -> Tensor:
        """The most probable feature of each output: int64 ``[selected]``; what eval mode picks."""
        return self.logits.argmax(-1)

    def duplicates(self) -> int:
        """How many outputs pick a feature that another output picks already."""
        return self.selected - len(set(self.selection().tolist()))

    def certainty(self) -> Tensor:
        """Mean of the largest probability of each choice, ``[]``: near 1 when the selection is made."""
        return probabilities(self.logits, None).amax(-1).mean()

    def reset_parameters(self) -> None:
        """Glorot-normal logits, as in the paper's code; reset a learned temperature."""
        nn.init.xavier_normal_(self.logits)
        self.choice.reset_parameters()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"features={self.features}, selected={self.selected}, per_example={self.per_example}"
