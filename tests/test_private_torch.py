"""Private names of torch live in ``softdraw/_torch.py`` alone, and do there what their comments say."""

import ast
from pathlib import Path

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

import softdraw
from softdraw import _torch

SOURCES = sorted(Path(softdraw.__file__).parent.rglob("*.py"))


def private_names(tree):
    """Names with one leading underscore that are reached through ``torch``, called or imported."""

    def from_torch(node):
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id == "torch"

    def private(name):
        return name.startswith("_") and not name.startswith("__")

    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and from_torch(node):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            yield from (part for part in node.module.split(".") if private(part))
            yield from (alias.name for alias in node.names if private(alias.name))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_other_file_uses_one(path):
    found = set(private_names(ast.parse(path.read_text())))
    if path.name == "_torch.py":
        assert found  # or this test looks at nothing
    else:
        assert not found


def test_transforms_and_modes_are_seen():
    seen = {}

    def look(x):
        seen["transform"] = _torch.innermost_transform() is not None
        seen["batched"] = _torch.is_batched(x)
        return x.sum()

    x = torch.ones(2, 3)
    assert _torch.innermost_transform() is None
    torch.func.vmap(look)(x)
    assert seen == {"transform": True, "batched": True}
    torch.func.grad(look)(x)
    assert seen == {"transform": True, "batched": False}
    torch.func.vmap(torch.func.grad(look))(x)
    assert seen == {"transform": True, "batched": True}
    before = _torch.dispatch_modes()
    with FlopCounterMode(display=False):
        assert _torch.dispatch_modes() == before + 1
    assert _torch.forward_mode_level() < 0
    with forward_ad.dual_level():
        assert _torch.forward_mode_level() >= 0


def test_a_function_applied_plainly_has_its_gradient():
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = torch.ones(3, requires_grad=True)
    _torch.plain_apply(Doubled)(x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_products_of_bfloat16_are_known():
    assert _torch.multiplies_bfloat16() in (True, False)


def test_averages_move():
    average, value = torch.zeros(3), torch.ones(3)
    _torch.move_averages([average], [value], 0.25)
    assert average.tolist() == [0.25] * 3


def test_the_budget_of_the_compiler_is_read():
    from torch._functorch import config

    assert _torch.activation_memory_budget() == config.activation_memory_budget
    with config.patch(activation_memory_budget=0.5):
        assert _torch.activation_memory_budget() == 0.5
