"""A head that is split over ranks draws what the whole head draws: four processes, parts in 2 and in 4."""

import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

import softdraw as sd

KEY = sd.Key(5, offset=9)


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def cut(x, dim, sizes, rank):
    return x.split(sizes, dim)[rank].contiguous()


def index_and_its_law(group, rank, sizes, dtype=torch.float64):
    """Indices, log probabilities, entropies and every gradient; masks, biases, temperatures and samples."""
    classes = sum(sizes)
    hidden, weight, bias = (
        normal(6, 4, dtype=dtype),
        normal(classes, 4, seed=1, dtype=dtype),
        normal(classes, dtype=dtype),
    )
    tau = 0.5 + normal(6, seed=2, dtype=dtype).abs()
    masks = [None, normal(classes, seed=3) > 0, normal(6, classes, seed=4) > 0]
    masks[2][0] = False  # a row without a class
    masks[1][: sizes[0]] = False  # a rank without one
    bias[-1], hidden[5] = -math.inf, math.nan
    weigh = normal(2, 6, seed=5, dtype=dtype)
    tolerance = {"rtol": 1e-8, "atol": 1e-8} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    for number, mask in enumerate(masks):
        found = []
        for part in (False, True):
            h, t = (one.clone().requires_grad_() for one in (hidden, tau))
            w, b = (
                (cut(one, 0, sizes, rank) if part else one).clone().requires_grad_() for one in (weight, bias)
            )
            m = mask if mask is None or not part else cut(mask, -1, sizes, rank)
            given = {"bias": b if number else None, "tau": t, "mask": m, "sample_shape": (2,), "key": KEY}
            given["group"] = group if part else None
            drawn = sd.vocabulary.gumbel_max(h, w, **given, return_log_prob=True)
            alone = sd.vocabulary.gumbel_max(h, w, **given)
            assert torch.equal(alone, drawn.index)
            ((drawn.log_prob * weigh)[:, :5].sum() + drawn.entropy[:5].square().sum()).backward()
            found.append((*drawn, h.grad, t.grad, w.grad, b.grad if number else None))
        (index, *law, of_hidden, of_tau, of_weight, of_bias), ours = found
        assert torch.equal(ours[0], index)
        of_weight, of_bias = (
            one if one is None else cut(one, 0, sizes, rank) for one in (of_weight, of_bias)
        )
        for one, other in zip((*law, of_hidden, of_tau, of_weight, of_bias), ours[1:], strict=True):
            if one is not None:
                torch.testing.assert_close(other, one, equal_nan=True, **tolerance)


