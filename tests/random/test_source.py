import pytest
import torch
from torch.utils.checkpoint import checkpoint

import softdraw as sd

from ..refusals import in_a_graph


def test_manual_seed_reproduces():
    torch.manual_seed(3)
    first = [sd.random.fresh_key() for _ in range(3)]
    torch.manual_seed(3)
    assert first == [sd.random.fresh_key() for _ in range(3)]
    assert len(set(first)) == 3


def test_generator_leaves_the_default_generator_alone():
    before = torch.get_rng_state()
    key = sd.random.fresh_key(torch.Generator().manual_seed(1))
    assert torch.equal(before, torch.get_rng_state())
    assert key == sd.random.fresh_key(torch.Generator().manual_seed(1))


def test_a_given_key_leaves_the_default_generator_alone():
    before = torch.get_rng_state()
    sd.gumbel_softmax(torch.zeros(3, 4), key=sd.Key(0))
    assert torch.equal(before, torch.get_rng_state())


def test_seeds_use_all_64_bits():
    torch.manual_seed(0)
    ones = [0] * 64
    for _ in range(400):
        seed = sd.random.fresh_key().seed
        for bit in range(64):
            ones[bit] += seed >> bit & 1
    # Binomial(400, 1/2): 60 is 6 standard deviations, once in 8e6 over the 64 bits
    assert max(abs(count - 200) for count in ones) < 60


def test_key_and_generator_exclude_each_other():
    with pytest.raises(ValueError, match="key and generator: got both"):
        sd.random.gumbel((3,), key=sd.Key(0), generator=torch.Generator())


LAWS = [sd.random.gumbel, sd.random.logistic, sd.random.exponential, sd.random.uniform]


@pytest.mark.parametrize("law", LAWS)
def test_a_generator_in_a_compiled_graph_is_refused_and_outside_of_one_is_followed(law):
    """It was ignored, and the noise came from the default generator."""

    def draw(generator):
        return law((3, 4), generator=generator) + 0

    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match=in_a_graph(r"generator: got one.*expected key=")):
        torch.compile(draw, fullgraph=True, backend="eager")(torch.Generator())
    # where graphs may break, this part runs eagerly and follows its generator
    compiled = torch.compile(draw, backend="eager")
    before = torch.get_rng_state()
    noise = compiled(torch.Generator().manual_seed(5))
    assert torch.equal(noise, draw(torch.Generator().manual_seed(5)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("law", LAWS)
def test_noise_without_a_key_follows_the_randomness_of_vmap(law):
    def draw(x):
        return law((6,)) + x

    x = torch.zeros(5)
    torch.manual_seed(2)
    different = torch.vmap(draw, randomness="different")(x)
    assert not torch.equal(different, different[:1].expand_as(different))
    torch.manual_seed(2)
    assert torch.equal(different, torch.stack([law((6,)) for _ in range(5)]))
    same = torch.vmap(draw, randomness="same")(x)
    assert torch.equal(same, same[:1].expand_as(same))
    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(draw)(x)


@pytest.mark.parametrize("randomness", ["same", "different"])
@pytest.mark.parametrize("mapped", [True, False])
def test_vmap_inside_a_compiled_graph_draws_as_outside(randomness, mapped):
    """Where the logits are not batched all examples had one noise; where they are, functorch failed."""
    logits = torch.zeros(4, 8)

    def draw(row):
        return sd.gumbel_softmax(row if mapped else logits[0]) + 0 * row

    torch._dynamo.reset()
    inner = torch.vmap(draw, randomness=randomness)
    torch.manual_seed(0)
    expected = inner(logits)
    torch.manual_seed(0)
    torch.testing.assert_close(torch.compile(inner, fullgraph=True, backend="aot_eager")(logits), expected)


def test_nested_vmaps_draw_apart_where_each_is_asked_to():
    def rows(outer, inner):
        draw = torch.vmap(
            torch.vmap(lambda x: sd.random.uniform((3,)) + x, randomness=inner), randomness=outer
        )
        return draw(torch.zeros(2, 4)).flatten(0, 1).unique(dim=0).shape[0]

    counts = {(a, b): rows(a, b) for a in ("same", "different") for b in ("same", "different")}
    assert counts[("same", "same")] == 1
    assert counts[("different", "different")] == 8


def test_noise_under_modes_that_see_each_operation():
    with torch._subclasses.FakeTensorMode():
        assert sd.random.gumbel((3, 4), key=sd.Key(0)).shape == (3, 4)
        assert sd.random.gumbel((3, 4)).shape == (3, 4)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("source", ["key", "default generator"])
def test_checkpointed_draws_are_recomputed(reentrant, source):
    given = {"key": sd.Key(3)} if source == "key" else {}

    def draw(x):
        return sd.gumbel_softmax(x * x, 0.5, **given).square()

    grads = []
    for checkpointed in (False, True):
        torch.manual_seed(1)
        x = torch.arange(12.0).view(3, 4).div(5).requires_grad_()
        y = checkpoint(draw, x, use_reentrant=reentrant) if checkpointed else draw(x)
        y[:, 0].sum().backward()
        grads.append(x.grad)
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize(
    "draw",
    [
        sd.gumbel_softmax,
        lambda x, **given: x * sd.random.gumbel(x.shape, **given),
        lambda x, **given: sd.estimators.get("reinmax")(x, **given),
        lambda x, **given: sd.distributions.RelaxedOneHotCategorical(0.5, logits=x).rsample(**given),
        lambda x, **given: sd.nn.GumbelSoftmax()(x, **given),
    ],
)
def test_a_private_generator_is_refused_under_checkpointing(draw, reentrant):
    """Torch runs the function twice and rewinds only its own generators: the gradient was of other noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, requires_grad=True)
    with pytest.raises(
        RuntimeError, match=r"generator: got one inside torch\.utils\.checkpoint.*expected key="
    ):
        checkpoint(lambda x: draw(x, generator=generator), x, use_reentrant=reentrant)
    with torch.no_grad():  # nothing is run twice
        checkpoint(lambda x: draw(x, generator=generator), x, use_reentrant=False)


def test_noise_lies_on_the_device_that_is_asked_for():
    with torch.device("meta"):
        assert sd.random.gumbel((2, 3), device="cpu", key=sd.Key(0)).device.type == "cpu"
        assert sd.random.gumbel((2, 3), device="cpu").device.type == "cpu"
        assert sd.random.gumbel((2, 3)).device.type == "meta"
        assert sd.Key(1).state.device.type == "cpu"
        key = sd.random.fresh_key().fold_in(3)
        assert sd.random.gumbel((2, 3), device="cpu", key=key).device.type == "cpu"
