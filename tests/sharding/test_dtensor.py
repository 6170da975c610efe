"""A DTensor of logits draws what one process with all of them draws: four ranks, meshes of 4 and 2 x 2."""

import itertools
import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

import softdraw as sd

KEY = sd.Key(11, offset=2**32 - 3)
WHOLE = Replicate()


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def meshes():
    """(mesh, placements of [rows, columns, classes]): each dim cut in 2 and 4, and two dims at once."""
    line = dist.init_device_mesh("cpu", (4,))
    square = dist.init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    for dim in range(3):
        yield line, (Shard(dim),)
        yield square, (WHOLE, Shard(dim))
        yield square, (Shard(dim), Shard(dim))
    for one, other in ((0, 2), (2, 0), (0, 1), (1, 2)):
        yield square, (Shard(one), Shard(other))
    yield square, (Shard(-1), WHOLE)
    yield square, (WHOLE, WHOLE)


def spread(x, mesh, placements):
    """A DTensor leaf of ``x``, which all ranks have."""
    return distribute_tensor(x.detach().clone(), mesh, placements).requires_grad_(x.requires_grad)


def whole(y):
    assert isinstance(y, DTensor)
    return y.full_tensor()


def every_placement_draws_the_same():
    for mesh, placements in meshes():
        # uneven, with fewer classes or rows than ranks, with more pieces of rows than are drawn one by one
        for number, shape in enumerate(((5, 3, 7), (1, 6, 3), (70, 5, 1))):
            x = normal(*shape).requires_grad_()
            weight = normal(*shape, seed=1)
            d = spread(x, mesh, placements)
            said = f"{mesh.shape} {placements} {shape}"
            for dim in (-1, 1) if number == 0 else (-1,):
                samples = (2, 2) if number == 0 else ()
                options = {"dim": dim, "sample_shape": samples, "key": KEY}
                assert torch.equal(whole(sd.gumbel_max(d, **options)), sd.gumbel_max(x, **options)), said
                hard = number == 1 or dim == 1
                y, z = (sd.gumbel_softmax(one, 0.7, hard, dim=dim, key=KEY) for one in (x, d))
                assert z.placements == tuple(d.placements)
                assert z.to_local().is_contiguous()
                torch.testing.assert_close(whole(z), y, rtol=0 if hard else 1e-5, atol=0 if hard else 1e-6)
                (mine,) = torch.autograd.grad((y * weight).sum(), x)
                (ours,) = torch.autograd.grad((z * spread(weight, mesh, placements)).sum(), d)
                torch.testing.assert_close(whole(ours), mine, msg=said)
            y, z = (sd.gumbel_sigmoid(one, 0.7, key=KEY) for one in (x, d))
            torch.testing.assert_close(whole(z), y, rtol=1e-5, atol=1e-6)
            y, z = (sd.gumbel_sigmoid(one, 0.7, True, key=KEY) for one in (x, d))
            assert torch.equal(whole(z), y), said


def some(mesh):
    """Placements that take each way through the code: classes, rows in one piece and in many, all."""
    return ((Shard(2), WHOLE), (Shard(0), Shard(2)), (Shard(1), WHOLE), (WHOLE, WHOLE), (Shard(2), Shard(2)))


def gradients_are_those_of_one_process(mesh):
    weight = normal(3, 2, 7, seed=1, dtype=torch.float64)
    taus = [
        0.6,
        torch.tensor(0.6),
        *(0.5 + normal(*s, seed=2).abs() for s in ((2,), (3, 2), (3, 2, 1), (1, 1, 1))),
    ]
    noises = [None, normal(3, 2, 7, seed=3, dtype=torch.float64), normal(7, seed=4, dtype=torch.float64)]
    cases = itertools.product(some(mesh), zip(taus, itertools.cycle(noises), strict=False), (False, True))
    for number, (placements, (tau, noise), hard) in enumerate(cases):
        draw = sd.gumbel_sigmoid if number % 3 == 0 else sd.gumbel_softmax
        x = normal(3, 2, 7, dtype=torch.float64).requires_grad_()
        found = []
        for logits, w in ((x, weight), (spread(x, mesh, placements), spread(weight, mesh, placements))):
            t, n = (
                v.detach().double().requires_grad_() if isinstance(v, torch.Tensor) else v
                for v in (tau, noise)
            )
            y = draw(logits, t, hard, **({"key": KEY} if n is None else {"noise": n}))
            leaves = [v for v in (logits, t, n) if isinstance(v, torch.Tensor)]
            found.append([y, *torch.autograd.grad((y * w).sum(), leaves)])
        for one, other in zip(*found, strict=True):
            other = other.full_tensor() if isinstance(other, DTensor) else other
            torch.testing.assert_close(other, one, rtol=1e-8, atol=1e-8)


