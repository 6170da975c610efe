"""``Structured``: what every distribution of this room promises, and what a new one has to write."""

import math
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from softdraw._torch import is_readable, unfilled
from softdraw.arguments import check_samples, read_sample_shape, wrong_type, wrong_value
from softdraw.functional import straight_through
from softdraw.kernels.formulas import compute_dtype
from softdraw.random import Key, source
from softdraw.structured.support import Support

__all__ = ["MOST_STRUCTURES", "Structured"]

#: how many structures ``enumerate_support`` lists at the most
MOST_STRUCTURES = 2**20


class Structured(Distribution):
    """A law over structures: tensors of zeros and ones, unless the class says otherwise.

    What all of them promise:

    - ``sample`` draws from the law itself, ``log_prob`` is its logarithm, ``marginals`` its mean.
    - ``rsample`` is the draw of ``sample`` at the same key in value; its gradient is that of ``marginals``
      (the rule of SIMPLE), so that the gradient of a linear function is exact.
    - ``relax`` is a relaxation of the perturbed parameters at a temperature. **With** ``hard=True`` **its
      value is the best structure under noise, whose law is another one** in all classes but
      ``OrderedSubset``.
    - Rows of noise are counted over the batch: a batch cut in two draws what the whole does, with
      ``key.rows(start)`` for the second part.
    - Half precision comes out as it goes in (samples, marginals, relaxations); in between, and in log
      probabilities, it is float32 or wider.
    - What is masked, or has a logit of ``-inf``, is never part of a structure. A row that allows none at all
      is padding: its samples, mode and marginals are zeros, and its log probability and entropy are 0.
      Values of NaN or ``+inf`` are refused, where they can be read and are validated.

    To add a law, subclass it:

    - ``__init__`` reads its arguments, sets tensors of shape ``[*batch, ...]``, and calls ``_initialise``;
      ``_tensors`` names them with their number of dims after the batch, first the one that ``moved`` adds to,
      ``_options`` what else ``expand`` is to copy.
    - ``_draw(samples, key, generator)`` gives ``[samples, *batch, *event]``; ``_noise`` has the noise.
    - ``_is_structure(value)`` and ``_log_density(value)``, the latter finite or ``-inf`` and of finite
      gradient for whatever passes the former.
    - ``relax``, ``mode``, ``marginals``; and where there are such, ``log_partition``, ``entropy``,
      ``_structures()`` with ``_count()``, and a divergence registered by ``register_kl``.

    Reference:
        Ahmed, Zeng, Niepert, Van den Broeck, "SIMPLE: a gradient estimator for k-subset sampling", ICLR 2023;
        Paulus, Choi, Tarlow, Krause, Maddison, "Gradient estimation with stochastic softmax tricks",
        NeurIPS 2020.
    """

    has_rsample = True
    has_enumerate_support = True
    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}
    #: attributes that are tensors, and their number of dims after those of the batch
    _tensors: ClassVar[dict[str, int]] = {}
    #: other attributes that make the law
    _options: ClassVar[tuple[str, ...]] = ()
    #: what a value is called in an error
    _called: str = "structures"
    _dtype: torch.dtype
    #: ``[*batch]``, where no structure is possible
    _empty: Tensor

    def _initialise(
        self,
        batch_shape: tuple[int, ...],
        event_shape: tuple[int, ...],
        dtype: torch.dtype,
        empty: Tensor,
        validate_args: bool | None,
    ) -> None:
        self._dtype = dtype
        self._empty = empty.expand(batch_shape)
        super().__init__(torch.Size(batch_shape), torch.Size(event_shape), validate_args=False)
        self._validate_args = Distribution._validate_args if validate_args is None else validate_args

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same law with its parameters expanded to ``batch_shape``."""
        new: Self = unfilled(self, _instance)
        shape = torch.Size(batch_shape)
        for name, dims in self._tensors.items():
            value = getattr(self, name)
            setattr(new, name, value.expand(shape + value.shape[value.dim() - dims :]))
        for name in self._options:
            setattr(new, name, getattr(self, name))
        new._initialise(shape, self.event_shape, self._dtype, self._empty, self._validate_args)
        return new

    def moved(self, by: Tensor) -> Self:
        """The same law with its parameters moved: ``by`` is added to the logit of each part.

        Args:
            by: ``[*, *event_shape]``, which broadcasts with the batch; dims in front of that are new ones.

        Raises:
            NotImplementedError: values of this law are no parts with a logit each.
        """
        name, dims = next(iter(self._tensors.items()))
        parameter: Tensor = getattr(self, name)
        if self.event_shape != parameter.shape[parameter.dim() - dims :]:
            raise self._absent("moved parameters")
        self._check_shape(by)
        batch = by.shape[: by.dim() - dims]
        new = self.expand(torch.broadcast_shapes(batch, self.batch_shape))  # type: ignore[no-untyped-call]
        setattr(new, name, getattr(new, name) + by.to(parameter.dtype))
        return new

    def sample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw from the law itself, without a gradient.

        Args:
            sample_shape: leading shape of the result; each of these samples has noise of its own.
            key: the name of the noise.
            generator: a source of a fresh key. Without any source, torch's default generator is one.

        Returns:
            ``[*sample_shape, *batch_shape, *event_shape]``.

        Raises:
            TypeError: ``sample_shape`` is no sequence of ints, ``key`` no ``Key`` or ``generator`` no
                ``torch.Generator``.
            ValueError: both ``key`` and ``generator``, or a negative size.
        """
        shape = read_sample_shape(sample_shape)
        check_samples(math.prod(shape))
        source.one_source(key, generator)
        with torch.no_grad():
            drawn = self._draw(math.prod(shape), key, generator)
            return drawn.reshape(*shape, *drawn.shape[1:])

    def rsample(
        self,
        sample_shape: Any = (),
        *,
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The value of ``sample`` at the same key, with the gradient of ``marginals``; arguments as there."""
        drawn = self.sample(sample_shape, key=key, generator=generator)
        return straight_through(drawn, self.marginals.expand(drawn.shape))

    def relax(
        self,
        tau: float | Tensor = 1.0,
        *,
        hard: bool = False,
        sample_shape: Any = (),
        key: Key | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """A relaxed sample ``[*sample_shape, *batch_shape, *event_shape]`` with a gradient to the parameters.

        Args:
            tau: the temperature: a number, or a tensor with one for each row of the batch.
            hard: the structure that the relaxation tends to in the forward pass, its gradient in the
                backward pass.
            sample_shape: leading shape of the result.
            key: the name of the noise.
            generator: a source of a fresh key.
        """
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """Log probability ``[*sample_shape, *batch_shape]`` in float32, or float64 for float64.

        ``-inf`` for what is masked.

        Raises:
            TypeError: no tensor.
            ValueError: a wrong shape, or values that are no structures (only when arguments are validated).
        """
        if not isinstance(value, Tensor):
            raise wrong_type("value", value, f"a tensor of {self._called}")
        self._check_shape(value)
        right = self._is_structure(value)
        if self._validate_args and is_readable(value, right) and not bool(right.all()):
            count = f"{int((~right).sum())} of {right.numel()}"
            raise ValueError(f"value: got {count} that are no {self._called}, expected {self._called} alone")
        density = self._log_density(value)
        return torch.where(right, density, -torch.inf).to(compute_dtype(self._dtype))

    def _check_shape(self, value: Tensor) -> None:
        event, dims = self.event_shape, len(self.event_shape)
        batch = value.shape[: max(0, value.dim() - dims)]
        if value.shape[len(batch) :] != event:
            raise wrong_value("value", value, f"the event shape {tuple(event)} in its last dims")
        try:
            torch.broadcast_shapes(batch, self.batch_shape)  # type: ignore[no-untyped-call]
        except RuntimeError:
            raise wrong_value(
                "value", value, f"a shape that broadcasts with the batch {tuple(self.batch_shape)}"
            ) from None

    @property
    def mode(self) -> Tensor:
        """The most probable structure ``[*batch_shape, *event_shape]``, without a gradient."""
        raise NotImplementedError

    @property
    def marginals(self) -> Tensor:
        """How probable each part is, ``[*batch_shape, *event_shape]``, differentiable."""
        raise self._absent("marginals")

    @property
    def log_partition(self) -> Tensor:
        """Log of the sum over structures of exp(score), ``[*batch_shape]``, differentiable."""
        raise self._absent("log partition")

    @property
    def mean(self) -> Tensor:
        """The marginals."""
        return self.marginals

    @property
    def variance(self) -> Tensor:
        """That of each part, which is 0 or 1."""
        marginals = self.marginals
        return marginals * (1.0 - marginals)

    def entropy(self) -> Tensor:
        """Entropy ``[*batch_shape]`` in nats, differentiable."""
        raise self._absent("entropy")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All structures, masked ones (of log probability ``-inf``) too.

        Returns:
            ``[count, *batch_shape, *event_shape]``; with sizes 1 for the batch unless ``expand``.

        Raises:
            ValueError: there are more than 2^20.
        """
        count = self._count()
        if count > MOST_STRUCTURES:
            raise ValueError(
                f"enumerate_support: got {count} {self._called}, expected at most {MOST_STRUCTURES}"
            )
        structures = self._structures()
        event = self.event_shape
        structures = structures.reshape(-1, *(1,) * len(self.batch_shape), *event)
        return structures.expand(-1, *self.batch_shape, *event) if expand else structures

    @property
    def padding(self) -> Tensor:
        """Boolean ``[*batch_shape]``: the rows that allow no structure at all."""
        return self._empty

    @property
    def support(self) -> constraints.Constraint:
        """What ``log_prob`` takes."""
        return Support(self)

    def _draw(self, samples: int, key: Key | None, generator: torch.Generator | None) -> Tensor:
        raise NotImplementedError

    def _is_structure(self, value: Tensor) -> Tensor:
        """Where a value is a structure, whatever the mask, or what an empty row draws; ``[*batch]``."""
        raise NotImplementedError

    def _log_density(self, value: Tensor) -> Tensor:
        raise NotImplementedError

    def _count(self) -> int:
        """How many structures there are."""
        raise self._absent("enumeration")

    def _structures(self) -> Tensor:
        """All of them, ``[count, *event_shape]``."""
        raise self._absent("enumeration")

    def _noise(
        self,
        law: str,
        like: Tensor,
        sample_shape: tuple[int, ...],
        key: Key | None,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Noise ``[*sample_shape, *like.shape]`` in the dtype that is computed in.

        The last dim of ``like`` counts as class, the others as rows.
        """
        check_samples(math.prod(sample_shape))
        source.one_source(key, generator)
        drawn = source.noise(law, like.detach(), math.prod(sample_shape), key, generator)
        return drawn.reshape(*sample_shape, *drawn.shape[1:])

    def _absent(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no closed form for its {what}")
