"""The command line as a whole: its commands, its errors, its exit statuses."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

import click

from stomp_tx import __version__
from stomp_tx.cli.commands.backup import backup
from stomp_tx.cli.commands.bench import bench
from stomp_tx.cli.commands.broker import broker
from stomp_tx.cli.commands.cert import cert
from stomp_tx.cli.commands.check import check
from stomp_tx.cli.commands.check_config import check_config
from stomp_tx.cli.commands.completion import completion
from stomp_tx.cli.commands.context import context
from stomp_tx.cli.commands.passwd import passwd
from stomp_tx.cli.commands.repair import repair
from stomp_tx.cli.commands.reply import reply
from stomp_tx.cli.commands.request import ping, request
from stomp_tx.cli.commands.send import send
from stomp_tx.cli.commands.subscribe import browse, subscribe
from stomp_tx.cli.interrupts import INTERRUPTED, INTERRUPTS
from stomp_tx.cli.text import complain
from stomp_tx.cli.usage import WrongUsage
from stomp_tx.errors import StompError
from stomp_tx.printable import printable

FAILED = 1
WRONG = 2  # usage


def show_versions(context: click.Context, parameter: click.Parameter, is_asked_for: bool) -> None:
    if not is_asked_for or context.resilient_parsing:
        return
    import sqlite3  # which loads a library that most commands don't need

    print(f"stomp-tx {__version__}, SQLite {sqlite3.sqlite_version}")
    context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
    epilog="""\b
    examples:
      stomp-tx send /queue/tea 'green tea'
      stomp-tx subscribe /queue/tea --count 1
      STOMP_URL=stomp+tls://ann@broker.example stomp-tx ping
      stomp-tx context add work --url stomp+tls://ann@broker.example

    Exit statuses: 0 done, 1 failed, 2 wrong usage, 130 interrupted.  What went wrong is one line on stderr.

    stomp-tx COMMAND --help tells more, with examples.
    """,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_versions,
    help="Print the versions of stomp-tx and SQLite, and exit.",
)
def stomp_tx() -> None:
    """Send, receive and ask over any STOMP broker; run and care for your own."""


for command in (send, subscribe, request, reply, browse, ping, bench, context):
    stomp_tx.add_command(command)
for command in (broker, backup, check, repair, check_config, passwd, cert, completion):
    stomp_tx.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of this command line; errors are one line on stderr."""
    # What a terminal can't show must not end a program that was asked to show it.
    if sys.stdout is None or sys.stderr is None:  # closed: what is shown goes nowhere
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (it stays open)
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    INTERRUPTS.take()
    try:
        status = stomp_tx.main(arguments, "stomp-tx", standalone_mode=False)
        sys.stdout.flush()
        return int(status or 0)
    except StompError as error:
        complain(error)
        return WRONG if isinstance(error, WrongUsage) else FAILED
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        why = error.__cause__ if isinstance(error, click.Abort) else error  # Click has made one of the other
        INTERRUPTS.say(printable(str(why or "")))
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough.  At the end Python would flush it again, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # nothing can be written: the disk of the output is full
        print(f"stomp-tx: {printable(error.strerror or str(error))}", file=sys.stderr)
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    finally:
        if arguments is None:
            INTERRUPTS.is_over()  # not back to Python's, which would show a traceback of the process's end
        else:
            INTERRUPTS.give_back()