def dtensors_serve_as_temperature_mask_and_noise(mesh):
    x, mask = normal(4, 2, 6), normal(4, 2, 6, seed=1) > 0
    tau, noise = normal(4, 2, 1, seed=2).abs(), normal(4, 2, 6, seed=3)
    for placements in some(mesh):
        d = spread(x, mesh, placements)
        for have in ((WHOLE, WHOLE), (Shard(0), WHOLE)):
            t, n = (distribute_tensor(v, mesh, have).requires_grad_() for v in (tau, noise))
            z = sd.gumbel_softmax(d, t, mask=distribute_tensor(mask, mesh, have), noise=n)
            a, b = tau.clone().requires_grad_(), noise.clone().requires_grad_()
            y = sd.gumbel_softmax(x, a, mask=mask, noise=b)
            torch.testing.assert_close(whole(z), y)
            (y * noise).sum().backward()
            (z * spread(noise, mesh, placements)).sum().backward()
            torch.testing.assert_close(t.grad.full_tensor(), a.grad)
            torch.testing.assert_close(n.grad.full_tensor(), b.grad)
        for m in (mask, mask[:, :1], mask[0, 0], mask[..., :1]):
            assert torch.equal(whole(sd.gumbel_max(d, mask=m, key=KEY)), sd.gumbel_max(x, mask=m, key=KEY))
            y, z = (sd.gumbel_softmax(one, 0.5, True, mask=m, key=KEY) for one in (x, d))
            assert torch.equal(whole(z), y)
            y, z = (sd.gumbel_sigmoid(one, mask=m, key=KEY) for one in (x, d))
            torch.testing.assert_close(whole(z), y)
        odds = noise[:, :, None].expand(4, 2, 3, 6).movedim(2, 0)
        assert torch.equal(
            whole(sd.gumbel_max(d, sample_shape=(3,), noise=odds)),
            sd.gumbel_max(x, sample_shape=(3,), noise=odds),
        )


def awkward_rows(line, square):
    """Ties, rows and shards without a class, NaN, infinities, overflow: in each dtype, at limits of tau."""
    top = torch.finfo(torch.float32).max
    rows = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, -0.0, 0.0, -0.0, 0.0, -0.0],
            [-math.inf] * 6,
            [-math.inf, -math.inf, -math.inf, -math.inf, 1.0, 2.0],
            [-math.inf, 3.0, -math.inf, -math.inf, -math.inf, -math.inf],
            [0.0, 1.0, 2.0, 3.0, math.nan, 4.0],
            [math.inf, 1.0, 2.0, 3.0, 5.0, 4.0],
            [math.inf, 1.0, 2.0, math.nan, 5.0, math.inf],
            [top, -top, -top, -top, -top, -top],
            [-top, -math.inf, -math.inf, -math.inf, -math.inf, -top],
            [1e6, 1e6 + 1, 1e6, 1e6, 1e6, 1e6],
            [-5.0, -4.0, -3.0, -2.0, -1.0, 0.0],
        ]
    )
    quiet = torch.zeros(6)
    loud = torch.tensor([0.0, math.nan, 0.0, 0.0, -math.inf, 0.0])
    for mesh, placements in (
        (line, (Shard(1),)),
        (square, (Shard(0), Shard(1))),
        (square, (Shard(1), Shard(1))),
    ):
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            x = rows.to(dtype)
            d = spread(x, mesh, placements)
            for source in ({"key": KEY}, {"noise": quiet}, {"noise": loud}):
                assert torch.equal(whole(sd.gumbel_max(d, **source)), sd.gumbel_max(x, **source)), (
                    dtype,
                    source,
                )
                limits = (0.0, 1e-30, 0.5, math.inf, torch.tensor([0.0, 1.0] * 6))
                for number, tau in enumerate(limits if dtype == torch.float32 else (0.5,)):
                    for hard in (number % 2 == 0,) if mesh is square else (False, True):
                        a, b = x.clone().requires_grad_(), spread(x, mesh, placements).requires_grad_()
                        y, z = (sd.gumbel_softmax(one, tau, hard, **source) for one in (a, b))
                        assert z.dtype == dtype
                        exact = {"rtol": 0, "atol": 0} if hard else {}
                        torch.testing.assert_close(whole(z), y, equal_nan=True, **exact)
                        with torch.no_grad():
                            assert torch.equal(
                                whole(sd.gumbel_softmax(b, tau, True, **source)).nan_to_num(7),
                                sd.gumbel_softmax(a, tau, True, **source).nan_to_num(7),
                            )
                        y.nan_to_num(0.0).sum().backward()
                        z.backward(torch.ones_like(z))
                        assert not b.grad.to_local().isnan().any()


