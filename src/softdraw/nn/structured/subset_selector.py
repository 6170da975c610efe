"""k of n, chosen anew for every example."""

import torch
from torch import Tensor

from softdraw.arguments import check_classes, read_count, read_mask, sizes_of
from softdraw.functional import relaxed_top_k, topk
from softdraw.functional.order import k_hot
from softdraw.kernels.formulas import allowed_classes
from softdraw.nn.structured.layer import Evaluation, StructuredLayer, check_sources, read_evaluation
from softdraw.random import Key
from softdraw.random.ranks import Group
from softdraw.recording import is_symbol, record_module
from softdraw.schedules import Schedule

__all__ = ["SubsetSelector"]


class SubsetSelector(StructuredLayer):
    """Weights of the ``k`` items that matter: relaxed and noisy in training, exactly k ones in eval mode.

    ``predict(x * selector(explain(x)))`` trains a network ``explain`` to say which k features of each example
    another network needs, as L2X does. L2X takes the largest of k Gumbel-Softmax samples for each feature,
    which may choose one feature twice and sum to less than k; here k different ones are chosen, and the
    weights sum to k.

    Args:
        k: how many items, >= 0.
        tau: a float, a 0-dim tensor or a schedule.
        hard: exactly k ones in training too, with the gradient of the relaxed weights.
        method: the relaxation: ``"entropic"``, ``"successive"`` or ``"sparse"``, see
            :func:`softdraw.relaxed_top_k`.
        evaluation: in eval mode ``"mode"`` (the k largest logits) or ``"sample"`` (k draws without
            replacement).
        group: the ranks that draw apart under ``torch.distributed``, see ``Choice``.
        device: taken and ignored: the layer has no parameters.
        dtype: see ``device``.

    Raises:
        TypeError: ``k`` is no int, or a temperature that is no number, tensor or schedule.
        ValueError: ``k`` below 0, a negative temperature, or an unknown ``method`` or ``evaluation``.

    Shapes:
        logits ``[*batch, n]`` to weights ``[*batch, n]``.

    Reference:
        Chen, Song, Wainwright and Jordan, Learning to Explain: An Information-Theoretic Perspective on Model
        Interpretation, ICML 2018; Xie and Ermon, Reparameterizable Subset Sampling via Continuous
        Relaxations, IJCAI 2019, section 4.

    Example:
        The sign of the first feature says which of the two others is the target, and the explainer finds out:

        >>> import torch, softdraw as sd
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(512, 3)
        >>> target = torch.where(x[:, 0] > 0, x[:, 1], x[:, 2])
        >>> explain = torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
        >>> selector = sd.nn.SubsetSelector(1, tau=0.5)
        >>> optimizer = torch.optim.Adam(explain.parameters(), lr=0.03)
        >>> for step in range(150):
        ...     weights = selector(explain(x), key=sd.Key(0).fold_in(step))
        ...     loss = ((weights * x).sum(-1) - target).square().mean()
        ...     optimizer.zero_grad(); loss.backward(); optimizer.step()
        >>> chosen = selector.eval()(explain(x)).argmax(-1)
        >>> bool((chosen == torch.where(x[:, 0] > 0, 1, 2)).float().mean() > 0.9)
        True
    """

    def __init__(
        self,
        k: int,
        tau: float | Tensor | Schedule = 1.0,
        *,
        hard: bool = False,
        method: str = "entropic",
        evaluation: Evaluation = "mode",
        group: Group = "world",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        del device, dtype
        super().__init__(tau, group)
        topk.check_method(method)
        self.k = read_count("k", k)
        self.hard = bool(hard)
        self.method = method
        self.evaluation = read_evaluation(evaluation)

    def forward(
        self,
        logits: Tensor,
        *,
        mask: Tensor | None = None,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Weights of the items, whose sum is k.

        Args:
            logits: ``[*batch, n]``.
            mask: boolean, broadcastable to the logits; False gives exactly 0, and a row with k allowed items
                or fewer is 1 on all of them.
            key: the noise; the rank is folded in under ``torch.distributed``.
            generator: where to take a fresh key from.

        Returns:
            The shape and dtype of the logits.

        Raises:
            TypeError: logits that are no dense tensor of float16, bfloat16, float32 or float64, a mask that
                is none of bool, or ``key`` or ``generator`` of another type.
            ValueError: fewer than k items, a mask that does not broadcast or is on another device, or both
                ``key`` and ``generator``.
        """
        if is_symbol(logits):
            return record_module(self, logits, mask=mask, key=key, generator=generator)  # type: ignore[no-any-return]
        check_classes("logits", logits, "[*batch, n]")
        read_count("k", self.k, 0, sizes_of(logits)[-1])
        check_sources(key, generator)
        mask = read_mask(mask, logits)
        if not self.training and self.evaluation == "mode":
            chosen = k_hot(logits, allowed_classes(logits.detach(), mask), self.k)
            return chosen.to(logits.dtype)
        key, generator = self._sources(key, generator)
        if not self.training:
            return relaxed_top_k(logits.detach(), self.k, hard=True, mask=mask, key=key, generator=generator)
        return relaxed_top_k(
            self.temperature.watched(logits, mask),
            self.k,
            self._now(),
            self.hard,
            method=self.method,
            mask=mask,
            key=key,
            generator=generator,
        )

    def extra_repr(self) -> str:
        """What ``print`` shows."""
        return f"k={self.k}, hard={self.hard}, method={self.method!r}, evaluation={self.evaluation!r}"
