"""Checkpoints of sharded models, whole or in parts, bring every kind of temperature back."""

import torch
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)
from torch.distributed.fsdp import fully_shard

import softdraw as sd

from ..schedules.examples import EXAMPLES as SCHEDULES
from ..schedules.examples import advance


def load_sharded(rank, world, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world
    )
    mesh = torch.distributed.init_device_mesh("cpu", (world,))

    def model():
        layers = [sd.nn.GumbelSoftmax(SCHEDULES[kind]()) for kind in SCHEDULES]
        return fully_shard(torch.nn.Sequential(torch.nn.Linear(4, 3), *layers), mesh=mesh)

    def positions(model):
        return [(layer.schedule.step_count, layer.schedule.value) for layer in model[1:]]

    saved = model()
    for layer in saved[1:]:
        advance(layer.schedule, 6)
    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(saved, options=whole)
    whole.broadcast_from_rank0 = True
    fresh = model()
    set_model_state_dict(fresh, state if rank == 0 else {}, options=whole)
    assert positions(fresh) == positions(saved)
    dcp.save(get_model_state_dict(saved), checkpoint_id=folder / "dcp")
    fresh = model()
    state = get_model_state_dict(fresh)
    dcp.load(state, checkpoint_id=folder / "dcp")
    set_model_state_dict(fresh, state)
    assert positions(fresh) == positions(saved)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_sharded_models_bring_their_temperatures_back(tmp_path):
    mp.spawn(load_sharded, args=(2, tmp_path), nprocs=2)
