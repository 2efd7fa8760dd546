"""``stomp-tx reply``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.broker_options import broker_options
from stomp_tx.cli.headers import header_option, headers_of
from stomp_tx.cli.number import Number
from stomp_tx.cli.running import run, run_lasting
from stomp_tx.cli.target import Target
from stomp_tx.cli.usage import WrongUsage
from stomp_tx.errors import StompError
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from stomp_tx.client import Message
    from stomp_tx.client.operations import Operations


@click.command(short_help="Answer questions.")
@broker_options
@click.argument("destination")
@click.argument("body", required=False)
@click.option(
    "-c",
    "--command",
    metavar="COMMAND",
    help="The shell runs this for each request: its stdin is the request's body, its stdout the reply.",
)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1),
    metavar="N",
    help="End after so many.  [default: when interrupted]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Requests that are answered at a time.",
)
@click.option(
    "--command-timeout",
    type=Number(min=0, min_open=True),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long COMMAND may take; then it is killed, and has failed.",
)
@click.option("-t", "--content-type", metavar="TYPE", help="The replies', such as application/json.")
@click.option("--reconnect", is_flag=True, help="Connect again when the connection is lost, and go on.")
@header_option
def reply(target: Target, **options: Any) -> int:
    """Answer what is asked at DESTINATION with BODY, or with what COMMAND writes, until Ctrl-C.

    A request whose COMMAND fails (its exit status is not 0) gets no reply: it is refused (NACK), and the
    broker gives it to somebody again, or to its dead letters.  Why is one line on stderr.

    \b
    examples:
      stomp-tx reply /queue/health ok
      stomp-tx reply /queue/sums --command 'jq add' -t application/json --concurrency 4
      stomp-tx reply /queue/clock --command date --count 1
          one answer, and the end
    """
    body, command = options["body"], options["command"]
    if (body is None) == (command is None):
        raise WrongUsage("it takes a BODY or a --command", "one of them")
    fixed = None if body is None else body.encode("utf-8", "surrogateescape")

    async def story(client: Operations) -> int:
        from twisted.internet import reactor
        from twisted.internet.defer import Deferred

        from stomp_tx.cli.program import Commands
        from stomp_tx.client import StompClient

        done: Deferred[StompError | None] = Deferred()
        answered = 0
        commands = None if command is None else Commands(command, options["command_timeout"])

        def end(reason: StompError | None = None) -> None:
            if not done.called:
                done.callback(reason)

        async def answer(message: Message) -> bytes:
            nonlocal answered
            try:
                said = fixed if commands is None else await commands.run(message.body)
            except StompError as error:
                print(f"stomp-tx: request {printable(message.id)}: {printable(error.line)}", file=sys.stderr)
                raise
            answered += 1
            if answered == options["count"]:
                reactor.callLater(
                    0, end
                )  # when this one is sent: who leaves in a handler does not wait for it
            return said or b""

        if isinstance(client, StompClient):
            client.when_closed().addCallback(end)
        try:
            await client.respond(
                options["destination"],
                answer,
                concurrency=options["concurrency"],
                prefetch=options["concurrency"],
                content_type=options["content_type"],
                headers=headers_of(options["header"]),
            )
            reason = await done
        except BaseException:
            if commands is not None:
                commands.kill()
            raise
        if reason is not None:
            raise reason
        return 0

    return run_lasting(target, story) if options["reconnect"] else run(target, story)
