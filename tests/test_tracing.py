"""torch.fx, torch.jit and torch.compile over everything that reads logits."""

import copy
import pickle
import warnings
from functools import partial

import pytest
import torch

import softdraw as sd

from .nn.examples import EXAMPLES as LAYERS
from .nn.examples import first
from .readers import READERS, TENSOR
from .refusals import in_a_graph

MODES = ("train", "eval")
MODULES = {
    **{f"{name} {mode}": (LAYERS[name][0], LAYERS[name][1], mode) for name in LAYERS for mode in MODES},
    **{
        f"{name} estimator": (partial(sd.estimators.get, name), torch.linspace(-1, 1, 10).view(5, 2), "train")
        for name in TENSOR
    },
}


class Model(torch.nn.Module):
    """Something that is no layer of ours around one that is."""

    def __init__(self, layer, width):
        super().__init__()
        self.linear = torch.nn.Linear(width, width)
        self.layer = layer

    def forward(self, x):
        return first(self.layer(self.linear(x), key=sd.Key(3).rows(1)))


def make(name):
    build, x, mode = MODULES[name]
    torch.manual_seed(0)
    return Model(build(), x.shape[-1]).train(mode == "train"), x


@pytest.mark.parametrize("name", MODULES)
def test_torch_fx_records_a_layer_as_one_node(name):
    """d2go#241: Proxies met the checks of sizes, in eval mode too."""
    model, x = make(name)
    graph = torch.fx.symbolic_trace(copy.deepcopy(model))
    assert [str(n.target) for n in graph.graph.nodes if n.op == "call_module"] == ["linear", "layer"]
    for traced in (graph, copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        torch.testing.assert_close(first(traced(x)), model(x))
    model.eval(), graph.eval()  # a layer in the graph has its two modes
    torch.testing.assert_close(first(graph(x)), model(x))


def test_torch_fx_names_what_it_cannot_record():
    with pytest.raises(TypeError, match="symbolic_trace: got GumbelSoftmax itself, expected a model"):
        torch.fx.symbolic_trace(sd.nn.GumbelSoftmax())


def assert_traced_for_any_number_of_rows(function, x):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        traced = torch.jit.trace(function, (x,), check_trace=False)
        other = torch.cat([x, -x])
        torch.testing.assert_close(traced(other), function(other))


@pytest.mark.parametrize("name", MODULES)
def test_torch_jit_traces_a_layer(name):
    """pytorch#100636."""
    assert_traced_for_any_number_of_rows(*make(name))


FROM_A_VOCABULARY = {
    "index": lambda hidden, weight, mask: sd.vocabulary.gumbel_max(hidden, weight, key=sd.Key(3)),
    "index with log p": lambda hidden, weight, mask: tuple(
        sd.vocabulary.gumbel_max(
            hidden, weight, tau=0.5 + hidden[..., :1].abs(), mask=mask, key=sd.Key(3), return_log_prob=True
        )
    ),
    "mixture": lambda hidden, weight, mask: sd.vocabulary.gumbel_softmax(
        hidden, weight, weight, 0.5 + hidden[..., :1].abs(), True, mask=mask, key=sd.Key(3)
    ),
}


@pytest.mark.parametrize("batch", [(2,), (2, 3)], ids=str)
@pytest.mark.parametrize("name", FROM_A_VOCABULARY)
def test_torch_jit_traces_a_vocabulary_for_any_number_of_rows(name, batch):
    hidden, weight = torch.randn(*batch, 4), torch.randn(9, 4)

    def draw(hidden):
        return FROM_A_VOCABULARY[name](hidden, weight, hidden[..., 1:2] > torch.linspace(-2, 0.5, 9))

    assert_traced_for_any_number_of_rows(draw, hidden)


DRAWING = [
    name
    for name, reader in READERS.items()
    if "generator" in reader.takes and not name.endswith("eval") and name != "enumeration expectation"
]


@pytest.mark.filterwarnings("ignore")  # where a graph breaks, dynamo warns of its own code
@pytest.mark.parametrize("name", DRAWING)
def test_a_generator_in_a_compiled_graph_is_refused_and_elsewhere_followed(name):
    """A graph cannot hold a generator; it drew from another source instead."""
    reader = READERS[name]
    x, generator, read = reader.logits(), torch.Generator(), reader.build()

    def draw(x, g):
        return read(x, generator=g)

    torch._dynamo.reset()
    with pytest.raises(
        torch._dynamo.exc.Unsupported, match=in_a_graph(r"generator: got one in a compiled graph")
    ):
        torch.compile(draw, backend="eager", fullgraph=True)(x, generator)
    if name == "relax expectation":
        return  # its network must be shaped outside of the graph
    if name == "rebar expectation":
        # torch 2.13 fails where a graph begins again inside of REBAR's own derivative: dynamo makes a fake
        # tensor that is a leaf of one that is none. Eager mode and whole graphs are not concerned.
        return
    compiled = torch.compile(draw, backend="eager")
    before = torch.get_rng_state()
    value = compiled(x, generator.manual_seed(7))
    torch.testing.assert_close(value, draw(x, generator.manual_seed(7)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", [n for n in READERS if not n.startswith("HardConcreteGate")])
def test_what_is_returned_is_contiguous(name):
    """taming-transformers#67: .view of what is returned, for an input of any layout.

    The gates are left out, whose product with an input has the layout of the input, as torch's has.
    """
    reader = READERS[name]
    x = reader.logits()
    if x.dim() > 1:
        x = x.transpose(0, -2).contiguous().transpose(0, -2)
    value = reader.call(x)
    assert value.is_contiguous()
