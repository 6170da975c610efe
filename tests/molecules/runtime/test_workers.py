import os
from functools import partial

import pytest

from softdraw.molecules.runtime.workers import cores, map_chunks


def of_this(size, chunk):
    return os.getpid(), sum(chunk) * size


def failing(chunk):
    if chunk == [5]:
        raise ValueError("five")
    return chunk


def test_results_come_in_the_order_of_the_chunks_that_are_read_a_few_ahead():
    read = []

    def chunks():
        for n in range(20):
            read.append(n)
            yield [n, n]

    here = list(map_chunks(partial(of_this, 3), chunks()))
    assert {pid for pid, _ in here} == {os.getpid()}
    read.clear()
    results = map_chunks(partial(of_this, 3), chunks(), 2)
    there = [next(results)]
    assert len(read) <= 5
    there += results
    assert [value for _, value in there] == [value for _, value in here] == [6 * n for n in range(20)]
    assert os.getpid() not in {pid for pid, _ in there}


def test_an_error_in_a_process_is_that_of_the_call():
    results = map_chunks(failing, ([n] for n in range(1000)), 2)
    assert [next(results) for _ in range(5)] == [[n] for n in range(5)]
    with pytest.raises(ValueError, match="five"):
        next(results)


def test_there_is_a_core():
    assert 1 <= cores() <= (os.cpu_count() or 1)
