"""What keeps the log-space value of a sample, what loses it, and that losing it is said."""

import copy
import io
import pickle

import pytest
import torch

import softdraw as sd
from softdraw import distributions as D

#: what is done to samples of shape [4, 4, 3] -> samples of shape [4, 4, 3] again, or of [.., 4, 3]
KEEPERS = {
    "clone": lambda z: z.clone(),
    "detach": lambda z: z.detach(),
    "index": lambda z: z[1],
    "slice": lambda z: z[1:3],
    "index by tensor": lambda z: z[torch.tensor([3, 0])],
    "index by mask": lambda z: z[torch.tensor([True, False, True, False])],
    "reshape": lambda z: z.reshape(2, 2, 4, 3),
    "view": lambda z: z.view(1, 4, 4, 3),
    "flatten": lambda z: z.flatten().unflatten(0, (4, 4, 3)),
    "transpose": lambda z: z.transpose(0, 2).transpose(0, 2),
    "permute": lambda z: z.permute(2, 0, 1).permute(1, 2, 0),
    "mT": lambda z: z.mT.mT,
    "unsqueeze": lambda z: z.unsqueeze(0).squeeze(0),
    "expand": lambda z: z.expand(5, 4, 4, 3),
    "repeat": lambda z: z.repeat(2, 1, 1),
    "stack": lambda z: torch.stack([z[0], z[2]]),
    "cat": lambda z: torch.cat([z[:1], z[2:]]),
    "unbind": lambda z: z.unbind(0)[2],
    "split": lambda z: torch.split(z, 2)[1],
    "chunk": lambda z: z.chunk(2)[0],
    "iteration": lambda z: list(z)[3],
    "index_select": lambda z: z.index_select(0, torch.tensor([2, 2])),
    "contiguous": lambda z: z.contiguous(),
    "double": lambda z: z.double(),
    "to": lambda z: z.to("cpu", torch.float64),
    "data": lambda z: z.data,
    "deepcopy": lambda z: copy.deepcopy(z.detach()),
    "flip": lambda z: z.flip(0),
}

LOSERS = {
    "arithmetic": lambda z: z * 1.0,
    "file": lambda z: pickle.loads(pickle.dumps(z.detach())),
    "in-place": lambda z: z.detach().clone().clamp_(0, 1),
    "in-place through an index": lambda z: in_place(z.detach().clone()),
    "requires_grad_": lambda z: z.detach().clone().requires_grad_(),
    "mixed stack": lambda z: torch.stack([z[0], torch.Tensor(z[1].detach()) * 1.0]),
    "numpy": lambda z: torch.from_numpy(z.detach().numpy()),
}


def in_place(z):
    z[0] = z[1]
    return z


@pytest.fixture
def logits():
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize("what", KEEPERS)
@pytest.mark.parametrize(
    "cls", [D.RelaxedOneHotCategoricalStraightThrough, D.RelaxedBernoulliStraightThrough]
)
def test_kept(what, cls, logits):
    d = cls(0.2, logits=logits)
    z = d.rsample((4,), key=sd.Key(0))
    moved = KEEPERS[what](z)
    # The same is done to a table of the densities, repeated along the event.
    table = d.log_prob(z)
    table = table.unsqueeze(-1).expand(z.shape) if d.event_shape else table
    expected = KEEPERS[what](table.detach())
    actual = d.log_prob(moved)
    torch.testing.assert_close(actual, (expected[..., 0] if d.event_shape else expected).to(actual.dtype))


@pytest.mark.parametrize("what", LOSERS)
@pytest.mark.parametrize(
    "cls", [D.RelaxedOneHotCategoricalStraightThrough, D.RelaxedBernoulliStraightThrough]
)
def test_lost_and_said(what, cls, logits):
    d = cls(0.2, logits=logits)
    lost = LOSERS[what](d.rsample((4,), key=sd.Key(0)))
    with pytest.raises(ValueError, match="or a sample with its log-space value"):
        d.log_prob(lost)
    limit = cls(0.2, logits=logits, validate_args=False).log_prob(lost)
    assert (limit == torch.inf).all()


def test_the_gradient_passes_through_what_is_kept(logits):
    d = D.RelaxedOneHotCategorical(0.5, logits=logits)
    z = d.rsample((5,), key=sd.Key(1))
    (direct,) = torch.autograd.grad(d.log_prob(z).sum(), logits, retain_graph=True)
    (moved,) = torch.autograd.grad(d.log_prob(torch.stack(list(z.reshape(5, 4, 3).clone()))).sum(), logits)
    torch.testing.assert_close(moved, direct)
    (partial,) = torch.autograd.grad(d.log_prob(z.detach()).sum(), logits)
    assert not torch.allclose(partial, direct)


def test_the_density_can_be_differentiated_in_the_sample():
    d = D.RelaxedOneHotCategorical(0.7, logits=torch.zeros(3, dtype=torch.float64))
    y = d.sample(key=sd.Key(0)).requires_grad_()
    (grad,) = torch.autograd.grad(d.log_prob(y), y)
    step = torch.tensor([1e-6, -1e-6, 0.0], dtype=torch.float64)
    plain = y.detach() * 1.0
    slope = (d.log_prob(plain + step) - d.log_prob(plain - step)) / 2e-6
    torch.testing.assert_close(grad[0] - grad[1], slope, rtol=1e-6, atol=1e-6)


