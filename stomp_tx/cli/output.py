"""What a command shows: messages, bars, tables."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from stomp_tx.cli.text import count
from stomp_tx.client import Message
from stomp_tx.printable import printable

OWN = ("destination", "message-id", "subscription", "ack", "content-length", "content-type")
"""Headers that are not shown among the others."""


class Bar:
    """How far something is, on stderr; as a block."""

    def __init__(self, what: str, total: int | None) -> None:
        columns = [TextColumn("{task.description}"), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")]
        if total is None:
            columns.insert(0, SpinnerColumn())
        else:
            columns[1:1] = [BarColumn()]
            columns.append(TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._task = self._progress.add_task(what, total=total, rate="")
        self._shown = 0.0

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def __call__(self, done: int) -> None:
        """So many, by now."""
        now = self._progress.get_time()
        if now - self._shown < 0.1:
            return
        self._shown = now
        self._progress.update(self._task, completed=done)
        speed = self._progress.tasks[0].speed
        rate = "" if speed is None else f"{speed:,.0f} a second"
        self._progress.update(self._task, rate=rate, refresh=True)


class Messages:
    """Shows messages on stdout: ``pretty``, ``json`` (a line each), ``body`` (and a line feed) or ``raw``.

    ``raw`` is the body alone: of several messages nobody can tell where one ends.
    """

    def __init__(self, format: str) -> None:
        self._show = {"pretty": self._pretty, "json": self._json, "body": self._body, "raw": self._raw}[
            format
        ]
        self._console = Console(highlight=False, soft_wrap=True)

    def show(self, message: Message) -> None:
        self._show(message)
        sys.stdout.flush()  # raises BrokenPipeError when nobody reads any more

    def _body(self, message: Message) -> None:
        sys.stdout.buffer.write(message.body + b"\n")

    def _raw(self, message: Message) -> None:
        sys.stdout.buffer.write(message.body)

    def _json(self, message: Message) -> None:
        told: dict[str, Any] = {"destination": message.destination, "headers": dict(message.headers)}
        try:
            told["body"] = message.body.decode()
        except UnicodeDecodeError:
            told["body_base64"] = base64.b64encode(message.body).decode()
        print(json.dumps(told))

    def _pretty(self, message: Message) -> None:
        headers = message.headers
        kind, octets = headers.get("content-type", ""), count(len(message.body), "octet")
        head = Text(printable(message.destination), "bold cyan")
        head.append(f"  {printable(message.id)}  {printable(kind)}  {octets}", "dim")
        self._console.print(head)
        for name, value in headers.items():
            if name not in OWN:
                self._console.print(Text(f"{printable(name)}: {printable(value)}", "dim"))
        self._console.print(Text(_readable(message)))


def _readable(message: Message) -> str:
    try:
        value = message.value()
        if isinstance(value, bytes):
            value = value.decode()
        if not isinstance(value, str):
            value = json.dumps(value, indent=2, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return message.body[:1000].hex(" ") + (" ..." if len(message.body) > 1000 else "")
    return printable(value, "\n\t")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """On stdout; all columns but the first are numbers."""
    shown = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        shown.add_column(name, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