def fresh_keys_are_agreed_on(mesh, rank):
    x = normal(4, 2, 5)
    for placements in some(mesh):
        d = spread(x, mesh, placements)
        for draw in (sd.gumbel_max, sd.gumbel_softmax, sd.gumbel_sigmoid):
            expected = draw(x, generator=torch.Generator().manual_seed(0))
            drawn = draw(d, generator=torch.Generator().manual_seed(rank))
            torch.testing.assert_close(whole(drawn), expected)
            torch.manual_seed(rank)
            first, second = whole(draw(d)), whole(draw(d))
            torch.manual_seed(0)
            torch.testing.assert_close(first, draw(x))
            torch.testing.assert_close(second, draw(x))


def other_forms_of_dtensors(mesh, rank):
    x = normal(4, 2, 6)
    parts = [normal(4, 2, 6, seed=seed) for seed in range(4)]
    d = DTensor.from_local(parts[rank], mesh, (Partial(), Partial())).requires_grad_()
    total = sum(parts)
    y, z = (sd.gumbel_softmax(one, key=KEY) for one in (total.requires_grad_(), d))
    torch.testing.assert_close(whole(z), y, rtol=1e-5, atol=1e-5)
    for vector in (normal(6), torch.tensor(0.3)):
        one = distribute_tensor(vector, mesh, (WHOLE, Shard(0) if vector.dim() else WHOLE))
        torch.testing.assert_close(whole(sd.gumbel_sigmoid(one, key=KEY)), sd.gumbel_sigmoid(vector, key=KEY))
        if vector.dim():
            assert whole(sd.gumbel_max(one, key=KEY)) == sd.gumbel_max(vector, key=KEY)
    empty = distribute_tensor(torch.zeros(0, 5), mesh, (Shard(0), Shard(1)))
    assert whole(sd.gumbel_max(empty, key=KEY)).shape == (0,)
    assert whole(sd.gumbel_softmax(empty, key=KEY)).shape == (0, 5)
    parameter = torch.nn.Parameter(distribute_tensor(x, mesh, (WHOLE, Shard(2))))
    sd.gumbel_softmax(parameter, key=KEY).square().sum().backward()
    assert parameter.grad.placements == parameter.placements


