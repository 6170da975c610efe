"""Hooks on saved tensors (offloading, compression) over everything of ours that saves some."""

import importlib
import pkgutil

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

import softdraw as sd

KEY = sd.Key(5)
TENSOR = [name for name in sd.estimators.names() if sd.estimators.get(name).needs == "tensor"]


def estimator(name, **options):
    if "draws" in sd.estimators.get(name)._options():
        options["draws"] = 3
    if name == "imle":
        options["step"] = 20.0  # far enough that some choice changes
    return sd.estimators.get(name, **options).eval()


def adaptive():
    est = sd.estimators.get("imle", adaptive=True).eval()
    est.beta.fill_(10.0)
    return est


WEIGHT = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
ROW_TAU = torch.tensor([[0.5, 0.8], [1.0, 1.3], [0.7, 2.0]])


def edges(x):
    """Logits of edges from those of vertices."""
    return x.unsqueeze(-1) * x.unsqueeze(-2)


def cost(z):
    return (z[..., 0].sum(-1) - 0.3).square() + z[..., 0, 1]


#: what has a gradient of our own: functions, estimators as layers, estimators as expectations
EXAMPLES = {
    f"{function.__name__} hard={hard} {tau_name}": lambda x, mask, function=function, hard=hard, tau=tau: (
        function(x, tau, hard, mask=mask, key=KEY)
    )
    for function in (sd.gumbel_softmax, sd.gumbel_sigmoid)
    for hard in (False, True)
    for tau_name, tau in (("tau", 0.7), ("row tau", ROW_TAU))
}
EXAMPLES |= {name: lambda x, mask, name=name: estimator(name)(x, mask=mask, key=KEY) for name in TENSOR}
EXAMPLES |= {
    f"{name} row tau": lambda x, mask, name=name: estimator(name, tau=ROW_TAU)(x, mask=mask, key=KEY)
    for name in TENSOR
    if "tau" in sd.estimators.get(name)._options()
}
EXAMPLES["imle adaptive"] = lambda x, mask: adaptive()(x, mask=mask, key=KEY)
EXAMPLES |= {
    f"expectation {name}": lambda x, mask, name=name: estimator(name).expectation(cost, x, mask=mask, key=KEY)
    for name in sd.estimators.names()
}

EXAMPLES |= {
    f"blocks hard={hard}": lambda x, mask, hard=hard: sd.gumbel_softmax(
        x, 0.7, hard, sizes=[1, x.shape[-1] - 1], mask=mask, key=KEY
    )
    for hard in (False, True)
}
EXAMPLES |= {
    "vocabulary.gumbel_max": lambda x, mask: (
        sd.vocabulary.gumbel_max(
            x,
            WEIGHT[:, : x.shape[-1]],
            mask=None if mask is None else mask[..., :1],
            key=KEY,
            return_log_prob=True,
        ).log_prob
    ),
    **{
        f"vocabulary.gumbel_softmax {estimator}": lambda x, mask, estimator=estimator: (
            sd.vocabulary.gumbel_softmax(
                x,
                WEIGHT[:, : x.shape[-1]],
                WEIGHT,
                ROW_TAU,
                hard=True,
                estimator=estimator,
                mask=None if mask is None else mask[..., :1],
                key=KEY,
            )
        )
        for estimator in ("st-gumbel-softmax", "st", "reinmax", "entropy-weighted")
    },
    "gumbel_sinkhorn": lambda x, mask: sd.gumbel_sinkhorn(x, 0.7, mask=mask, key=KEY),
    "gumbel_sinkhorn of all pairs": lambda x, mask: sd.gumbel_sinkhorn(x, 0.7, key=KEY),
    "topk.entropic": lambda x, mask: sd.topk.entropic(x, 2, 0.7, mask=mask),
    "SpanningTree.log_partition": lambda x, mask: sd.structured.SpanningTree(edges(x)).log_partition,
    "SpanningTree.marginals": lambda x, mask: sd.structured.SpanningTree(edges(x)).marginals,
    "Arborescence.marginals": lambda x, mask: sd.structured.Arborescence(edges(x), 0).marginals,
    "Subset.log_partition": lambda x, mask: sd.structured.Subset(x, 2, mask=mask).log_partition,
    "Subset.marginals": lambda x, mask: sd.structured.Subset(x, 2, mask=mask).marginals,
    "Subset.covariance": lambda x, mask: sd.structured.Subset(x, 2, mask=mask).covariance,
    "expectation under a Subset": lambda x, mask: sd.estimators.get("rloo").expectation(
        lambda z: z[..., 0] * 0.5 + z[..., 1] * z[..., 2], sd.structured.Subset(x, 2, mask=mask), key=KEY
    ),
}