def test_another_distribution_reads_the_same_value_and_no_other_space_does(logits):
    p = D.RelaxedOneHotCategoricalStraightThrough(0.05, logits=logits.detach())
    q = D.RelaxedOneHotCategorical(0.4, logits=torch.zeros(4, 3))
    soft, _ = D.RelaxedOneHotCategorical(0.05, logits=logits.detach().double()).rsample_and_log_prob(
        key=sd.Key(3)
    )
    assert q.log_prob(p.rsample(key=sd.Key(3))).isfinite().all()
    v = D.ExpRelaxedCategorical(0.05, logits=logits.detach()).rsample(key=sd.Key(3))
    with pytest.raises(ValueError, match="support"):
        q.log_prob(v)
    assert soft.shape == (4, 3)


def test_arithmetic_gives_plain_tensors_and_printing_hides_nothing(logits):
    z = D.RelaxedOneHotCategorical(0.5, logits=logits).rsample(key=sd.Key(0))
    assert type(z @ torch.ones(3)) is torch.Tensor
    assert type(torch.softmax(z, -1)) is torch.Tensor
    assert repr(z.detach()).startswith("tensor(")
    assert z.shape == (4, 3)
    file = io.BytesIO()
    torch.save(z.detach(), file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True), z)


def test_inference_mode():
    with torch.inference_mode():
        d = D.RelaxedOneHotCategoricalStraightThrough(0.5, logits=torch.zeros(3))
        assert d.log_prob(d.sample((2,), key=sd.Key(0)).clone()).isfinite().all()


def test_only_an_explicit_wish_silences_the_loss():
    hard = torch.tensor([0.0, 1.0, 0.0])
    torch.distributions.Distribution.set_default_validate_args(False)
    d = D.RelaxedOneHotCategoricalStraightThrough(0.2, logits=torch.zeros(3))
    for one in (d, d.expand((2,))):
        with pytest.raises(ValueError, match="or a sample with its log-space value"):
            one.log_prob(hard)
    silent = D.RelaxedOneHotCategoricalStraightThrough(0.2, logits=torch.zeros(3), validate_args=False)
    assert silent.log_prob(hard) == torch.inf
    assert D.RelaxedOneHotCategorical(0.2, logits=torch.zeros(3)).log_prob(hard) == torch.inf


def _assign(z, new):
    z[:] = new


EDITS = {
    "data": lambda z, new: _assign(z.data, new),
    "data.copy_": lambda z, new: z.data.copy_(new),
    "numpy": lambda z, new: _assign(z.detach().numpy(), new.numpy()),
    "a view of data": lambda z, new: [_assign(row, part) for row, part in zip(z.data, new, strict=True)],
    "in place": lambda z, new: z.detach().copy_(new),
}
CLASSES = [
    D.RelaxedOneHotCategorical,
    D.ExpRelaxedCategorical,
    D.RelaxedBernoulli,
    D.LogitRelaxedBernoulli,
    D.HardConcrete,
    D.RelaxedOneHotCategoricalStraightThrough,
    D.RelaxedBernoulliStraightThrough,
]


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_sample_has_the_density_of_its_new_value(cls, mode, edit, logits):
    """Inference tensors count no versions and .data and NumPy hide theirs: the old value was answered for."""
    with mode():
        soft = cls.__name__.replace("StraightThrough", "")
        d = cls(0.7, logits=logits.detach(), validate_args=False)
        new = (
            getattr(D, soft)(0.7, logits=logits.detach())
            .rsample((4,), key=sd.Key(1))
            .as_subclass(torch.Tensor)
        )
        new = new.clamp(0.01, 0.99) if cls in (D.RelaxedBernoulli, D.HardConcrete) else new
        y = d.rsample((4,), key=sd.Key(0))
        before = d.log_prob(y)
        EDITS[edit](y, new)
        assert torch.equal(y.as_subclass(torch.Tensor), new)
        torch.testing.assert_close(d.log_prob(y), d.log_prob(new.clone()))
        torch.testing.assert_close(d.log_prob(y[1:].clone()), d.log_prob(new[1:].clone()))
        assert not torch.allclose(d.log_prob(y), before)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_sample_that_was_not_edited_keeps_its_density(cls, mode, logits):
    logits = torch.cat([logits.detach(), torch.full((1, 3), torch.nan)])
    d = cls(0.01, logits=logits, validate_args=False)
    with mode():
        y, density = d.rsample_and_log_prob((4,), key=sd.Key(0))
        z = d.rsample((4,), key=sd.Key(0))
        torch.testing.assert_close(d.log_prob(z), density, equal_nan=True)
        assert density[:, :4].isfinite().all()
        assert torch.equal(z[:, :4].as_subclass(torch.Tensor), y[:, :4])
