"""``stomp-tx send``."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from stomp_tx.cli.broker_options import broker_options
from stomp_tx.cli.headers import header_option, headers_of
from stomp_tx.cli.number import Number
from stomp_tx.cli.progress import progress
from stomp_tx.cli.running import run, run_lasting
from stomp_tx.cli.tally import Tally
from stomp_tx.cli.target import Target
from stomp_tx.cli.text import count as counted
from stomp_tx.cli.usage import WrongUsage
from stomp_tx.errors import ConfigurationError

if TYPE_CHECKING:
    from stomp_tx.client.operations import Operations

OUT = 1000
"""Messages whose receipts have not come, at a time."""


@click.command(short_help="Send messages.")
@broker_options
@click.argument("destination")
@click.argument("body", required=False)
@click.option("-f", "--file", metavar="FILE", help="The body is what this file holds; - for stdin.")
@click.option("--lines", is_flag=True, help="Each line (of stdin, or of the file) is a message.")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Send it so many times.",
)
@click.option("--rate", type=Number(min=0, min_open=True), metavar="N", help="So many a second at most.")
@click.option("-t", "--content-type", metavar="TYPE", help="Such as application/json.")
@click.option("-p", "--persistent", is_flag=True, help="The same as --header persistent:true.")
@click.option("--no-receipt", is_flag=True, help="Don't ask the broker whether it has them safe.")
@click.option("--reconnect", is_flag=True, help="Connect again when the connection is lost, and go on.")
@click.option("--json", "as_json", is_flag=True, help="For programs: say what was done as one JSON object.")
@header_option
def send(target: Target, **options: Any) -> int:
    """Send BODY to DESTINATION; what stdin holds, where there is no BODY.

    The exit status is 0 when the broker has receipted all of it.  Interrupted, it says how many were sent.

    \b
    examples:
      stomp-tx send /queue/orders 'two teas'
      stomp-tx send /queue/orders --file order.json -t application/json -p
      stomp-tx send /topic/log --lines --rate 100 --file access.log
          each line a message, a hundred a second
      stomp-tx send /queue/load x --count 100000 --url stomp+tls://ann@broker.example
          with a bar that shows how far it is
    """
    bodies, total = _bodies(options)
    headers = headers_of(options["header"])
    if options["persistent"]:
        headers.setdefault("persistent", "true")

    tally = Tally(total, has_receipts=not options["no_receipt"])

    async def story(client: Operations) -> int:
        from stomp_tx.cli.lines import Lines
        from stomp_tx.client import StompClient

        began = time.monotonic()
        given = bodies()
        if isinstance(client, StompClient) and isinstance(given, Lines):
            client.when_closed().addCallback(given.fail)  # the next line may be hours away
        await send_all(client, options, given, tally, headers)
        sent = tally.sent
        seconds = time.monotonic() - began
        if options["as_json"]:
            print(
                json.dumps(
                    {"sent": sent, "seconds": round(seconds, 6), "destination": options["destination"]}
                )
            )
        elif sent > 1:
            print(f"sent {counted(sent, 'message')} in {seconds:.1f} s", file=sys.stderr)
        return 0

    try:
        return run_lasting(target, story) if options["reconnect"] else run(target, story)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(str(tally)) from None


Bodies = Iterable[bytes] | AsyncIterable[bytes]


def _bodies(options: dict[str, Any]) -> tuple[Callable[[], Bodies], int | None]:
    """Gives what is to be sent; and how much that is, None: nobody knows."""
    body, file, count = options["body"], options["file"], options["count"]
    if body is not None and (file or options["lines"]):
        raise WrongUsage("there are two bodies", "BODY, or --file and --lines")
    if body is not None:
        return lambda: repeat(body.encode("utf-8", "surrogateescape"), count), count
    if file is None and (sys.stdin is None or (sys.stdin.isatty() and not options["lines"])):
        raise WrongUsage("there is no body", "write it behind the destination, or use --file")
    is_stdin = file in (None, "-")
    if options["lines"] and count == 1:
        if is_stdin and not stat.S_ISREG(os.fstat(_open(file).fileno()).st_mode):
            return _lines_as_they_come, None
        return lambda: _lines(_open(file)), None
    with nullcontext(_open(file)) if is_stdin else _open(file) as stream:
        if not options["lines"]:
            whole = stream.read()
            return lambda: repeat(whole, count), count
        lines = list(_lines(stream))
    return lambda: chain.from_iterable(repeat(lines, count)), len(lines) * count


def _open(file: str | None) -> BinaryIO:
    if file is None or file == "-":
        if sys.stdin is None:
            raise ConfigurationError("there is no stdin", "it is closed")
        return sys.stdin.buffer
    try:
        return open(file, "rb")
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read", str(error)) from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    return (line.rstrip(b"\r\n") for line in stream)


def _lines_as_they_come() -> AsyncIterable[bytes]:
    from stomp_tx.cli.lines import Lines

    return Lines.of_stdin()


async def _each(bodies: Bodies) -> AsyncIterator[bytes]:
    if isinstance(bodies, AsyncIterable):
        async for body in bodies:
            yield body
    else:
        for body in bodies:
            yield body


async def send_all(
    client: Operations,
    options: dict[str, Any],
    bodies: Bodies,
    tally: Tally,
    headers: dict[str, str],
) -> None:
    """Send them, no faster than asked for, and wait until they are safe; the tally counts them."""
    from stomp_tx.cli.send_rate import Outstanding, SendRate

    pace = SendRate(options["rate"])
    outstanding = Outstanding(OUT)
    with progress("sending", tally.total) as bar:
        async for body in _each(bodies):
            await pace.wait()
            sending = client.send(
                options["destination"],
                body,
                content_type=options["content_type"],
                headers=headers,
                receipt=not options["no_receipt"],
            )
            tally.add(sending)
            if options["no_receipt"]:
                await sending
            else:
                await outstanding.add(sending)
            if bar is not None:
                bar(tally.sent)
        await outstanding.all()
