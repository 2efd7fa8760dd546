"""``stomp-tx bench``: how much a broker can take and give, by one process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.broker_options import broker_options
from stomp_tx.cli.headers import header_option, headers_of
from stomp_tx.cli.number import SECONDS
from stomp_tx.cli.progress import progress
from stomp_tx.cli.running import run
from stomp_tx.cli.target import Target
from stomp_tx.cli.text import size as size_of

if TYPE_CHECKING:
    from stomp_tx.client import Message, StompClient

STAMP = 8
"""Octets of a body that say when it was sent."""

QUIET = 2.0
"""Seconds without a message, after which no more is waited for."""


@click.command(short_help="Measure how many messages a broker passes on.")
@broker_options
@click.argument("destination", default="/queue/stomp-tx.bench")
@click.option(
    "-s",
    "--seconds",
    type=SECONDS,
    default=5.0,
    metavar="SECONDS",
    show_default=True,
    help="How long to send.",
)
@click.option("-n", "--count", type=click.IntRange(1), metavar="N", help="So many messages instead.")
@click.option(
    "--size",
    type=click.IntRange(STAMP),
    metavar="N",
    default=100,
    show_default=True,
    help="Octets of each body.",
)
@click.option(
    "--producers",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Connections that send.",
)
@click.option(
    "--consumers",
    type=click.IntRange(0),
    metavar="N",
    default=1,
    show_default=True,
    help="Connections that receive.",
)
@click.option("--receipts", is_flag=True, help="Ask for a receipt of each message, a thousand at a time.")
@click.option(
    "--ack",
    type=click.Choice(("auto", "client-individual")),
    default="auto",
    show_default=True,
    help="How they are acknowledged.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@header_option
def bench(target: Target, **options: Any) -> int:
    """Send to DESTINATION as fast as the broker takes it, and receive what comes.

    All of it is one process: it may well be slower than the broker.  Other consumers of DESTINATION spoil the
    figures; the default is a queue that nobody else uses.  On a terminal a bar shows how far it is.

    \b
    examples:
      stomp-tx bench
      stomp-tx bench /topic/bench --consumers 10 --seconds 10
      stomp-tx bench --receipts --header persistent:true --json
          what is stored, and receipted when it is
    """

    async def story(client: StompClient) -> int:
        run = Run(target, options, client)
        told = await run.measure()
        if options["as_json"]:
            print(json.dumps(told))
        else:
            _show(options["destination"], told)
        return 0 if not told["missing"] else 1

    return run(target, story)


class Run:
    """One measurement: connections, what was counted, and how long each message took."""

    def __init__(self, target: Target, options: dict[str, Any], first: StompClient) -> None:
        self._target = target
        self._options = options
        self._clients = [first]
        self.sent = 0
        self.received = 0
        self._times: list[float] = []
        self._began = self._last = 0.0

    async def measure(self) -> dict[str, Any]:
        from twisted.internet import reactor
        from twisted.internet.defer import Deferred, FirstError, gatherResults
        from twisted.internet.task import deferLater

        options = self._options
        consumers = [await self._client() for _ in range(options["consumers"])]
        try:
            for consumer in consumers:
                await consumer.subscribe(options["destination"], self._got, ack=options["ack"])
            producers = [await self._client() for _ in range(options["producers"])]
            began = self._began = self._last = time.perf_counter()
            with progress("sending", options["count"]) as bar:
                count = options["count"]
                shares = [None] * len(producers) if count is None else _shares(count, len(producers))
                producing = [
                    Deferred.fromCoroutine(self._produce(one, share, bar))
                    for one, share in zip(producers, shares, strict=True)
                ]
                try:
                    await gatherResults(producing, consumeErrors=True)
                except FirstError as first:
                    first.subFailure.raiseException()
                sending = time.perf_counter() - began
                expected = self.sent * (
                    options["consumers"] if self._is_topic else min(1, options["consumers"])
                )
                while self.received < expected and time.perf_counter() - self._last < QUIET:
                    await deferLater(reactor, 0.01)
            receiving = self._last - began
        finally:
            for client in self._clients[1:]:
                client.disconnect().addErrback(lambda _: None)
        return self._told(sending, receiving, expected)

    @property
    def _is_topic(self) -> bool:
        return bool(self._options["destination"].startswith(("/topic/", "topic://")))

    async def _client(self) -> StompClient:
        client = await self._target.connect()
        self._clients.append(client)
        return client

    async def _produce(
        self, client: StompClient, share: int | None, bar: Callable[[int], None] | None
    ) -> None:
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        from stomp_tx.cli.send_rate import Outstanding

        options = self._options
        destination, receipts = options["destination"], options["receipts"]
        headers = headers_of(options["header"]) or None
        filler = b"x" * (options["size"] - STAMP)
        began = self._began
        end = began + options["seconds"]
        outstanding = Outstanding(1000)
        number = 0
        while number != share and (share is not None or time.perf_counter() < end):
            stamp = int(1e6 * (time.perf_counter() - began)).to_bytes(STAMP, "big")
            sending = client.send(destination, stamp + filler, headers=headers, receipt=receipts)
            await (outstanding.add(sending) if receipts else sending)
            number += 1
            self.sent += 1
            if not number % 500:
                await deferLater(reactor, 0)  # what has come is read, too
                if bar is not None:
                    bar(self.sent)
        await outstanding.all()
        # What was sent last is still to be sent when this is over.
        transaction = await client.transaction().begin()
        await transaction.abort(receipt=True)

    def _got(self, message: Message) -> None:
        now = self._last = time.perf_counter()
        self.received += 1
        if not self.received % 100:
            self._times.append(now - int.from_bytes(message.body[:STAMP], "big") / 1e6)
        if self._options["ack"] != "auto":
            message.ack()

    def _told(self, sending: float, receiving: float, expected: int) -> dict[str, Any]:
        delays = sorted(1000 * (time - self._began) for time in self._times)
        return {
            "destination": self._options["destination"],
            "size": self._options["size"],
            "sent": self.sent,
            "sent_per_second": round(self.sent / sending),
            "received": self.received,
            "received_per_second": round(self.received / receiving) if receiving > 0 else 0,
            "octets_per_second": round(self.sent * self._options["size"] / sending),
            "missing": max(0, expected - self.received),
            "delay_ms": {
                name: round(delays[int(part * (len(delays) - 1))], 3) for name, part in PERCENTILES if delays
            },
        }


def _shares(count: int, producers: int) -> list[int | None]:
    each, rest = divmod(count, producers)
    return [each + (number < rest) for number in range(producers)]


PERCENTILES = (("p50", 0.5), ("p99", 0.99), ("max", 1.0))


def _show(destination: str, told: dict[str, Any]) -> None:
    from stomp_tx.cli.output import table

    rows = [
        (
            "sent",
            f"{told['sent']:,}",
            f"{told['sent_per_second']:,}",
            f"{size_of(told['octets_per_second'])}",
        ),
        ("received", f"{told['received']:,}", f"{told['received_per_second']:,}", ""),
    ]
    table(destination, ("", "messages", "a second", "octets a second"), rows)
    if told["delay_ms"]:
        print("under way: " + ", ".join(f"{name} {ms:,.1f} ms" for name, ms in told["delay_ms"].items()))
    if told["missing"]:
        print(f"{told['missing']:,} never came", file=sys.stderr)
