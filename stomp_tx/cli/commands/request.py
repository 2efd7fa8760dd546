"""``stomp-tx request`` and ``ping``."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.broker_options import broker_options
from stomp_tx.cli.commands.subscribe import FORMAT, FORMATS
from stomp_tx.cli.headers import header_option, headers_of
from stomp_tx.cli.number import SECONDS
from stomp_tx.cli.running import run
from stomp_tx.cli.target import Target
from stomp_tx.cli.text import is_text
from stomp_tx.cli.usage import WrongUsage

if TYPE_CHECKING:
    from stomp_tx.client import StompClient


@click.command(short_help="Ask a question, and show the answer.")
@broker_options
@click.argument("destination")
@click.argument("body", required=False)
@click.option(
    "-w",
    "--wait",
    type=SECONDS,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long for the answer.",
)
@click.option("-t", "--content-type", metavar="TYPE", help="Such as application/json.")
@click.option(
    "-o",
    "--format",
    type=FORMAT,
    default="body",
    show_default=True,
    help=f"How the answer is shown.  {FORMATS}",
)
@header_option
def request(target: Target, **options: Any) -> int:
    """Send BODY (or what stdin holds) to DESTINATION, with a reply-to, and show the reply.

    The exit status is 1 when nobody answered in time.

    \b
    examples:
      stomp-tx request /queue/sums '[1, 2, 3]' -t application/json
      stomp-tx request /queue/health '' --wait 2
    """
    body = options["body"]
    if body is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise WrongUsage("there is no body", "write it behind the destination")
        body = sys.stdin.buffer.read()
    elif not is_text(body):
        body = body.encode("utf-8", "surrogateescape")

    async def story(client: StompClient) -> int:
        from stomp_tx.cli.output import Messages

        reply = await client.request(
            options["destination"],
            body,
            content_type=options["content_type"],
            headers=headers_of(options["header"]),
            timeout=options["wait"],
        )
        Messages(options["format"]).show(reply)
        return 0

    return run(target, story)


@click.command(short_help="Measure how long a broker takes to answer.")
@broker_options
@click.option(
    "-n", "--count", type=click.IntRange(1), metavar="N", default=5, show_default=True, help="How often."
)
@click.option(
    "-i", "--interval", type=SECONDS, default=0.2, show_default=True, metavar="SECONDS", help="Between them."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def ping(target: Target, count: int, interval: float, as_json: bool) -> int:
    """Measure how long the broker takes to receipt a frame (an empty transaction: nothing is sent anywhere).

    \b
    examples:
      stomp-tx ping
      stomp-tx ping --url stomp+tls://ann@broker.example --count 100 --interval 0 --json
    """

    async def story(client: StompClient) -> int:
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        times = []
        server = client.headers.get("server", "a broker that does not say what it is")
        for number in range(count):
            if number and interval:
                await deferLater(reactor, interval)
            began = time.perf_counter()
            transaction = await client.transaction().begin()
            await transaction.abort(receipt=True)
            times.append(1000 * (time.perf_counter() - began))
            if not as_json:
                print(f"{times[-1]:.2f} ms")
        times.sort()
        told = {
            "server": server,
            "count": count,
            "min_ms": times[0],
            "median_ms": times[count // 2],
            "max_ms": times[-1],
        }
        if as_json:
            print(json.dumps(told))
        else:
            print(f"{server}: {times[0]:.2f} to {times[-1]:.2f} ms, median {times[count // 2]:.2f} ms")
        return 0

    return run(target, story)
