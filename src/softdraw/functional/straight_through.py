"""The value of one tensor with the gradient of another."""

from torch import Tensor

from softdraw.arguments import check_floating, wrong_type, wrong_value
from softdraw.recording import recordable

__all__ = ["straight_through"]


@recordable
def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """``hard`` in the forward pass, ``soft`` in the backward pass.

    Args:
        hard: any dtype; it is cast to that of ``soft``.
        soft: floating, in the shape of ``hard``.

    Returns:
        The values of ``hard``, exactly, with the upstream gradient passed to ``soft`` unchanged.

    Raises:
        TypeError: ``hard`` is no tensor, or ``soft`` no dense one of float16, bfloat16, float32 or float64.
        ValueError: the shapes differ.

    Example:
        >>> import softdraw as sd, torch
        >>> soft = torch.tensor([0.7, 0.3], requires_grad=True)
        >>> y = sd.straight_through(torch.tensor([1, 0]), soft)
        >>> y.detach()
        tensor([1., 0.])
        >>> torch.autograd.grad(y[1], soft)
        (tensor([0., 1.]),)

    Reference:
        Bengio, Léonard, Courville, "Estimating or propagating gradients through stochastic neurons for
        conditional computation", 2013.
    """
    if not isinstance(hard, Tensor):
        raise wrong_type("hard", hard, "a tensor")
    check_floating("soft", soft)
    if hard.shape != soft.shape:
        raise wrong_value("soft", soft, f"the shape of hard, {tuple(hard.shape)}")
    # x - x is exactly 0 for a finite x, so the value is exact, which `hard - soft.detach() + soft` is not.
    carrier = (soft - soft.detach()).nan_to_num(0.0)
    return hard.detach().to(soft.dtype) + carrier
