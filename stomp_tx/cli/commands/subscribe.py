"""``stomp-tx subscribe`` and ``browse``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.broker_options import broker_options
from stomp_tx.cli.headers import header_option, headers_of
from stomp_tx.cli.number import SECONDS
from stomp_tx.cli.running import run, run_lasting
from stomp_tx.cli.target import Target
from stomp_tx.cli.text import count as counted
from stomp_tx.errors import ConfigurationError, StompError, SubscriptionEnded

if TYPE_CHECKING:
    from stomp_tx.client import Message, StompClient, Subscription
    from stomp_tx.client.operations import Operations

FORMAT = click.Choice(("pretty", "json", "body", "raw"))

FORMATS = "json: a line each.  body: its bytes and a line feed.  raw: its bytes alone."

FEW = 1000
"""Messages that may be acknowledged all at the end."""

LOOK = {"browser": "true", "browser-end": "false"}
"""The headers of SUBSCRIBE to twistd stomp that look at what waits, and at what comes, and take nothing."""


@click.command(short_help="Receive messages.")
@broker_options
@click.argument("destination")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    metavar="N",
    help="End after so many.  [default: when interrupted]",
)
@click.option(
    "--wait",
    type=SECONDS,
    metavar="SECONDS",
    help="End when nothing has come for so long; with --count that is a failure.",
)
@click.option(
    "--ack",
    type=click.Choice(("each", "auto", "none")),
    default="each",
    show_default=True,
    help="each: acknowledge what was shown.  auto: let the broker forget what it sends.  none: only look;"
    " all goes back at the end.  With --durable it takes nothing, makes no subscription and changes no"
    " selector; only twistd stomp can do that.",
)
@click.option(
    "--prefetch",
    type=click.IntRange(1),
    metavar="N",
    default=100,
    show_default=True,
    help="Unacknowledged at a time.",
)
@click.option(
    "--selector", metavar="CONDITION", help="Only those of which it is true: \"colour = 'red' AND size > 3\"."
)
@click.option(
    "--durable",
    metavar="NAME",
    help="A durable subscription to a topic.  Most brokers want --connect-header client-id:NAME with it.  It"
    " keeps what matches the last --selector, and drops the rest of what waits.",
)
@click.option("-o", "--format", type=FORMAT, default="pretty", show_default=True, help=FORMATS)
@click.option("--reconnect", is_flag=True, help="Connect again when the connection is lost, and go on.")
@header_option
def subscribe(target: Target, **options: Any) -> int:
    """Show what comes to DESTINATION, until there were enough, or Ctrl-C.

    The exit status is 1 when fewer messages came than were asked for.

    \b
    examples:
      stomp-tx subscribe /topic/news
      stomp-tx subscribe /queue/orders --count 1 --wait 5 --format body
          the next message, or failure after five seconds
      stomp-tx subscribe /queue/files --count 1 --format raw > photo.jpg
          the body as it is, without a line feed behind it
      stomp-tx subscribe '/topic/sensors.>' --format json --reconnect
          for programs: a JSON object in each line
      stomp-tx subscribe /queue/orders --ack none --wait 1
          what is there; it all goes back
      stomp-tx subscribe /topic/news --durable reader --ack none --wait 1
          what waits for a durable subscription; it all stays
    """
    headers = headers_of(options["header"])
    if options["selector"]:
        headers.setdefault("selector", options["selector"])
    most = options["count"]
    ack, prefetch = options["ack"], options["prefetch"]
    # Of a few, none is asked for beyond those: others would get it marked as redelivered.
    is_few = most is not None and most <= FEW and ack != "auto"

    async def story(client: Operations) -> int:
        looks = ack == "none" and await only_looks(
            client, options["destination"], options["durable"], headers
        )
        subscription = await client.subscribe(
            options["destination"],
            ack="auto" if looks or ack == "auto" else "client-individual",
            prefetch=0 if looks or ack == "auto" else most if is_few else prefetch,
            durable=options["durable"],
            headers={**headers, **LOOK} if looks else headers,
        )
        held: list[Message] = []

        def acknowledge(message: Message) -> None:
            if looks:
                return
            if is_few:
                held.append(message)
            elif ack == "each":
                message.ack().addErrback(lambda _: None)  # the loss of the connection is told by itself

        shown = await show(subscription, options["format"], most, options["wait"], acknowledge)
        if ack == "each" and held:
            for message in held[:-1]:
                message.ack().addErrback(lambda _: None)
            await held[-1].ack(receipt=True)
        await subscription.unsubscribe(receipt=False)
        if most is not None and shown < most:
            raise StompError(f"{counted(shown, 'message')} came, not {most:,}")
        return 0

    return run_lasting(target, story) if options["reconnect"] else run(target, story)


async def only_looks(
    client: Operations, destination: str, durable: str | None, headers: Mapping[str, str]
) -> bool:
    """Is what waits for a durable subscription to be looked at in the broker's own way?

    To subscribe would make it, or give it another selector, which on some brokers drops all that waits there.
    Raises ConfigurationError where there is no other way.
    """
    from stomp_tx.broker.headers.subscribe import MAKES_DURABLE

    is_durable = durable is not None or not MAKES_DURABLE.isdisjoint(headers)
    if not is_durable and "::" not in destination and "VirtualTopic." not in destination:
        return False
    from stomp_tx.client.dialect import dialect_of

    server = await server_of(client)
    if dialect_of(server).browses_durables:
        return True
    if is_durable:
        raise ConfigurationError(
            f"{server or 'this broker'} can't show what waits for a durable subscription",
            "it would be made, or changed: leave --ack none out for that",
        )
    return False


async def server_of(client: Operations) -> str:
    """The broker's ``server`` header; empty where it has none."""
    from stomp_tx.client import StompClientService

    connected: Any = await client.whenConnected() if isinstance(client, StompClientService) else client
    return str(connected.headers.get("server", ""))


