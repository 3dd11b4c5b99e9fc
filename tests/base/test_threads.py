"""Threads keep the order, hold little, and raise what their work raises."""

import time

import pytest

from fakeinstruct.base.threads import BATCH, in_threads


def test_results_come_in_the_order_of_the_items():
    def slow(number):
        time.sleep(0.002 * (number % 3))
        return number

    assert list(in_threads(slow, range(200))) == list(range(200))


def test_no_more_than_a_batch_is_taken_ahead():
    taken = []

    def items():
        for number in range(10 * BATCH):
            taken.append(number)
            yield number

    results = in_threads(lambda number: number, items())
    next(results)
    assert len(taken) == BATCH


def test_an_error_in_the_work_ends_the_run():
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 / number, [1, 0]))
