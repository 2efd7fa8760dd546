"""default_logging.py: what a client warns of, where nobody logs."""

from __future__ import annotations

import pytest
from twisted.logger import Logger, LogLevel, LogPublisher

from stomp_tx.client import default_logging
from stomp_tx.client.default_logging import DefaultLogging


class Log:
    """Twisted's, before anybody has begun to log."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        observer = [].append
        self.publisher = LogPublisher()
        self.publisher.addObserver(observer)
        self._temporaryObserver: object = observer
        monkeypatch.setattr(default_logging, "globalLogPublisher", self.publisher)
        monkeypatch.setattr(default_logging, "globalLogBeginner", self)

    def says(self, text: str, level: LogLevel = LogLevel.warn, by: str = "stomp_tx.client.x") -> None:
        Logger(by, observer=self.publisher).emit(level, "{text}", text=text)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    return Log(monkeypatch)


def test_warnings_and_errors_are_shown_once(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    mine = DefaultLogging()
    mine.begin()
    mine.begin()
    log.says("no broker\nthere")
    log.says("given up", LogLevel.error)
    assert capsys.readouterr() == ("", "stomp-tx: no broker\\nthere\nstomp-tx: given up\n")


def test_nothing_else_is(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    mine = DefaultLogging()
    mine.begin()
    log.says("so what", LogLevel.info)
    log.says("Twisted shows it", LogLevel.critical)
    log.says("another's", by="stomp_tx.broker.x")
    log.says("another's", by="twisted.internet")
    mine.is_silent = True
    log.says("told elsewhere")
    assert capsys.readouterr() == ("", "")


def test_it_is_silent_where_somebody_logs(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    DefaultLogging().begin()
    observer = [].append
    log.publisher.addObserver(observer)
    log.says("seen elsewhere")
    log.publisher.removeObserver(observer)
    log._temporaryObserver = None  # so it is once logging has begun
    log.says("seen elsewhere")
    assert capsys.readouterr() == ("", "")


def test_it_does_without_stderr(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    DefaultLogging().begin()
    monkeypatch.setattr("sys.stderr", None)
    log.says("nobody hears")