def own_functions():
    """All autograd functions of the package."""
    for module in pkgutil.walk_packages(sd.kernels.__path__, "softdraw.kernels."):
        if not module.name.startswith(("softdraw.kernels.triton", "softdraw.kernels.cpu")):
            importlib.import_module(module.name)
    pending, found = [torch.autograd.Function], set()
    while pending:
        pending += (children := pending.pop().__subclasses__())
        # those of sharding take several ranks: tests/sharding
        found |= {
            f"{cls.__name__}Backward"
            for cls in children
            if cls.__module__.startswith("softdraw.") and not cls.__module__.startswith("softdraw.sharding")
        }
    return found


def called(node):
    """The name of a node; torch 2.8 refuses to say that of a function that it calls legacy."""
    try:
        return node.name()
    except RuntimeError:
        return type(node).__name__


def own_nodes(result):
    """Those of our functions in the graph of ``result``."""
    ours = own_functions()
    pending, found = [result.grad_fn], []
    while pending:
        node = pending.pop()
        if node is not None:
            # those that torch makes of an operation of ours have its name in theirs
            found += [node] if called(node) in ours or "softdraw" in called(node) else []
            pending += [parent for parent, _ in node.next_functions]
    return found


def problem(name):
    binary = name.split()[-1] in sd.estimators.names() and sd.estimators.get(name.split()[-1]).binary
    binary = binary or name.startswith("binary")
    classes = 2 if binary else 4
    x = torch.randn(3, 2, classes, generator=torch.Generator().manual_seed(0)).requires_grad_()
    mask = torch.ones(3, 2, classes, dtype=torch.bool)
    mask[0, 0, 0] = False
    return x, mask


def gradient(name, x, mask):
    y = EXAMPLES[name](x, mask)
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad((y * weight).sum(), x)[0]


def other_strides(tensor):
    """The same numbers, laid out with the first dim innermost and gaps between them."""
    order = list(range(tensor.dim()))[::-1]
    wide = torch.empty([*tensor.permute(order).shape, 2], dtype=tensor.dtype)[..., 0]
    return wide.copy_(tensor.permute(order)).permute(order)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("masked", [False, True])
def test_other_strides_give_the_same_gradient(name, masked):
    x, mask = problem(name)
    mask = mask if masked else None
    expected = gradient(name, x, mask)
    assert bool((expected != 0).any())
    with saved_tensors_hooks(lambda tensor: tensor, other_strides):
        found = gradient(name, x, mask)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


CHANGES = {
    torch.float32: [torch.float16, torch.float64],
    torch.float64: [torch.float32],
    torch.int64: [torch.int32],
    torch.bool: [torch.uint8],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_another_dtype_is_refused(name):
    """For each tensor that a function of ours saves; what torch's own do with theirs is torch's business."""
    x, mask = problem(name)
    count, asked, change = 0, set(), {}

    def pack(tensor):
        nonlocal count
        count += 1
        return count, tensor

    def unpack(packed):
        number, tensor = packed
        asked.add((number, tensor.dtype))
        return tensor.to(change[number]) if number in change else tensor

    with saved_tensors_hooks(pack, unpack):
        y = EXAMPLES[name](x, mask)
    asked.clear()  # of what an estimator differentiates within itself
    for node in own_nodes(y):
        _ = node.saved_tensors  # asks for all of them
    for number, dtype in set(asked):
        for other in CHANGES[dtype]:
            change = {number: other}
            with pytest.raises(TypeError, match="from a saved-tensor hook, expected"):
                y.sum().backward(retain_graph=True)
    change = {}
    y.sum().backward()


def test_every_function_of_ours_is_in_an_example():
    seen = set()
    for name, example in EXAMPLES.items():
        seen |= {
            called(node) for node in own_nodes(example(*problem(name))) if "softdraw" not in called(node)
        }
    # what stands in the graph of a gradient, where it refuses a second derivative, saves nothing
    # and a twin with a forward mode saves what its parent does
    twins = {name for name in own_functions() if name.endswith("ForwardBackward")}
    # and these stand under transforms only, which take no hooks
    transformed = {"ReinMaxBackward", "RaoBackward", "_LimitBackward"}
    transformed |= {"_TransformedBackward", "_TransformedBackwardBackward"}
    assert seen == own_functions() - {"_UnknownBackward", "_GradientBackward"} - twins - transformed