def mistakes_are_named(mesh, line, rank):
    d = distribute_tensor(normal(4, 2, 6), mesh, (WHOLE, Shard(2)))
    elsewhere = distribute_tensor(torch.ones(6, dtype=torch.bool), line, (WHOLE,))
    part = dist.DeviceMesh("cpu", [0, 1])
    for error, said, call in (
        (ValueError, r"sizes: got .*, expected None beside", lambda: sd.gumbel_max(d, sizes=[3, 3])),
        (ValueError, r"sizes: got .*, expected None beside", lambda: sd.gumbel_softmax(d, sizes=[3, 3])),
        (ValueError, "mask: got .*on the mesh of the logits", lambda: sd.gumbel_max(d, mask=elsewhere)),
        (
            ValueError,
            "mask: got .*broadcasts",
            lambda: sd.gumbel_max(d, mask=torch.ones(3, dtype=torch.bool)),
        ),
        (TypeError, r"mask: got .*bool", lambda: sd.gumbel_max(d, mask=torch.ones(6))),
        (TypeError, "noise: got", lambda: sd.gumbel_softmax(d, noise=torch.ones(6).long())),
        (ValueError, "tau: got", lambda: sd.gumbel_softmax(d, -1.0)),
        (ValueError, "tau: got", lambda: sd.gumbel_softmax(d, torch.ones(6))),
        (ValueError, "tau: got", lambda: sd.gumbel_softmax(d, torch.tensor(-1.0))),
        (ValueError, "dim: got 3", lambda: sd.gumbel_max(d, 3)),
        (ValueError, "key and generator", lambda: sd.gumbel_max(d, key=KEY, generator=torch.Generator())),
        (TypeError, "key: got 3", lambda: sd.gumbel_sigmoid(d, key=3)),
        (TypeError, "logits: got", lambda: sd.gumbel_sigmoid(distribute_tensor(torch.ones(4).long(), mesh))),
    ):
        with pytest.raises(error, match=said):
            call()
    if rank > 1:
        outside = DTensor.from_local(torch.zeros(2, 3), part, (WHOLE,), run_check=False)
        with pytest.raises(ValueError, match=r"logits: got .*a mesh that this rank is in"):
            sd.gumbel_max(outside, key=KEY)


def a_graph_draws_the_same(mesh, rank):
    def step(logits, weight, key):
        y = sd.gumbel_softmax(logits, 0.5, key=key) + sd.gumbel_softmax(logits, 0.5, True, key=key)
        y = y + sd.gumbel_sigmoid(logits, 0.5, key=key)
        return y.detach(), (y * weight).sum(), sd.gumbel_max(logits, key=key), sd.gumbel_max(logits)

    x, weight = normal(6, 4, 5).requires_grad_(), normal(6, 4, 5, seed=1)
    y, loss, index, _ = step(x, weight, KEY)
    (grad,) = torch.autograd.grad(loss, x)
    torch._dynamo.reset()
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    placements = Shard(0), Shard(2)
    d = spread(x, mesh, placements)
    torch.manual_seed(rank)
    z, loss, found, fresh = compiled(d, spread(weight, mesh, placements), KEY)
    loss.backward()
    torch.testing.assert_close(whole(z), y)
    assert torch.equal(whole(found), index)
    torch.testing.assert_close(whole(d.grad), grad)
    again = whole(compiled(d, spread(weight, mesh, placements), KEY)[3])
    fresh = whole(fresh)
    assert not torch.equal(fresh, again)
    every = [torch.empty_like(fresh) for _ in range(dist.get_world_size())]
    dist.all_gather(every, fresh)
    assert all(torch.equal(fresh, one) for one in every)


def on_a_rank(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=4)
    line, square = dist.init_device_mesh("cpu", (4,)), dist.init_device_mesh("cpu", (2, 2))
    every_placement_draws_the_same()
    gradients_are_those_of_one_process(square)
    dtensors_serve_as_temperature_mask_and_noise(square)
    awkward_rows(line, square)
    fresh_keys_are_agreed_on(square, rank)
    other_forms_of_dtensors(square, rank)
    mistakes_are_named(square, line, rank)
    dist.barrier()  # or one process may tear down what the other still uses
    dist.destroy_process_group()


def compiled_on_a_rank(rank, folder, shape):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=math.prod(shape)
    )
    a_graph_draws_the_same(dist.init_device_mesh("cpu", shape), rank)
    dist.barrier()
    dist.destroy_process_group()


def test_a_dtensor_draws_what_one_process_does(tmp_path):
    mp.spawn(on_a_rank, args=(tmp_path,), nprocs=4)


#: rows over the first dimension, classes over the second: each rank compiles for itself, so four take long
@pytest.mark.parametrize("shape", [(1, 2), pytest.param((2, 2), marks=pytest.mark.slow)])
def test_a_compiled_graph_draws_the_same(tmp_path, shape):
    mp.spawn(compiled_on_a_rank, args=(tmp_path, shape), nprocs=math.prod(shape))