async def show(
    subscription: Subscription,
    format: str,
    most: int | None,
    wait: float | None,
    then: Callable[[Message], object] = lambda message: None,
) -> int:
    """Show messages until there were enough, or none comes any more; how many they were.

    then -- called with each that was shown
    """
    from stomp_tx.cli.output import Messages

    messages = Messages(format)
    shown = 0
    while most is None or shown < most:
        message = await next_within(subscription, wait)
        if message is None or message.headers.get("browser") == "end":
            break
        messages.show(message)
        shown += 1
        then(message)
    return shown


async def next_within(subscription: Subscription, wait: float | None, clock: Any = None) -> Message | None:
    """The next message; None: none has come in time, or none comes any more.

    clock -- None: the reactor
    """
    from twisted.internet.defer import TimeoutError

    coming = subscription.next()
    if wait is not None:
        if clock is None:
            from twisted.internet import reactor as clock
        coming.addTimeout(wait, clock)
    try:
        return await coming
    except (TimeoutError, SubscriptionEnded):
        return None


@click.command(short_help="Show what waits in a queue, and take nothing out.")
@broker_options
@click.argument("destination")
@click.option("-n", "--count", type=click.IntRange(1), metavar="N", help="The first so many.  [default: all]")
@click.option("--selector", metavar="CONDITION", help='Only those of which it is true: "size > 3".')
@click.option("-o", "--format", type=FORMAT, default="pretty", show_default=True, help=FORMATS)
@header_option
def browse(target: Target, **options: Any) -> int:
    """Show what waits in the queue DESTINATION now.  (ActiveMQ, and twistd stomp; others know no browsing.)

    \b
    examples:
      stomp-tx browse /queue/orders
      stomp-tx browse /queue/DLQ --count 10 --format json
    """
    headers = {"browser": "true", **headers_of(options["header"])}
    if options["selector"]:
        headers.setdefault("selector", options["selector"])

    async def story(client: StompClient) -> int:
        from stomp_tx.client.dialect import dialect_of

        server = client.headers.get("server")
        if not dialect_of(server).browses:
            raise ConfigurationError(f"{server} can't browse", "stomp-tx subscribe --ack none --wait 1")
        subscription = await client.subscribe(options["destination"], prefetch=0, headers=headers)
        shown = await show(subscription, options["format"], options["count"], None)
        if options["format"] == "pretty":
            print(counted(shown, "message"), file=sys.stderr)
        return 0

    return run(target, story)
