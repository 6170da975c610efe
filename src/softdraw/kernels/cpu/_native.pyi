def run(
    operation: int,
    law: int,
    dtype: int,
    out: int,
    index: int,
    grad: int,
    logits: int,
    mask: int,
    mask_stride: int,
    samples: int,
    rows: int,
    classes: int,
    tau: float,
    row_tau: int,
    seed: int,
    offset: int,
    threads: int,
    draws: int,
    group: int,
    /,
) -> None: ...
def instructions() -> str: ...
def use_instructions(name: str, /) -> bool: ...
def use_team(address: int, /) -> None: ...
