"""Clients that others wrote (and ours), each kind in a process of its own, told what to do in the same words.

A driver is a small program around one client library (``python/``, ``node/``).  It reads requests from its
stdin and answers each on its stdout, as lines of JSON; bodies are in base64::

    {"connection": 1, "do": "send", "destination": "/queue/a", "body": "aGVsbG8=", "headers": {}}
    {"result": null}                                       or: {"failed": "what happened"}

    {"connection": 2, "do": "hears"}
    {"result": {"kind": "MESSAGE", "headers": {...}, "body": "aGVsbG8=", "key": 0}}
"""

from __future__ import annotations

import base64
import json
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.e2e.running import environment

HERE = Path(__file__).parent
NODE = HERE / "node"
PATIENCE = 30.0  # seconds for an answer; a driver itself waits ten for the broker


@dataclass(frozen=True)
class Kind:
    """One client library: what runs it, and what its API can and can't do."""

    name: str
    script: str
    versions: tuple[str, ...] = ("1.0", "1.1", "1.2")
    needs: str | None = None
    """The folder of node_modules that must be there."""

    garbles: Mapping[str, str] = field(default_factory=dict)
    """By version, a pattern: the header values that this library itself sends or reads wrong."""

    names: bool = False
    """Does it escape header names too, and read them so?"""

    settles_in_transactions: bool = True
    """Can ACK and NACK be part of a transaction?"""

    says_anything: bool = False
    """Can it be made to send a command that is none?"""

    another_version: bool = True
    """Can it be made to ask for a version that is none?"""

    @property
    def missing(self) -> str | None:
        """Why it can't run here; None: it can."""
        if self.script.endswith(".py"):
            if self.name == "stompman" and sys.version_info < (3, 11):
                return "stompman needs Python 3.11"
            return None
        if shutil.which("node") is None:
            return "JavaScript clients need node, which is not here"
        if not (NODE / "node_modules" / (self.needs or "")).is_dir():
            return f"{self.needs} is not installed: `make test` does it (npm ci in tests/interop/node)"
        return None

    @property
    def command(self) -> list[str]:
        if self.script.endswith(".py"):
            return [sys.executable, str(HERE / "python" / self.script)]
        return ["node", str(NODE / self.script)]


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "stomp-py",
            "with_stomp_py.py",
            garbles={"1.0": r"\\[nrc\\]"},  # it reads escapes in 1.0, which has none
            says_anything=True,
        ),
        Kind(
            "stompman",
            "with_stompman.py",
            versions=("1.2",),
            garbles={"1.2": r"\r"},  # it leaves carriage returns out
            names=True,
            settles_in_transactions=False,
            another_version=False,
        ),
        Kind("stompit", "with_stompit.mjs", needs="stompit", names=True, says_anything=True),
        Kind(
            "stompjs",
            "with_stompjs.mjs",
            needs="@stomp/tcp-wrapper",
            garbles={  # it trims; knows no escapes in 1.1; in 1.2 reads a backslash and an n as a line feed
                "1.0": r"^\s|\s$",
                "1.1": r"^\s|\s$|[:\n\\]",
                "1.2": r"^\s|\s$|\\[nrc]",
            },
        ),
        Kind("stomp-tx", "with_stomp_tx.py", names=True, another_version=False),
    )
}


class Failed(Exception):
    """A client could not do what it was told; the text is what it says about it."""


