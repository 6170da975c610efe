"""An element's noise depends on its class, row and sample alone."""

import os
import tempfile

import pytest
import torch
import torch.multiprocessing

import softdraw as sd

KEY = sd.Key(2024)


def test_chunks_are_the_whole():
    whole = sd.random.uniform((10, 7), sample_shape=(3,), key=KEY)
    for cut in (1, 4, 9):
        head = sd.random.uniform((cut, 7), sample_shape=(3,), key=KEY)
        tail = sd.random.uniform((10 - cut, 7), sample_shape=(3,), key=KEY.rows(cut))
        assert torch.equal(torch.cat((head, tail), 1), whole)


def test_batch_dims_are_counted_in_order():
    whole = sd.random.uniform((12, 7), key=KEY)
    assert torch.equal(sd.random.uniform((3, 4, 7), key=KEY).flatten(0, 1), whole)


def test_more_classes_and_samples_leave_the_first_as_they_are():
    few = sd.random.uniform((5, 6), key=KEY)
    assert torch.equal(sd.random.uniform((5, 4099), sample_shape=(2,), key=KEY)[0, :, :6], few)


def test_offsets_cross_32_and_64_bits():
    for start in (2**32 - 2, 2**64 - 2):
        whole = sd.random.uniform((4, 3), key=KEY.rows(start))
        rest = sd.random.uniform((2, 3), key=KEY.rows(start + 2))
        assert torch.equal(whole[2:], rest)
    assert torch.equal(
        sd.random.uniform((4, 3), key=KEY.rows(2**64 - 2))[2:], sd.random.uniform((2, 3), key=KEY)
    )
    high = sd.random.uniform((1, 3), key=KEY.rows(2**32))
    assert not torch.equal(high, sd.random.uniform((1, 3), key=KEY))


def test_dim_and_strides_change_nothing():
    logits = torch.randn(6, 5, 8)
    plain = sd.gumbel_softmax(logits, key=KEY)
    moved = sd.gumbel_softmax(logits.movedim(-1, 0).contiguous(), dim=0, key=KEY)
    assert torch.equal(moved.movedim(0, -1), plain)
    strided = torch.zeros(6, 10, 16)[:, ::2, ::2].copy_(logits)
    assert torch.equal(sd.gumbel_softmax(strided, key=KEY), plain)
    transposed = logits.transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(sd.gumbel_softmax(transposed, key=KEY), plain)
    expanded = logits[:1].expand(6, 5, 8)
    assert torch.equal(sd.gumbel_softmax(expanded, key=KEY), sd.gumbel_softmax(expanded.clone(), key=KEY))
    assert torch.equal(sd.gumbel_max(logits.movedim(-1, 1), 1, key=KEY), sd.gumbel_max(logits, key=KEY))


def test_samples_are_those_of_the_noise():
    logits = torch.randn(4, 6)
    noise = sd.random.gumbel((4, 6), sample_shape=(2, 3), key=KEY)
    index = sd.gumbel_max(logits, sample_shape=(2, 3), key=KEY)
    # Ties aside, which have probability 2^-20 here, adding before or after the shift picks the same class.
    assert torch.equal(index, (logits + noise).argmax(-1))
    assert torch.equal(index[0, 0], sd.gumbel_max(logits, key=KEY))


def _rank(rank, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    logits = torch.arange(40.0).view(8, 5) / 10
    mine = sd.gumbel_softmax(logits[rank * 4 : rank * 4 + 4], key=KEY.rows(rank * 4))
    parts = [torch.empty_like(mine) for _ in range(2)]
    torch.distributed.all_gather(parts, mine)
    if rank == 0:
        torch.save(torch.cat(parts), os.path.join(folder, "parts.pt"))
    torch.distributed.barrier()  # or one process may tear down what the other still uses
    torch.distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore")  # gloo warns about host names that do not resolve
def test_two_gloo_ranks_draw_what_the_whole_batch_would():
    if not torch.distributed.is_available():
        pytest.skip("torch was built without torch.distributed")
    with tempfile.TemporaryDirectory() as folder:
        processes = torch.multiprocessing.get_context("fork")
        ranks = [processes.Process(target=_rank, args=(rank, folder)) for rank in range(2)]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(60)
        assert [process.exitcode for process in ranks] == [0, 0]
        parts = torch.load(os.path.join(folder, "parts.pt"))
    logits = torch.arange(40.0).view(8, 5) / 10
    assert torch.equal(parts, sd.gumbel_softmax(logits, key=KEY))
