"""A token drawn from a vocabulary by a hidden state, as its embedding."""

from typing import Any, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softdraw import estimators
from softdraw.arguments import check_floating, read_choice, read_count, read_mask, wrong_type, wrong_value
from softdraw.functional import gumbel_max
from softdraw.kernels.formulas import one_hot
from softdraw.nn.choice import Evaluation, one_hot_argmax, probabilities
from softdraw.random import Key
from softdraw.random.ranks import Group, Ranks
from softdraw.random.source import layer_key, one_source
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Adaptive, Learned, Schedule
from softdraw.schedules.temperature import Temperature
from softdraw.vocabulary import Mixture
from softdraw.vocabulary._mixing import mix
from softdraw.vocabulary.gumbel_softmax import MixtureEstimator


class Table(nn.Module):
    """Rows for classes that are no module's: a parameter to be shared, or a tensor that stays as it is.

    Args:
        rows: ``[classes, features]``.
    """

    weight: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        if isinstance(rows, nn.Parameter):
            self.weight = rows
        else:
            self.register_buffer("weight", rows)


class GumbelEmbedding(nn.Module):
    """The embedding of a token that the hidden state draws, through which gradients pass, without logits.

    In training ``softdraw.vocabulary.gumbel_softmax(hidden, weight, embedding, tau, hard)``, in eval mode the
    embedding of the most probable token. Tied weights stay tied: there is one parameter, with one gradient.

    Args:
        classes: V, for a table of the layer's own, which is weight and embedding; None beside ``weight``.
        features: d, beside ``classes``.
        weight: the head that gives the logits: an ``nn.Linear(d, V)``, whose bias is used, an
            ``nn.Embedding(V, d)``, a parameter ``[V, d]`` or a tensor that does not learn. It is shared, not
            copied.
        embedding: the rows that are mixed, where they are others: an ``nn.Embedding(V, e)``, a parameter or a
            tensor; None for those of ``weight``.
        tau: a float, a 0-dim tensor or a schedule (``Adaptive`` aside, which watches the gradient of logits
            that are not there); None takes the default of the estimator, 1 for a soft mixture.
        hard: return one token's embedding, straight through, instead of a mixture.
        estimator: the gradient of hard tokens: ``"st-gumbel-softmax"``, ``"st"``, ``"reinmax"`` or
            ``"entropy-weighted"``, as in ``softdraw.vocabulary.gumbel_softmax``.
        evaluation: what eval mode returns: ``"argmax"`` the embedding of the most probable token,
            ``"sample"`` that of an exact draw, ``"mean"`` the mean of all under their probabilities.
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: where a table of the layer's own is made.
        dtype: that of such a table.

    Raises:
        TypeError: a size that is no int, a table of another type, a temperature that is no number, tensor or
            schedule, or a ``group`` of another type.
        ValueError: a size below 1, sizes beside ``weight``, an unknown ``estimator`` or ``evaluation``, an
            ``Adaptive`` temperature, or a ``group`` that cannot say which ranks it has.

    Shapes:
        hidden ``[*batch, d]`` to ``[*batch, e]``.

    Example:
        A hidden state that learns to say the token whose embedding is wanted:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> table = torch.nn.Embedding(50, 8).requires_grad_(False)
        >>> layer = sd.nn.GumbelEmbedding(weight=table, tau=sd.schedules.Exponential(1.0, 0.3, rate=0.02))
        >>> hidden = torch.zeros(4, 8, requires_grad=True)
        >>> optimizer, wanted = torch.optim.Adam([hidden], lr=0.1), table.weight[[7, 9, 40, 30]]
        >>> for step in range(100):
        ...     loss = (layer(hidden, key=sd.Key(0).fold_in(step)) - wanted).square().sum()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        ...     layer.schedule.step()
        >>> layer.eval()(hidden, return_index=True).index
        tensor([ 7,  9, 40, 30])

    Reference:
        Jang, Gu and Poole, Categorical Reparameterization with Gumbel-Softmax, ICLR 2017.
    """

    def __init__(
        self,
        classes: int | None = None,
        features: int | None = None,
        *,
        weight: nn.Linear | nn.Embedding | Tensor | None = None,
        embedding: nn.Embedding | Tensor | None = None,
        tau: float | Tensor | Schedule | None = None,
        hard: bool = True,
        estimator: MixtureEstimator = "st-gumbel-softmax",
        evaluation: Evaluation = "argmax",
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        read_choice("estimator", estimator, get_args(MixtureEstimator))
        read_choice("evaluation", evaluation, get_args(Evaluation))
        if estimator != "st-gumbel-softmax" and not hard:
            raise wrong_value("estimator", estimator, "'st-gumbel-softmax' beside hard=False")
        if isinstance(tau, Adaptive):
            raise wrong_value(
                "tau", tau, "another schedule: Adaptive watches the gradient of logits, which are not there"
            )
        if weight is None:
            rows, size = read_count("classes", classes, 1), read_count("features", features, 1)
            self.head: nn.Module = nn.Embedding(rows, size, device=device, dtype=dtype)
        else:
            if classes is not None or features is not None:
                raise wrong_value("classes", classes, "None beside weight, which has its sizes")
            self.head = _module("weight", weight, (nn.Linear, nn.Embedding))
        self.table = None if embedding is None else _module("embedding", embedding, (nn.Embedding,))
        self.hard, self.estimator, self.evaluation = bool(hard), estimator, evaluation
        self.ranks = Ranks(group)
        self.temperature = Temperature("tau", _default(estimator, self.hard) if tau is None else tau)

    @property
    def weight(self) -> Tensor:
        """The rows of the head, ``[V, d]``."""
        return cast("Tensor", self.head.weight)

    @property
    def embedding(self) -> Tensor:
        """The rows that are mixed, ``[V, e]``; the same tensor as ``weight`` where they are tied."""
        return self.weight if self.table is None else cast("Tensor", self.table.weight)

    @property
    def classes(self) -> int:
        """How many tokens there are."""
        return self.weight.shape[0]

    @property
    def features(self) -> int:
        """The size of a hidden state."""
        return self.weight.shape[1]

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature of the next training draw."""
        return self.temperature.shown

    @property
    def schedule(self) -> Schedule | None:
        """The schedule that moves the temperature, if one does."""
        return self.temperature.schedule

    @property
    def group(self) -> Group:
        """The ranks that draw apart under ``torch.distributed``; may be set."""
        return self.ranks.group

    @group.setter
    def group(self, group: Group) -> None:
        self.ranks = Ranks(group)

    def forward(
        self,
        hidden: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
        return_index: bool = False,
    ) -> Tensor | Mixture:
        """Draw a token for each hidden state.

        Args:
            hidden: ``[*batch, d]``.
            mask: boolean, broadcastable to ``[*batch, V]``, True where a token is allowed.
            key: the noise; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.
            return_index: return a ``softdraw.vocabulary.Mixture`` of embeddings and tokens; those of
                ``"mean"`` are the most probable ones.

        Returns:
            ``[*batch, e]`` in the dtype of ``hidden``; rows without an allowed token are zeros, and their
            token is -1.

        Raises:
            TypeError: ``hidden`` is no dense tensor of float16, bfloat16, float32 or float64, ``mask`` none
                of bool, or ``key`` or ``generator`` of another type.
            ValueError: ``hidden`` has another last dimension, ``mask`` does not broadcast or is on another
                device, a temperature that is not one value a row, or both ``key`` and ``generator``.
        """
        if is_symbol(hidden):
            options = {"mask": mask, "key": key, "generator": generator, "return_index": return_index or None}
            return record_module(self, hidden, **options)  # type: ignore[no-any-return]
        check_floating("hidden", hidden)
        weight, bias = self.weight, getattr(self.head, "bias", None)
        if hidden.dim() == 0 or hidden.shape[-1] != weight.shape[1]:
            raise wrong_value("hidden", hidden, f"shape [*batch, {weight.shape[1]}]")
        table = weight if self.table is None else self.embedding
        if self.training:
            key, generator = layer_key(key, generator, self.ranks)
            tau = cast("float | Tensor", self.temperature.now())
            drawn = mix(hidden, weight, table, tau, self.hard, bias, mask, self.estimator, key, generator)
        elif torch.onnx.is_in_onnx_export():
            drawn = self._exported(hidden, F.linear(hidden, weight, bias), table, mask, key, generator)
        else:
            one_source(key, generator)
            if self.evaluation == "sample":
                key, generator = layer_key(key, generator, self.ranks)
            rest = (bias, mask, "st" if self.evaluation == "sample" else "none", key, generator)
            if self.evaluation == "mean":
                drawn = mix(hidden, weight, table, 1.0, False, *rest)
            else:
                with torch.no_grad():
                    index = mix(hidden, weight, table, 1.0, True, *rest).index
                rows = F.embedding(index.clamp_min(0), table).to(hidden.dtype)
                drawn = Mixture(torch.where((index < 0).unsqueeze(-1), 0.0, rows), index)
        return drawn if return_index else drawn.value

    def _exported(
        self,
        hidden: Tensor,
        logits: Tensor,
        table: Tensor,
        mask: Tensor | None,
        key: Key | None,
        generator: torch.Generator | None,
    ) -> Mixture:
        """Eval mode by operators that ONNX has, through the logits."""
        mask = read_mask(mask, logits)
        if self.evaluation == "sample":
            index = gumbel_max(logits, mask=mask, key=key, generator=generator)
            rows = one_hot(index, logits.shape[-1], logits.dtype)
        elif self.evaluation == "mean":
            rows = probabilities(logits, mask)
        else:
            rows = one_hot_argmax(logits, mask)
        return Mixture((rows @ table).to(hidden.dtype), rows.argmax(-1))

    def reset_parameters(self) -> None:
        """Draw the tables anew, as their modules do, and send a learned temperature back to its start."""
        for module in (self.head, self.table):
            if isinstance(module, nn.Linear | nn.Embedding):
                module.reset_parameters()
        for module in self.modules():
            if isinstance(module, Learned):
                module.reset_parameters()

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"hard={self.hard}, estimator={self.estimator!r}, evaluation={self.evaluation!r}"


def _module(name: str, given: object, kinds: tuple[type[Any], ...]) -> nn.Module:
    """What holds the rows: the module itself, so that they stay shared whatever becomes of its parameter."""
    if isinstance(given, Tensor):
        return Table(given)
    if not isinstance(given, kinds):
        words = " or ".join(f"an nn.{kind.__name__}" for kind in kinds)
        raise wrong_type(name, given, f"{words}, a parameter or a tensor [classes, features]")
    return cast("nn.Module", given)


def _default(estimator: str, hard: bool) -> float:
    if not hard or estimator == "entropy-weighted":
        return 1.0
    return cast("float", cast("Any", type(estimators.get(estimator))).default_tau)
