"""Ranks draw apart or alike as ``group=`` says: each layer, DDP, FSDP2, a mesh with tensor parallelism."""

import copy
import pickle
import re
from collections import OrderedDict

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import softdraw as sd
from softdraw.random.ranks import Ranks

from .examples import EXAMPLES, first, make

NAMES = list(EXAMPLES)
KEY = sd.Key(7)


def draws(layer, x, **given):
    """What each rank drew, in their order."""
    mine = first(layer(x, **given)).detach().contiguous()
    every = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(every, mine)
    return every


def assert_pattern(every, data):
    """Ranks of equal ``data`` drew alike, and all others apart."""
    for i, one in enumerate(every):
        for j, other in enumerate(every):
            assert torch.equal(one, other) == (data[i] == data[j]), (i, j, data)


def every_layer_takes_every_form_of_group(mesh, rank):
    """Ranks 0 and 1 are one half of the data, 2 and 3 the other; 0 and 2 are one half of the tensors."""
    unnamed = dist.init_device_mesh("cpu", (2, 2))
    groups = {
        "data": (mesh["data"], mesh.get_group("data"), (mesh, "data"), (unnamed, 0)),
        "tensor": (mesh["tensor"],),
        "all": (mesh, "world"),
        "alike": (None,),
    }
    parts = {"data": [0, 0, 1, 1], "tensor": [0, 1, 0, 1], "all": [0, 1, 2, 3], "alike": [0] * 4}
    for name in NAMES:
        for kind, given in groups.items():
            first_of = []
            for group in given[:1] if name != "GumbelSoftmax" else given:
                layer, x = make(name, group=group)
                assert layer.group is group
                every = draws(layer, x, key=KEY)
                assert_pattern(every, parts[kind])
                for twin in (copy.deepcopy(layer), make(name)[0]):
                    twin.group = group  # may be set, and a copy has it already
                    assert torch.equal(first(twin(x, key=KEY)), every[rank])
                twin = copy.deepcopy(layer)
                assert twin.group is group
                assert torch.equal(first(twin(x, key=KEY)), every[rank])
                assert not any("group" in entry for entry in layer.state_dict())
                first_of.append(every[rank])
            assert all(torch.equal(one, first_of[0]) for one in first_of)
        layer, x = make(name, group=mesh["data"])
        torch.manual_seed(0)  # a fresh key is then the same on all ranks, and folded
        assert_pattern(draws(layer, x), parts["data"])


def pickled_layers_ask_for_a_group(mesh):
    for name in NAMES:
        layer, x = make(name, group=mesh["data"])
        twin = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(layer))))
        with pytest.raises(ValueError, match=r"group: got DeviceMesh.* of the program that saved"):
            twin(x, key=KEY)
        twin.group = mesh["data"]
        assert torch.equal(first(twin(x, key=KEY)), first(layer(x, key=KEY)))
        for group in (None, "world"):
            layer, x = make(name, group=group)
            twin = pickle.loads(pickle.dumps(layer))
            assert torch.equal(first(twin(x, key=KEY)), first(layer(x, key=KEY)))


def outsiders_are_refused(mesh, rank):
    inside = dist.new_group([0, 3])
    small = dist.DeviceMesh("cpu", [1, 2])
    for group, members in ((inside, (0, 3)), (small, (1, 2)), ((small, 0), (1, 2))):
        layer, x = make("GumbelSoftmax", group=group)
        if rank in members:
            layer(x, key=KEY)
        else:
            with pytest.raises(ValueError, match=f"group: got one without rank {rank}"):
                layer(x, key=KEY)
    for dim, error, said in (
        ("dat", ValueError, "'dat', expected a dimension of the mesh: data, tensor"),
        (2, ValueError, "2, expected a dimension of the mesh, from 0 to 1"),
        (None, TypeError, "expected the name or the number"),
        (True, TypeError, "expected the name or the number"),
    ):
        with pytest.raises(error, match=said):
            sd.nn.GumbelSoftmax(group=(mesh, dim))
    with pytest.raises(ValueError, match="it has no names"):
        sd.nn.GumbelSoftmax(group=(small, "data"))


def graphs_know_the_rank(mesh, rank):
    if rank != 3:
        return  # the compiler takes its time, and one rank that is not the first of its group will do
    for group in (mesh["data"], mesh.get_group("data"), mesh, None):
        torch._dynamo.reset()
        layer, x = make("GumbelSoftmax", group=group)
        compiled = torch.compile(layer, fullgraph=True, backend="eager")
        assert torch.equal(compiled(x, key=KEY), layer(x, key=KEY))


def wrappers(mesh, rank):
    x = torch.linspace(-1, 1, 12).reshape(3, 4)

    def model(group):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(4, 8), sd.nn.GumbelSoftmax(group=group))

    def trained(module, data):
        torch.manual_seed(1)
        every = draws(module, x)
        assert_pattern(every, data)
        torch.manual_seed(1)
        module(x).square().sum().backward()
        assert all(p.grad is not None for p in module.parameters())

    trained(DistributedDataParallel(model("world")), [0, 1, 2, 3])
    trained(fully_shard(model("world"), mesh=dist.init_device_mesh("cpu", (4,))), [0, 1, 2, 3])
    # one shard of the parameters and its replicas: every rank has data of its own
    trained(fully_shard(model(mesh), mesh=mesh), [0, 1, 2, 3])
    # whole logits on all ranks of a row of the mesh, from a product whose halves they summed
    # (by names, because torch 2.8 looks for "0.0" in the wrong module)
    plan = {"0.columns": ColwiseParallel(), "0.rows": RowwiseParallel()}
    layers = {"columns": torch.nn.Linear(4, 4), "rows": torch.nn.Linear(4, 4)}
    half = torch.nn.Sequential(OrderedDict(layers))
    tensors = torch.nn.Sequential(half, *model(mesh["data"]))
    trained(fully_shard(parallelize_module(tensors, mesh["tensor"], plan), mesh=mesh["data"]), [0, 0, 1, 1])


def on_a_rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=4)
    mesh = dist.init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    wrappers(mesh, rank)
    every_layer_takes_every_form_of_group(mesh, rank)
    pickled_layers_ask_for_a_group(mesh)
    outsiders_are_refused(mesh, rank)
    graphs_know_the_rank(mesh, rank)
    dist.barrier()  # or one process may tear down what the other still uses
    dist.destroy_process_group()


def test_ranks_draw_as_their_group_says(tmp_path):
    mp.spawn(on_a_rank, args=(tmp_path,), nprocs=4)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_group_is_refused_in_words(name):
    with pytest.raises(ValueError, match=re.escape("group: got 'data', expected \"world\", None")):
        make(name, group="data")
    for group in (3, True, ("data",), ("data", 0), object()):
        with pytest.raises(TypeError, match=r"group: got .*, expected .*mesh\[\"data\"\]"):
            make(name, group=group)
    layer, _ = make(name)
    with pytest.raises(ValueError, match="does not say of which mesh"):
        layer.group = "data"


def test_a_layer_that_left_its_group_behind_draws_where_there_are_no_ranks():
    layer, x = make("GumbelSoftmax")
    alone = layer(x, key=KEY)
    ranks = pickle.loads(pickle.dumps(Ranks("world")))
    assert ranks.group == "world"
    layer.choice.ranks = pickle.loads(b"csoftdraw.random.ranks\n_left\n(Vgroup of a\ntR.")
    assert torch.equal(layer(x, key=KEY), alone)
    assert "group of a" in repr(layer.group)
