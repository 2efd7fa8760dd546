"""lines.py: lines as they come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from stomp_tx.cli import lines
from stomp_tx.cli.lines import Lines
from stomp_tx.errors import LimitExceeded


class Pipe:
    def __init__(self) -> None:
        self.paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False


def made() -> Any:
    coming = Lines()
    coming._pipe = Pipe()  # type: ignore[assignment]
    return coming


def everything(coming: Lines) -> list[bytes]:
    async def read() -> list[bytes]:
        return [line async for line in coming]

    results: list[Any] = []
    reading = Deferred.fromCoroutine(read())
    reading.addBoth(results.append)
    coming.connectionLost()
    if not isinstance(results[0], list):
        results[0].raiseException()
    found: list[bytes] = results[0]
    return found


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))), st.data())
def test_they_are_the_same_however_they_come(given: list[bytes], data: Any) -> None:
    octets = b"".join(line + b"\r\n" for line in given)
    coming = made()
    while octets:
        cut = data.draw(st.integers(1, len(octets)))
        coming.dataReceived(octets[:cut])
        octets = octets[cut:]
    assert everything(coming) == given


def test_the_last_one_needs_no_end() -> None:
    coming = made()
    coming.dataReceived(b"one\ntwo")
    assert everything(coming) == [b"one", b"two"]


def test_no_more_is_read_than_is_wanted() -> None:
    coming = made()
    coming.dataReceived(b"x\n" * lines.ENOUGH)
    assert coming._pipe.paused
    assert len(everything(coming)) == lines.ENOUGH
    assert not coming._pipe.paused


def test_one_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 10)
    coming = made()
    coming.dataReceived(b"x" * 6)
    coming.dataReceived(b"x" * 6)
    with pytest.raises(LimitExceeded):
        everything(coming)
