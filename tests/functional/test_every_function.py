"""What every drawing function promises: one source of noise, transforms, errors that name the argument."""

import copy
import pickle
import warnings

import pytest
import torch

import softdraw as sd

from .examples import EXAMPLES, RELAXED

KEY = sd.Key(99)


@pytest.fixture(params=EXAMPLES)
def draw(request):
    return EXAMPLES[request.param]


@pytest.fixture(params=RELAXED)
def relaxed(request):
    return EXAMPLES[request.param]


def test_key_generator_and_seed_reproduce(draw):
    logits = torch.randn(50, 8)
    assert torch.equal(draw(logits, key=KEY), draw(logits, key=KEY))
    assert not torch.equal(draw(logits, key=KEY), draw(logits, key=KEY.fold_in(0)))
    one, two = (draw(logits, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, two)
    torch.manual_seed(1)
    one, other = draw(logits), draw(logits)
    torch.manual_seed(1)
    assert torch.equal(one, draw(logits))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("given", [("key", "generator"), ("key", "noise"), ("generator", "noise")])
def test_sources_exclude_each_other(draw, given):
    sources = {"key": KEY, "generator": torch.Generator(), "noise": torch.zeros(3, 4)}
    with pytest.raises(ValueError, match=f"{given[0]} and {given[1]}: got both"):
        draw(torch.zeros(3, 4), **{name: sources[name] for name in given})


def test_errors_name_the_argument(draw):
    logits = torch.zeros(3, 4)
    with pytest.raises(TypeError, match=r"logits: got \[1\.0, 2\.0\] of type list, expected a tensor"):
        draw([1.0, 2.0])
    with pytest.raises(TypeError, match=r"logits: got a tensor of shape \(3, 4\) of int64, expected"):
        draw(torch.zeros(3, 4, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"mask: got a tensor of shape \(3, 4\) of float32, expected"):
        draw(logits, mask=torch.ones(3, 4))
    with pytest.raises(ValueError, match=r"mask: got .* shape \(5,\) .* broadcasts to \(3, 4\)"):
        draw(logits, mask=torch.ones(5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"noise: got .* shape \(5,\) .* broadcasts to \(3, 4\)"):
        draw(logits, noise=torch.ones(5))
    with pytest.raises(TypeError, match=r"noise: got a tensor of shape \(4,\) of int64"):
        draw(logits, noise=torch.ones(4, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"key: got 3, expected a softdraw\.Key"):
        draw(logits, key=3)


def test_noise_of_the_key_gives_the_draw_of_the_key(draw, request):
    logits = torch.randn(40, 9)
    binary = "sigmoid" in request.node.name
    noise = (sd.random.logistic if binary else sd.random.gumbel)(logits.shape, key=KEY)
    torch.testing.assert_close(draw(logits, noise=noise), draw(logits, key=KEY))


def test_no_graph_break_and_no_recompilation_for_a_new_key(draw):
    torch._dynamo.reset()
    compiled = torch.compile(draw, fullgraph=True, backend="eager")
    logits = torch.randn(6, 5)
    counters = torch._dynamo.utils.counters
    counters.clear()
    for seed in (3, 2**63 + 11, 12345, 2**64 - 1, 17):
        torch.testing.assert_close(compiled(logits, key=sd.Key(seed)), draw(logits, key=sd.Key(seed)))
    assert counters["stats"]["unique_graphs"] <= 2


def test_compiled_draws_without_a_key_are_the_eager_ones(draw):
    # pytorch#145470 and #148838: the seed is drawn by the same call in both
    torch._dynamo.reset()
    compiled = torch.compile(draw, fullgraph=True, backend="eager")
    logits = torch.randn(6, 5)
    torch.manual_seed(4)
    expected = draw(logits)
    torch.manual_seed(4)
    torch.testing.assert_close(compiled(logits), expected)


def test_vmap_with_one_key_gives_one_noise(draw):
    logits = torch.randn(7, 6)
    rows = torch.vmap(lambda row: draw(row, key=KEY))(logits)
    torch.testing.assert_close(rows, torch.stack([draw(row, key=KEY) for row in logits]))


def test_vmap_follows_randomness(draw):
    logits = torch.zeros(20, 6)
    different = torch.vmap(draw, randomness="different")(logits)
    assert not torch.allclose(different, different[:1].expand_as(different))
    same = torch.vmap(draw, randomness="same")(logits)
    torch.testing.assert_close(same, same[:1].expand_as(same))
    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(draw)(logits)


# torch itself scripts its decompositions when forward mode is first used
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_functional_gradients_are_the_eager_ones(relaxed):
    logits, weight = torch.randn(4, 5), torch.randn(4, 5)

    def loss(x):
        return (relaxed(x, key=KEY) * weight).sum()

    x = logits.clone().requires_grad_()
    (expected,) = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(torch.func.grad(loss)(logits), expected)
    _, tangent = torch.func.jvp(loss, (logits,), (weight,))
    torch.testing.assert_close(tangent, (expected * weight).sum())
    one = torch.func.grad(lambda row, w: (relaxed(row, key=KEY) * w).sum())
    rows = torch.stack([one(row, w) for row, w in zip(logits, weight, strict=True)])
    torch.testing.assert_close(torch.vmap(one)(logits, weight), rows)


def test_compiled_gradients_are_the_eager_ones(relaxed):
    torch._dynamo.reset()
    logits, weight = torch.randn(4, 5), torch.randn(4, 5)
    x, z = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    compiled = torch.compile(relaxed, fullgraph=True, backend="aot_eager")
    (compiled(x, key=KEY) * weight).sum().backward()
    (relaxed(z, key=KEY) * weight).sum().backward()
    torch.testing.assert_close(x.grad, z.grad)


def test_export(draw):
    class Layer(torch.nn.Module):
        def forward(self, x):
            return draw(x, key=KEY)

    logits = torch.randn(3, 4)
    program = torch.export.export(Layer(), (logits,))
    torch.testing.assert_close(program.module()(logits), draw(logits, key=KEY))


def test_meta_and_fake_tensors(draw):
    shape = draw(torch.zeros(3, 4), key=KEY).shape
    assert draw(torch.zeros(3, 4, device="meta"), key=KEY).shape == shape
    with torch._subclasses.FakeTensorMode():
        assert draw(torch.zeros(3, 4), key=KEY).shape == shape


def test_autocast(draw):
    logits = torch.randn(3, 4, dtype=torch.bfloat16)
    expected = draw(logits, key=KEY)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(draw(logits, key=KEY), expected)


def test_parameters_and_modules(relaxed):
    layer = torch.nn.Linear(3, 4)
    other = copy.deepcopy(layer)
    for module in (layer, other):
        relaxed(module(torch.ones(2, 3)), key=KEY)[:, 0].sum().backward()
    assert torch.equal(layer.weight.grad, other.weight.grad)


def test_no_warning_and_no_global_state(draw):
    before = torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(torch.randn(3, 4))
    assert before == (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "middle"])
def test_samples_are_contiguous_as_those_of_torch(relaxed, layout):
    """taming-transformers#67: .view of what a draw over dim=1 returned."""
    logits = torch.randn(3, 4, 5)
    logits = {"contiguous": logits, "transposed": logits.mT, "middle": logits.movedim(0, 1)}[layout]
    assert relaxed(logits, key=KEY).is_contiguous()
    assert relaxed(logits, noise=torch.zeros(logits.shape)).is_contiguous()


# torch says of torch.jit itself that it is deprecated
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_torch_jit_trace(draw):
    """pytorch#100636: devices among the inputs of an operation. The traced model takes other batches, too."""

    class Model(torch.nn.Module):
        def forward(self, x, given):
            return draw(x * 2, key=KEY) if given else draw(x * 2)

    for given in (True, False):
        traced = torch.jit.trace(lambda x, g=given: Model()(x, g), (torch.randn(3, 6),), check_trace=False)
        logits = torch.randn(7, 6)
        torch.manual_seed(3)
        expected = Model()(logits, given)
        torch.manual_seed(3)
        torch.testing.assert_close(traced(logits), expected)


def test_torch_fx_symbolic_trace(draw):
    """d2go#241: Proxies met the checks of sizes."""

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 6)

        def forward(self, x, mask):
            return draw(self.linear(x), mask=mask, key=KEY.rows(2)), draw(self.linear(x))

    model, x, mask = Model(), torch.randn(5, 4), torch.tensor([True, False, True, True, True, True])
    graph = torch.fx.symbolic_trace(model)
    calls = [node for node in graph.graph.nodes if node.op == "call_function" and node.target is not sd.Key]
    assert len(calls) == 2
    for traced in (graph, copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        torch.manual_seed(0)
        expected = model(x, mask)
        torch.manual_seed(0)
        torch.testing.assert_close(traced(x, mask), expected)
