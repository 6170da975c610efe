"""What every layer promises, over the list of all of them."""

import copy
import inspect
import math
import pickle

import numpy as np
import onnxruntime
import pytest
import torch
import torch.multiprocessing as mp

import softdraw as sd
from softdraw import nn

from ..statistics import assert_frequencies, assert_share
from .examples import CHOICES, EXAMPLES, SOFT, STRUCTURED, WATCHED, first, make

NAMES = list(EXAMPLES)
TENSOR_ESTIMATORS = [n for n in sd.estimators.names() if sd.estimators.get(n).needs == "tensor"]


def test_the_list_is_complete():
    assert {n for n in nn.__all__ if not n.endswith("Output")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_repeats_a_training_pass_and_eval_needs_none(name):
    layer, x = make(name)
    one, two = first(layer(x, key=sd.Key(1))), first(layer(x, key=sd.Key(1)))
    assert torch.equal(one, two)
    draws = torch.stack([first(layer(x, key=sd.Key(i))) for i in range(20)])
    assert (draws.std(0) > 0).any()
    layer.eval()
    assert torch.equal(first(layer(x)), first(layer(x)))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        before = torch.get_rng_state()
        layer(x)
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_generators_and_manual_seed_repeat_a_training_pass(name):
    layer, x = make(name)
    draws = [first(layer(x, generator=torch.Generator().manual_seed(4))) for _ in range(2)]
    assert torch.equal(*draws)
    with torch.random.fork_rng():
        draws = [(torch.manual_seed(5), first(layer(x)))[1] for _ in range(2)]
    assert torch.equal(*draws)
    with pytest.raises(ValueError, match="key and generator: got both"):
        layer(x, key=sd.Key(0), generator=torch.Generator())


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("estimator", TENSOR_ESTIMATORS)
def test_every_estimator_that_returns_a_sample_trains_every_layer(name, estimator):
    if sd.estimators.get(estimator).binary and name not in ("GumbelSigmoid", "HardConcreteGate"):
        pytest.skip("binary estimators draw two classes")
    layer, x = make(name, estimator=estimator)
    x.requires_grad_()
    out = first(layer(x, key=sd.Key(2)))
    assert out.isfinite().all()
    # Steep enough that estimators which compare two maximisers find two.
    (out * torch.linspace(-10, 20, out.numel()).reshape(out.shape)).sum().backward()
    grads = [x.grad, *(p.grad for p in layer.parameters() if p.grad is not None)]
    assert all(g.isfinite().all() for g in grads)
    assert any((g != 0).any() for g in grads)


@pytest.mark.parametrize("name", CHOICES)
def test_estimators_that_need_a_callable_are_refused(name):
    with pytest.raises(
        ValueError, match=r"estimator: got .*needs a callable, expected one that returns a sample"
    ):
        make(name, estimator="rloo")
    with pytest.raises(ValueError, match="nonsense"):
        make(name, estimator="nonsense")
    with pytest.raises(ValueError, match=r"tau: got 2\.0, expected None beside an estimator object"):
        make(name, estimator=sd.estimators.get("st", tau=1.0), tau=2.0)


@pytest.mark.parametrize("name", NAMES)
def test_tau_is_a_float_a_tensor_or_a_schedule_and_they_draw_alike(name):
    outs = []
    for tau in (0.3, torch.tensor(0.3), sd.schedules.Constant(0.3)):
        layer, x = make(name, tau=tau)
        assert float(layer.tau) == pytest.approx(0.3)
        outs.append(first(layer(x, key=sd.Key(3))))
    torch.testing.assert_close(outs[0], outs[1])
    torch.testing.assert_close(outs[0], outs[2])


@pytest.mark.parametrize("name", NAMES)
def test_layers_share_a_schedule_and_follow_its_steps(name):
    s = sd.schedules.Linear(2.0, 0.1, steps=2)
    (one, x), (two, _) = make(name, tau=s, **SOFT[name]), make(name, tau=s, **SOFT[name])
    for value in (2.0, 1.05, 0.1):
        assert float(one.tau) == float(two.tau) == pytest.approx(value)
        expected, _ = make(name, tau=value, **SOFT[name])
        torch.testing.assert_close(first(one(x, key=sd.Key(0))), first(expected(x, key=sd.Key(0))))
        s.step()


@pytest.mark.parametrize("name", NAMES)
def test_a_step_between_forward_and_backward_changes_no_gradient(name):
    grads = []
    for steps in (0, 1):
        s = sd.schedules.Linear(2.0, 0.1, steps=2)
        layer, x = make(name, tau=s)
        x.requires_grad_()
        out = first(layer(x, key=sd.Key(0)))
        s.step(steps)
        (out * torch.linspace(-1, 2, out.numel()).reshape(out.shape)).sum().backward()
        grads.append([p.grad for p in (x, *layer.parameters()) if p.grad is not None])
    assert len(grads[0]) == len(grads[1])
    for one, two in zip(*grads, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("name", NAMES)
def test_a_learned_temperature_is_a_parameter_of_the_layer(name):
    layer, x = make(name, tau=sd.schedules.Learned(1.0), **SOFT[name])
    raw = [p for n, p in layer.named_parameters() if n.endswith("schedule.raw")]
    assert len(raw) == 1
    for step in range(2):
        out = first(layer(x, key=sd.Key(step)))
        (out * torch.linspace(-1, 2, out.numel()).reshape(out.shape)).sum().backward()
    assert raw[0].grad != 0
    copy.deepcopy(layer)
    with torch.no_grad():
        raw[0].add_(1.0)
    layer.reset_parameters()
    assert float(layer.tau.detach()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", WATCHED)
def test_an_adaptive_temperature_sees_the_gradients(name):
    s = sd.schedules.Adaptive(1.0, factor=0.5, every=1, max_dead=1.0)
    layer, x = make(name, tau=s)
    x.requires_grad_()
    out = first(layer(x, key=sd.Key(4)))
    (out * torch.linspace(-1, 2, out.numel()).reshape(out.shape)).sum().backward()
    s.step()
    assert s.measured.rows > 0
    assert s.value == 0.5


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_copies_and_pickles(name):
    layer, x = make(name)
    other, _ = make(name)
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1)
    other.load_state_dict(layer.state_dict())
    for twin in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(first(twin(x, key=sd.Key(1))), first(layer(x, key=sd.Key(1))))


@pytest.mark.parametrize("name", NAMES)
def test_a_pickled_layer_still_follows_its_own_schedule(name):
    layer, _ = make(name, tau=sd.schedules.Linear(2.0, 0.1, steps=2))
    twin = pickle.loads(pickle.dumps(layer))
    twin.schedule.step(2)
    assert float(twin.tau) == pytest.approx(0.1)
    assert float(layer.tau) == 2.0


@pytest.mark.parametrize("name", NAMES)
def test_repr_says_what_it_is(name):
    text = repr(make(name, tau=sd.schedules.Linear(2.0, 0.1, steps=2))[0])
    assert text.startswith(f"{name}(")
    assert "Linear(start=2.0, end=0.1, steps=2)" in text


@pytest.mark.parametrize("name", NAMES)
def test_reset_parameters_restores_the_initial_scale(name):
    layer, x = make(name)
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(100.0)
    layer.reset_parameters()
    assert all((p.abs() < 10).all() for p in layer.parameters())
    assert first(layer(x, key=sd.Key(0))).isfinite().all()


@pytest.mark.parametrize("name", [name for name in STRUCTURED if name != "TopKGate"])
def test_a_constant_changes_no_structure(name):
    """But the gate, whose scores are a projection; multiples of 1/16 and their means are exact at 2^18."""
    for evaluation in (False, True):
        layer, x = make(name)
        layer.train(not evaluation)
        x = (x * 16).round() / 16
        one, other = (first(layer(values, key=sd.Key(1))) for values in (x, x + 2.0**18))
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16(name):
    layer, x = make(name)
    layer = layer.to(torch.bfloat16)
    for mode in (True, False):
        out = first(layer.train(mode)(x.bfloat16(), key=sd.Key(0)))
        assert out.dtype == torch.bfloat16
        assert out.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_compiles_without_a_break_and_a_new_temperature_recompiles_nothing(name):
    s = sd.schedules.Linear(2.0, 0.1, steps=4)
    layer, x = make(name, tau=s)
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()  # or what broke in another test is not even tried
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    key = sd.Key(0)
    for _ in range(4):
        torch.testing.assert_close(first(compiled(x, key=key)), first(layer(x, key=key)))
        s.step()
    assert len(graphs) == 1


#: matchings are found by SciPy and trees by operations of ours, which no runtime of ONNX has
EXPORTED = [name for name in NAMES if name not in ("SinkhornMatching", "LatentTree")]


@pytest.mark.parametrize("name", EXPORTED)
def test_exports_to_onnx_in_eval_mode(name, tmp_path):
    layer, x = make(name)
    layer.eval()
    file = tmp_path / "layer.onnx"
    torch.onnx.export(layer, (x,), file, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(file)
    (exported, *_) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(exported, first(layer(x)).detach().numpy(), rtol=1e-6, atol=1e-6)


def exported(layer, x, file):
    torch.onnx.export(layer, (x,), file, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(file)
    return lambda value: session.run(None, {session.get_inputs()[0].name: value.numpy()})[0]


SAMPLED = [name for name in EXPORTED if "evaluation" in inspect.signature(getattr(nn, name)).parameters]


@pytest.mark.parametrize("name", SAMPLED)
def test_a_draw_of_eval_mode_exports_to_onnx(name, tmp_path):
    layer, x = make(name, evaluation="sample")
    run = exported(layer.eval(), x, tmp_path / "layer.onnx")
    draws = [torch.from_numpy(run(x)) for _ in range(8)]
    assert len({tuple(draw.flatten().tolist()) for draw in draws}) > 1
    if name not in ("GumbelVectorQuantizer", "GumbelEmbedding"):  # which give the vectors that were drawn
        assert all(set(draw.unique().tolist()) <= {0.0, 1.0} for draw in draws)


def test_the_exported_draw_has_the_law_of_the_logits(tmp_path):
    onnxruntime.set_seed(0)
    logits = torch.tensor([[2.0, 0.0, -1.0, -math.inf]]).expand(50_000, 4).contiguous()
    draws = torch.from_numpy(
        exported(nn.GumbelSoftmax(evaluation="sample").eval(), logits, tmp_path / "a.onnx")(logits)
    )
    assert (draws.sum(-1) == 1).all()
    assert_frequencies(draws.sum(0)[:3], logits[0, :3].softmax(-1))
    odds = logits[:, :3].contiguous()
    on = torch.from_numpy(
        exported(nn.GumbelSigmoid(evaluation="sample").eval(), odds, tmp_path / "b.onnx")(odds)
    )
    for column in range(3):
        assert_share(on[:, column].sum(), 50_000, odds[0, column].sigmoid(), comparisons=3)


class Keyed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GumbelSoftmax(evaluation="sample")

    def forward(self, x):
        return self.layer(x, key=sd.Key(0))


def test_a_key_cannot_be_exported_to_onnx(tmp_path):
    """The exporter tries another way after our error, and says which operation it cannot write."""
    with pytest.raises(torch.onnx.OnnxExporterError, match=r"softdraw\.noise"):
        exported(Keyed().eval(), torch.zeros(3, 4), tmp_path / "layer.onnx")


def draw_on_a_rank(rank, world, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world
    )
    torch.manual_seed(0)
    for name in NAMES:
        layer, x = make(name)
        keyed = first(layer(x, key=sd.Key(7))).detach().contiguous()
        unkeyed = first(layer(x)).detach().contiguous()
        alone, _ = make(name)
        for mine in (keyed, unkeyed):
            all_of = [torch.empty_like(mine) for _ in range(world)]
            torch.distributed.all_gather(all_of, mine)
            assert not torch.equal(all_of[0], all_of[1]), name
        assert torch.equal(keyed, first(alone(x, key=sd.Key(7)))), name
    layer, x = make("GumbelSoftmax")
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert not torch.equal(compiled(x), compiled(x))
    assert torch.equal(compiled(x, key=sd.Key(7)), layer(x, key=sd.Key(7)))
    quantizer, x = make("GumbelVectorQuantizer")
    quantizer(x, key=sd.Key(0))
    if rank == 0:  # alone, as loggers do: nobody else is asked
        assert quantizer.usage().sum() == 2 * 10
        quantizer.dead_codes()
    everywhere = quantizer.usage(all_ranks=True)
    assert everywhere.sum() == 2 * 2 * 10
    assert torch.equal(quantizer.dead_codes(all_ranks=True), everywhere == 0)
    group = torch.distributed.new_group([0])
    for name in NAMES:
        layer, x = make(name, group=None)
        mine = first(layer(x, key=sd.Key(7))).detach().contiguous()
        torch.distributed.all_gather(all_of := [torch.empty_like(mine) for _ in range(world)], mine)
        assert torch.equal(*all_of), name
        layer, _ = make(name, group=group)
        if rank == 0:
            layer(x, key=sd.Key(7))
        else:
            with pytest.raises(ValueError, match="group: got one without rank 1"):
                layer(x, key=sd.Key(7))
    torch.distributed.barrier()  # or one process may tear down what the other still uses
    torch.distributed.destroy_process_group()


def test_ranks_draw_apart(tmp_path):
    mp.spawn(draw_on_a_rank, args=(2, tmp_path), nprocs=2)