class Driver:
    """The process of one kind of client."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self._log = folder / f"{kind.name}.log"
        self._numbers = count(1)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                kind.command,
                cwd=folder,
                env=environment({"STOMP_SKIP_HOSTNAME_SCAN": "1"}),  # stomp-py asks the DNS when imported
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )

    def connection(self) -> Client:
        """A client that has yet to connect."""
        return Client(self, next(self._numbers))

    def ask(self, **request: Any) -> Any:
        """What the driver answers.  Raises Failed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            answer = json.loads(self._line(request))
        except (OSError, ValueError) as error:
            raise self._broken(f"{error!r} at {request['do']}") from error
        if "failed" in answer:
            raise Failed(f"{self.kind.name}, told to {request['do']}: {answer['failed']}")
        return answer["result"]

    def _line(self, request: Mapping[str, Any]) -> bytes:
        assert self._process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        pieces = []
        while True:
            if not select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise self._broken(f"no answer to {request['do']} within {PATIENCE:g} seconds")
            octets = self._process.stdout.read(1 << 20)
            if not octets:
                raise self._broken(f"it ended at {request['do']}, with {self._process.wait(PATIENCE)}")
            pieces.append(octets)
            if octets.endswith(b"\n"):
                return b"".join(pieces)

    def _broken(self, how: str) -> AssertionError:
        self._process.kill()
        self.stop()
        said = self._log.read_text(encoding="utf-8", errors="replace")[-3000:]
        return AssertionError(f"the driver of {self.kind.name} is broken: {how}\n{said}")

    @property
    def works(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process: at the end of its stdin it goes by itself."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@dataclass
class Message:
    """A MESSAGE (or an ERROR) as the client library shows it."""

    headers: dict[str, str]
    body: bytes
    key: int | None = None
    """What the driver knows it by, for ACK and NACK."""

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """One connection of a client library.  Each method returns once the library says that it is done."""

    def __init__(self, driver: Driver, number: int) -> None:
        self.kind = driver.kind
        self.open = False
        self._driver = driver
        self._number = number

    def _tell(self, do: str, **arguments: Any) -> Any:
        return self._driver.ask(connection=self._number, do=do, **arguments)

    def connect(
        self,
        port: int,
        version: str,
        heart_beat: tuple[int, int] | None = None,
        authority: Path | None = None,
        host: str = "localhost",
    ) -> None:
        """Raises Failed if the broker refuses, or if its certificate does not stand up to ``authority``."""
        self.open = True
        file = None if authority is None else str(authority)
        self._tell("connect", port=port, version=version, heart_beat=heart_beat, authority=file, host=host)

    def send(
        self,
        destination: str,
        body: bytes | str = b"",
        headers: Mapping[str, str] | None = None,
        transaction: str | None = None,
        receipt: bool = False,
    ) -> None:
        octets = body.encode() if isinstance(body, str) else body
        self._tell(
            "send",
            destination=destination,
            body=base64.b64encode(octets).decode(),
            headers=dict(headers or {}),
            transaction=transaction,
            receipt=receipt,
        )

    def subscribe(self, destination: str, ack: str = "auto", headers: Mapping[str, str] | None = None) -> int:
        """The subscription is in force then."""
        subscription: int = self._tell(
            "subscribe", destination=destination, ack=ack, headers=dict(headers or {})
        )
        return subscription

    def unsubscribe(self, subscription: int) -> None:
        self._tell("unsubscribe", subscription=subscription)

    def ack(self, message: Message, transaction: str | None = None) -> None:
        self._tell("ack", key=message.key, transaction=transaction)

    def nack(self, message: Message, transaction: str | None = None) -> None:
        self._tell("nack", key=message.key, transaction=transaction)

    def begin(self) -> str:
        """The name of a new transaction."""
        name: str = self._tell("begin")
        return name

    def commit(self, transaction: str) -> None:
        self._tell("commit", transaction=transaction)

    def abort(self, transaction: str) -> None:
        self._tell("abort", transaction=transaction)

    def says(self, command: str) -> None:
        """A frame that the library would not send by itself."""
        self._tell("says", command=command)

    def beats(self) -> int | None:
        """How many heart-beats it has heard; None: its API does not tell."""
        beats: int | None = self._tell("beats")
        return beats

    def disconnect(self) -> None:
        """DISCONNECT has got its RECEIPT, and the broker has closed the connection."""
        self._tell("disconnect")
        self.open = False

    def drop(self) -> None:
        """Be rid of the connection, however it stands."""
        if self.open and self._driver.works:
            self._tell("drop")
        self.open = False

    def hears(self) -> Message:
        """The next message."""
        return self._hears("MESSAGE")

    def hears_error(self) -> Message:
        return self._hears("ERROR")

    def hears_the_end(self) -> None:
        """The broker has closed the connection."""
        self._hears("END")

    def hears_many(self, number: int) -> list[Message]:
        return [self.hears() for _ in range(number)]

    def has_heard(self) -> list[Message]:
        """The messages that have come since, without waiting for more."""
        return [_message(event, "MESSAGE") for event in self._tell("has_heard")]

    def _hears(self, kind: str) -> Message:
        return _message(self._tell("hears"), kind)


def _message(event: dict[str, Any], kind: str) -> Message:
    if event["kind"] != kind:
        raise AssertionError(f"{event['kind']} came instead of {kind}: {str(event)[:600]}")
    headers = {name: str(value) for name, value in event["headers"].items()}
    return Message(headers, base64.b64decode(event["body"]), event.get("key"))
