"""``is_worker``: which of the processes of a fit writes its results."""

import os

from torch.distributed import is_torchelastic_launched

from softdraw.molecules.errors import OptionError

__all__ = ["is_worker"]


def is_worker(devices: int = 1, strategy: str = "auto") -> bool:
    """Whether this process was started by another to help it fit with these options.

    Lightning is asked, which alone knows how processes find each other; one process that fits on its own is
    never a worker, whatever ``RANK`` or ``SLURM_PROCID`` are left over from the job around it.

    Args:
        devices: processes that fit on this machine.
        strategy: how they work together, as Lightning names it.

    Raises:
        OptionError: torchrun started several processes, and the options let each of them fit on its own.
    """
    if devices == 1 and strategy == "auto":
        count = int(os.environ.get("WORLD_SIZE", "1")) if is_torchelastic_launched() else 1
        if count > 1:
            raise OptionError(
                f"--devices: got 1 in one of {count} processes that torchrun started, which would all write "
                f"the same files; expected --devices {count} --strategy ddp, or no torchrun"
            )
        return False
    from softdraw.molecules.fitting.trainer import rank_of_this_process

    return rank_of_this_process(devices, strategy) > 0
