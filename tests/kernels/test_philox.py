"""The generator against the known answers published with Random123 (Salmon et al., SC 2011)."""

import pytest
import torch

from softdraw.kernels.philox import philox

ONES = 0xFFFFFFFF
ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), ANSWERS)
def test_known_answers(counter, key, expected):
    words = philox(tuple(torch.tensor(word) for word in counter), key)
    assert tuple(int(word) for word in words) == expected


def test_counters_broadcast():
    zero = torch.tensor(0)
    words = philox((torch.arange(3), torch.arange(2).unsqueeze(1), zero, zero), (0, 0))
    assert all(word.shape == (2, 3) for word in words)
    alone = philox((torch.tensor(2), torch.tensor(1), zero, zero), (0, 0))
    assert [int(word[1, 2]) for word in words] == [int(word) for word in alone]
