"""back_off.py: how long a client waits."""

from random import Random

import pytest

from stomp_tx.client import Retry
from stomp_tx.client.reconnecting.back_off import SLOWER, BackOff


def waits(retry: Retry, count: int, is_refused: bool = False) -> list[float]:
    back_off = BackOff(retry, Random(1))
    return [back_off.failed(is_refused) for _ in range(count)]


def test_each_wait_is_longer_up_to_the_longest() -> None:
    assert waits(Retry(initial=1, factor=2, maximum=8, jitter=0), 6) == [1, 2, 4, 8, 8, 8]
    assert waits(Retry(initial=1, factor=2, maximum=8, jitter=0), 100_000)[-1] == 8


@pytest.mark.parametrize(("failures", "longest"), [(1, 1), (2, 2), (4, 8)])
def test_part_of_each_wait_is_random(failures: int, longest: float) -> None:
    retry, random = Retry(initial=1, factor=2, maximum=8, jitter=0.5), Random(1)
    found = []
    for _ in range(200):
        back_off = BackOff(retry, random)
        found.append([back_off.failed(False) for _ in range(failures)][-1])
    assert 0.9 * longest < max(found) < longest
    assert min(found) >= longest / 2


def test_after_refused_logins_they_begin_where_the_others_end() -> None:
    retry = Retry(initial=1, factor=2, maximum=8, jitter=0)
    assert waits(retry, 3, is_refused=True) == [8, 16, 32]
    assert waits(retry, 20, is_refused=True)[-1] == SLOWER * 8


def test_only_a_connection_that_has_lasted_makes_the_next_wait_short() -> None:
    back_off = BackOff(Retry(initial=1, factor=2, maximum=8, jitter=0), Random(1))
    assert [back_off.lost(lasted) for lasted in (7.9, 0, 8, 0)] == [1, 2, 1, 2]


def test_failures_are_counted_in_a_row() -> None:
    back_off = BackOff(Retry(attempts=2), Random(1))
    back_off.failed(False)
    assert (back_off.failures, back_off.is_enough) == (1, False)
    back_off.failed(False)
    assert back_off.is_enough
    back_off.connected()
    assert (back_off.failures, back_off.is_enough) == (0, False)
    assert not BackOff(Retry(), Random(1)).is_enough
