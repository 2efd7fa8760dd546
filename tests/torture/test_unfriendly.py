"""What unfriendly clients say is legal.  How the broker bears it: ``make torture``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from stomp_tx.wire.commands import V12
from stomp_tx.wire.parser import FrameParser
from tests.torture.unfriendly.bars import RESIDENT, STOP, WAIT, Claim, Measured, table
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.catalogue import CASES, OPEN, named
from tests.torture.unfriendly.load import Load, Over
from tests.torture.unfriendly.settings import KINDS, options, write_users
from tests.torture.unfriendly.victim import victim

LITTLE = 0.005
CLIENTS = {
    *("CONNECT", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT"),
}
ANSWERS = (
    "queue full",
    "too many",
    "no such",
    "access refused",
    "not allowed",
)
"""What an ERROR may be about: limits, rights, and what was there a moment before."""


class Language:
    """Reads what one client says as a broker would.  Raises FrameError."""

    def __init__(self) -> None:
        self._parser = FrameParser()
        self.commands: list[str] = []

    def said(self, octets: bytes) -> None:
        self._parser.feed(octets)
        while (frame := self._parser.next_frame()) is not None:
            self.commands.append(frame.command)
            self._parser.version = V12

    @property
    def is_amid_frame(self) -> bool:
        return self._parser.is_amid_frame


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("broker")
    write_users(folder / "users")
    with victim(folder, options(folder, "defaults", folder / "users", (), ""), 300.0) as broker:
        yield broker.running.port()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_says_what_is_legal(port: int, case: type[Case], kind: str) -> None:
    languages: list[Language] = []

    def listen() -> Callable[[bytes], None]:
        languages.append(Language())
        return languages[-1].said

    one = case(kind, Random(1), LITTLE)
    load = Load(port, 3.0, said=listen)
    clients = []
    try:
        for work in (one.run, one.look):
            try:
                work(load)
            except Over:
                pass
            clients += load.clients
            load.ends += 1.0
    finally:
        load.close()
    assert not any(language.is_amid_frame for language in languages)
    said = {command for language in languages for command in language.commands}
    assert {"CONNECT", "SEND"} & said and said <= CLIENTS
    errors = [error.decode() for client in clients for error in client.errors]
    assert not [error for error in errors if not any(answer in error for answer in ANSWERS)]


def test_cases_are_named() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.__doc__ for case in CASES)
    assert {case.name for case in named(["4e", "mix"])} == {
        "4e-transactions",
        "4e-queues",
        "4e-readers",
        "mix",
    }
    with pytest.raises(KeyError):
        named(["4e", "5"])
    assert set(OPEN) <= {(case.name, kind) for case in CASES for kind in KINDS}


def test_a_bar_is_missed_or_not() -> None:
    good = Measured("x", "defaults", 1, wait=WAIT, stored=WAIT, peak=RESIDENT, stop=STOP)
    assert good.verdict == "pass" and not good.counts
    bad = Measured("x", "defaults", 1, wait=1.0, stored=1.0, peak=RESIDENT + 1, stop=None)
    bad.claims = [Claim("work done", False, "1 of 2")]
    assert bad.verdict == "FAIL: wait, stored wait, memory, stop, work done" and bad.counts
    bad.open = "account"
    assert bad.verdict.startswith("open") and not bad.counts
    good.open = "account"
    assert good.verdict == "pass (marked open)"
    assert len(table([good, bad]).splitlines()) == 3
