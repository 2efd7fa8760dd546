"""unsettled.py: which messages an ACK covers."""

from __future__ import annotations

from stomp_tx.client.session.unsettled import Unsettled
from stomp_tx.wire.frame import Frame

A, B, C = (Frame("MESSAGE", {"ack": name}) for name in "abc")


def made() -> Unsettled:
    unsettled = Unsettled()
    for number, frame in enumerate((A, B, C), 1):
        unsettled.add(number, frame)
    return unsettled


def test_one_by_itself() -> None:
    unsettled = made()
    assert unsettled.take(2, with_earlier=False) == {2: B}
    assert unsettled.frames() == [A, C]
    assert 2 not in unsettled and 3 in unsettled


def test_one_with_all_before_it() -> None:
    unsettled = made()
    assert unsettled.take(2, with_earlier=True) == {1: A, 2: B}
    assert unsettled.frames() == [C]


def test_what_is_restored_is_in_its_place() -> None:
    unsettled = made()
    unsettled.restore(unsettled.take(2, with_earlier=True))
    assert unsettled.frames() == [A, B, C]


def test_it_is_acknowledged_once() -> None:
    unsettled = made()
    assert (unsettled.pop(1), unsettled.pop(1)) == (True, False)


def test_when_the_connection_is_gone_nothing_is_to_be_acknowledged() -> None:
    unsettled = made()
    unsettled.go_stale(3)
    assert unsettled.frames() == []
    assert (unsettled.is_stale(3), unsettled.is_stale(4)) == (True, False)