def mixtures(group, rank, sizes, dtype=torch.float64):
    """Values, winners and every gradient, for all estimators, temperatures and masks, tied and not."""
    classes = sum(sizes)
    tables = {
        "weight": normal(classes, 4, seed=1, dtype=dtype),
        "embedding": normal(classes, 3, seed=2, dtype=dtype),
    }
    tied = {"weight": normal(classes, 4, seed=1, dtype=dtype)}
    hidden, bias = normal(6, 4, dtype=dtype), normal(classes, dtype=dtype)
    hidden[5], bias[-1] = math.nan, -math.inf
    mask = normal(6, classes, seed=4) > -0.5
    mask[0], mask[1, : sizes[0]] = False, False
    row_tau = 0.5 + normal(6, seed=2, dtype=dtype).abs()
    tolerance = {"rtol": 1e-8, "atol": 1e-8} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    cases = [
        (tables, 0.7, False, "st-gumbel-softmax", None),
        (tied, row_tau, True, "st-gumbel-softmax", mask),
        (tables, 0.0, False, "st-gumbel-softmax", mask),
        (tables, math.inf, False, "st-gumbel-softmax", mask),
        (tables, row_tau, True, "st", mask),
        (tied, row_tau, True, "reinmax", mask),
        (tables, 1.3, True, "reinmax", None),
        (tables, row_tau, True, "entropy-weighted", mask),
        (tied, 0.7, True, "entropy-weighted", mask[1]),
    ]
    for given, tau, hard, estimator, m in cases:
        found = []
        for part in (False, True):
            own = {name: (cut(one, 0, sizes, rank) if part else one).clone() for name, one in given.items()}
            b = (cut(bias, 0, sizes, rank) if part else bias).clone()
            h, t = hidden.clone(), tau.clone() if isinstance(tau, torch.Tensor) else tau
            learned = [
                one.requires_grad_() for one in (h, t, b, *own.values()) if isinstance(one, torch.Tensor)
            ]
            value, index = sd.vocabulary.gumbel_softmax(
                h, own["weight"], own.get("embedding", own["weight"]), t, hard, bias=b,
                mask=m if m is None or not part else cut(m, -1, sizes, rank),
                estimator=estimator, group=group if part else None, key=KEY, return_index=True,
            )  # fmt: skip
            (value[:5] * normal(*value[:5].shape, seed=6, dtype=dtype)).sum().backward()
            grads = [
                one.grad
                if one is h or one is t or part or one.grad is None
                else cut(one.grad, 0, sizes, rank)
                for one in learned
            ]
            found.append((index, value, grads))
        (index, value, grads), ours = found
        said = f"{estimator} {hard} {tau}"
        assert torch.equal(ours[0], index), said
        torch.testing.assert_close(ours[1], value, equal_nan=True, **tolerance, msg=said)
        for one, other in zip(grads, ours[2], strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(other, one, **tolerance, msg=said)


def ties_go_to_the_lower_class(group, rank, sizes):
    """Equal weights give equal logits; without noise between ranks the draw is that of the whole head."""
    hidden, weight = torch.zeros(3000, 2), torch.zeros(sum(sizes), 2)
    whole = sd.vocabulary.gumbel_max(hidden, weight, key=KEY)
    ours = sd.vocabulary.gumbel_max(hidden, cut(weight, 0, sizes, rank), group=group, key=KEY)
    assert torch.equal(ours, whole)
    assert len(whole.unique()) == sum(sizes)


def fresh_keys_are_agreed_on(group, rank, sizes):
    hidden, weight = normal(50, 4), normal(sum(sizes), 4, seed=1)
    mine = cut(weight, 0, sizes, rank)
    ours = sd.vocabulary.gumbel_max(hidden, mine, group=group, generator=torch.Generator().manual_seed(rank))
    whole = sd.vocabulary.gumbel_max(hidden, weight, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ours, whole)
    torch.manual_seed(rank)
    ours = [sd.vocabulary.gumbel_max(hidden, mine, group=group) for _ in range(2)]
    torch.manual_seed(0)
    assert torch.equal(ours[0], sd.vocabulary.gumbel_max(hidden, weight))
    assert not torch.equal(*ours)


def a_graph_draws_the_same(group, rank, sizes):
    def step(hidden, weight, key):
        drawn = sd.vocabulary.gumbel_max(hidden, weight, group=group, key=key, return_log_prob=True)
        mixed = sd.vocabulary.gumbel_softmax(hidden, weight, weight, group=group, key=key)
        return drawn.index, drawn.log_prob + drawn.entropy + mixed.sum(-1)

    hidden, weight = normal(6, 4).requires_grad_(), cut(normal(sum(sizes), 4, seed=1), 0, sizes, rank)
    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    grads = []
    for draw in (step, compiled):
        index, value = draw(hidden, weight, KEY)
        grads.append((index, *torch.autograd.grad(value.sum(), hidden)))
    assert torch.equal(grads[0][0], grads[1][0])
    torch.testing.assert_close(grads[0][1], grads[1][1])


def dtensors_say_who_has_which_classes(mesh):
    """Head, embedding and bias split by rows over one dimension of a mesh; hidden states plain and spread."""
    wide, rows = {"dtype": torch.float64}, [Replicate(), Shard(0)]
    tensors = (
        normal(6, 4, **wide),
        normal(9, 4, seed=1, **wide),
        normal(9, 3, seed=2, **wide),
        normal(9, **wide),
    )
    mask = normal(6, 9, seed=4) > -0.5
    tau, weigh = 0.5 + normal(6, seed=2, **wide).abs(), normal(6, 3, seed=6, **wide)

    def step(hidden, weight, embedding, bias, mask, tau, whole):
        drawn = sd.vocabulary.gumbel_max(
            hidden, weight, bias, tau=tau, mask=mask, key=KEY, sample_shape=(2,), return_log_prob=True
        )
        mixed, token = sd.vocabulary.gumbel_softmax(
            hidden, weight, embedding, tau, True, bias=bias, mask=mask, key=KEY, return_index=True
        )
        alone = sd.vocabulary.gumbel_max(hidden, weight, bias, tau=tau, mask=mask, key=KEY)
        values = [whole(one) for one in (*drawn, mixed, token, alone)]
        loss = values[1].sum() + values[2].square().sum() + (values[3] * weigh).sum()
        learned = hidden, weight, embedding, bias, tau
        return values, [whole(one) for one in torch.autograd.grad(loss, learned)]

    expected = step(
        *(one.clone().requires_grad_() for one in tensors), mask, tau.clone().requires_grad_(), lambda x: x
    )
    for spread in ([], [Replicate(), Replicate()], [Shard(0), Replicate()]):
        hidden = distribute_tensor(tensors[0], mesh, spread) if spread else tensors[0].clone()
        tables = [distribute_tensor(one, mesh, rows) for one in tensors[1:]]
        t = distribute_tensor(tau, mesh, [Replicate()] * 2) if spread else tau.clone()
        given = [one.detach().requires_grad_() for one in (hidden, *tables)], t.detach().requires_grad_()
        seen = []

        def whole(one, seen=seen):
            seen.append(isinstance(one, DTensor))
            return one.full_tensor() if seen[-1] else one

        values, grads = step(*given[0], mask, given[1], whole)
        assert seen == [bool(spread)] * 6 + [bool(spread), True, True, True, bool(spread)]
        for one, other in zip((*expected[0], *expected[1]), (*values, *grads), strict=True):
            torch.testing.assert_close(other, one, rtol=1e-8, atol=1e-8)
    table, plain = tables[0], tensors[1]
    for arguments, options, error, said in (
        ((hidden, plain), {}, TypeError, "weight: got"),
        ((tensors[0], table), {"bias": tensors[3]}, TypeError, "bias: got"),
        ((tensors[0], table), {"group": mesh["tensor"]}, ValueError, "group: got"),
        (
            (tensors[0], distribute_tensor(plain, mesh, [Replicate(), Shard(1)])),
            {},
            ValueError,
            "weight: got",
        ),
        ((tensors[0], distribute_tensor(plain[:1], mesh, rows)), {}, ValueError, "1 rows over 2 ranks"),
    ):
        with pytest.raises(error, match=said):
            sd.vocabulary.gumbel_max(*arguments, **options)
    torch.manual_seed(dist.get_rank())
    fresh = sd.vocabulary.gumbel_max(tensors[0].expand(50, 6, 4), table)
    others = [torch.empty_like(fresh) for _ in range(4)]
    dist.all_gather(others, fresh)
    assert all(torch.equal(fresh, other) for other in others)


def another_dtype_from_a_hook_is_refused(group, rank, sizes):
    """Of each tensor that is saved, by each function: the loops would read its memory as something else."""
    hidden, weight = normal(6, 4).requires_grad_(), cut(normal(sum(sizes), 4, seed=1), 0, sizes, rank)
    other = {torch.float32: torch.float16, torch.float64: torch.float32, torch.int64: torch.int32}
    for draw in (
        lambda: sd.vocabulary.gumbel_max(hidden, weight, group=group, key=KEY, return_log_prob=True).log_prob,
        lambda: sd.vocabulary.gumbel_softmax(hidden, weight, weight, 0.7, True, group=group, key=KEY),
    ):
        saved, change = [], {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, saved=saved: saved.append(tensor) or len(saved) - 1,
            lambda number, saved=saved, change=change: saved[number].to(
                change.get(number, saved[number].dtype)
            ),
        ):
            loss = draw().sum()
        assert len(saved) > 5
        for number, tensor in enumerate(saved):
            change.clear()
            change[number] = other[tensor.dtype]
            with pytest.raises(TypeError, match="from a saved-tensor hook, expected"):
                loss.backward(retain_graph=True)


def mistakes_are_named(mesh, rank):
    hidden, weight = torch.zeros(2, 3), torch.zeros(4, 3)
    for dim, error in (("rows", ValueError), (2, ValueError), (0.0, TypeError)):
        with pytest.raises(error, match=r"group: got .* dimension of the mesh"):
            sd.vocabulary.gumbel_max(hidden, weight, group=(mesh, dim))
    for group, error in ((mesh, ValueError), ("tensor", TypeError), (3, TypeError)):
        with pytest.raises(error, match=r"group: got .*, expected a process group"):
            sd.vocabulary.gumbel_max(hidden, weight, group=group)
    two = dist.new_group([0, 1])
    if rank > 1:
        with pytest.raises((ValueError, TypeError), match=r"group: got"):
            sd.vocabulary.gumbel_max(hidden, weight, group=two)


def on_a_rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=4)
    mesh = dist.init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    line = dist.new_group([0, 1, 2, 3])
    half = mesh.get_local_rank("tensor")
    index_and_its_law(mesh["tensor"], half, [7, 2])
    index_and_its_law((mesh, "tensor"), half, [5, 5], torch.float32)
    index_and_its_law(line, rank, [3, 1, 1, 6])
    mixtures(mesh["tensor"], half, [7, 2])
    mixtures(line, rank, [3, 1, 1, 6], torch.float32)
    ties_go_to_the_lower_class(line, rank, [3, 1, 1, 6])
    fresh_keys_are_agreed_on(line, rank, [30, 1, 1, 60])
    dtensors_say_who_has_which_classes(mesh)
    another_dtype_from_a_hook_is_refused(line, rank, [3, 1, 1, 6])
    mistakes_are_named(mesh, rank)
    dist.barrier()  # or one process may tear down what the other still uses
    dist.destroy_process_group()


def compiled_on_a_rank(rank, folder, sizes):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=len(sizes))
    a_graph_draws_the_same(dist.group.WORLD, rank, sizes)
    dist.barrier()
    dist.destroy_process_group()


def test_a_split_head_draws_what_the_whole_head_does(tmp_path):
    mp.spawn(on_a_rank, args=(tmp_path,), nprocs=4)


#: each rank compiles for itself, so four take long
@pytest.mark.parametrize("sizes", [[3, 8], pytest.param([3, 1, 1, 6], marks=pytest.mark.slow)])
def test_a_compiled_graph_draws_the_same(tmp_path, sizes):
    mp.spawn(compiled_on_a_rank, args=(tmp_path, sizes), nprocs=len(sizes))
