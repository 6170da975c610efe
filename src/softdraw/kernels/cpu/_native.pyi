from torch import Tensor

def run(
    operation: int,
    dtype: int,
    samples: int,
    rows: int,
    classes: int,
    threads: int,
    /,
    *,
    out: Tensor | None = None,
    index: Tensor | None = None,
    grad: Tensor | None = None,
    values: Tensor | None = None,
    mask: Tensor | None = None,
    mask_stride: int = 0,
    tau: float | Tensor = 1.0,
    seed: int = 0,
    offset: int = 0,
    law: int = 0,
    draws: int = 1,
    group: int = 1,
    sizes: tuple[int, ...] = ...,
    class_start: int = ...,
) -> None: ...
def run_structure(
    operation: int,
    rows: int,
    items: int,
    size: int,
    samples: int,
    most: int,
    tolerance: float,
    logits: int,
    other: int,
    value: int,
    out: int,
    more: int,
    piece: int,
    helpers: int,
    threads: int,
    /,
) -> None: ...
def instructions() -> str: ...
def use_instructions(name: str, /) -> bool: ...
def use_team(address: int, /) -> None: ...
