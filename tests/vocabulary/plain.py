"""The mixture as it is written without softdraw.vocabulary: with the logits."""

import torch

import softdraw as sd

ESTIMATORS = ("st-gumbel-softmax", "st", "reinmax", "entropy-weighted")
#: hard and whose gradient: everything that a mixture may be
KINDS = [(False, "st-gumbel-softmax"), *((True, name) for name in ESTIMATORS)]


def mixture(
    hidden, weight, embedding, tau=1.0, hard=False, *, bias=None, mask=None, estimator=ESTIMATORS[0], key=None
):
    """What ``sd.vocabulary.gumbel_softmax`` is to return, from logits."""
    logits = hidden @ weight.mT + (0 if bias is None else bias)
    if estimator == "entropy-weighted":
        return entropy_weighted(logits, embedding, tau, mask, key)
    if estimator == "st-gumbel-softmax":
        return sd.gumbel_softmax(logits, tau, hard, mask=mask, key=key) @ embedding
    return sd.estimators.get(estimator)(logits, tau=tau, mask=mask, key=key) @ embedding


def entropy_weighted(logits, embedding, tau, mask, key):
    """EntRGi: soft + sg(w (hard - soft)), w the entropy over the logarithm of the number of classes."""
    allowed = torch.ones_like(logits, dtype=torch.bool) if mask is None else mask.expand(logits.shape)
    column = tau.unsqueeze(-1) if isinstance(tau, torch.Tensor) and tau.dim() else tau
    q = torch.where(allowed, logits / column, -1e300).softmax(-1)
    q = torch.where(allowed, q, 0.0)
    entropy = -torch.where(q > 0, q * torch.where(q > 0, q, 1.0).log(), 0.0).sum(-1)
    count = allowed.sum(-1)
    w = torch.where(count > 1, entropy / count.clamp(min=2).double().log(), 0.0).unsqueeze(-1)
    index = sd.gumbel_max(logits, mask=mask, key=key)
    soft = q @ embedding
    one = torch.where((index >= 0).unsqueeze(-1), embedding[index.clamp(min=0)], 0.0)
    return soft + (w * (one - soft)).detach()


def problem(rows=(5,), classes=1003, width=7, out=6, *, tied=False, bias=True, dtype=torch.float64, seed=0):
    """hidden, weight, embedding and bias, which learn."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    hidden, weight = normal(*rows, width), normal(classes, width)
    return hidden, weight, weight if tied else normal(classes, out), normal(classes) if bias else None
