"""How a key is derived from a key: a bijective mix of 64-bit words, in Python ints.

A compiled graph computes the same with tensors (``key_state``), so both are pinned by the same golden values.
"""

__all__ = ["MASK64", "fold", "signed", "split_seed"]

MASK64 = 0xFFFFFFFFFFFFFFFF
_GOLDEN = 0x9E3779B97F4A7C15
_SPLIT = 0xD1B54A32D192ED03


def _mix(word: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014; Stafford's variant 13)."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK64
    return word ^ (word >> 31)


def _derived(seed: int, data: int, constant: int) -> int:
    # A sum of unlike terms: were seed and data mixed alike, equal ones would cancel and give seed 0 again.
    return signed(_mix((_mix((seed + constant) & MASK64) + data * constant + constant) & MASK64))


def signed(word: int) -> int:
    """The 64-bit two's complement number with the low 64 bits of ``word``."""
    word &= MASK64
    return word - 0x10000000000000000 if word >= 0x8000000000000000 else word


def fold(seed: int, data: int) -> int:
    """The signed seed of sub-stream ``data``: for one seed a bijection of ``data``."""
    return _derived(seed, data, _GOLDEN)


def split_seed(seed: int, number: int) -> int:
    """The signed seed of part ``number``; another constant than ``fold``, so the two never share a stream."""
    return _derived(seed, number, _SPLIT)
