"""Work that two gloo processes do together."""

import pickle
import traceback

import torch.distributed as dist
import torch.multiprocessing as mp


def on_two_ranks(folder, work, *given):
    """Let two processes call ``work(group, folder, *given)``; their results. Fails as one of them does."""
    context = mp.get_context("spawn")
    told = context.SimpleQueue()
    processes = [
        context.Process(target=_on_a_rank, args=(rank, folder, told, work, given)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    found = {rank: pickle.loads(result) for rank, result in (told.get() for _ in processes)}
    for process in processes:
        process.join()
    for failed, result in found.values():
        assert not failed, result
    return [found[rank][1] for rank in range(2)]


def _on_a_rank(rank, folder, told, work, given):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    try:
        found = False, work(dist.group.WORLD, folder, *given)
    except Exception as error:
        found = True, "".join(traceback.format_exception(error))
    # as bytes: tensors would be shared with a process that has ended by then
    told.put((rank, pickle.dumps(found)))
    dist.destroy_process_group()
