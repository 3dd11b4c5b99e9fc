import os
import signal
from itertools import count, islice

import pytest

from fakeinstruct.base.errors import FakeInstructError
from fakeinstruct.expand.pool import in_order


def double(shared, piece):
    return shared * piece


def die(shared, piece):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers):
    assert list(in_order(range(9), double, 2, workers)) == [0, 2, 4, 6, 8, 10, 12, 14, 16]


def test_work_is_read_only_as_fast_as_it_is_done():
    taken = []
    endless = (taken.append(number) or number for number in count())
    assert list(islice(in_order(endless, double, 2, 2), 3)) == [0, 2, 4]
    assert len(taken) <= 3 + 2 * 2


def test_a_killed_worker_is_one_clear_error():
    with pytest.raises(FakeInstructError, match="ended from outside"):
        list(in_order(range(3), die, None, 2))
