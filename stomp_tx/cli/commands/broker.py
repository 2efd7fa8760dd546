"""``stomp-tx broker``: the broker in the foreground, without twistd."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.interrupts import INTERRUPTS

if TYPE_CHECKING:
    from twisted.logger import LogEvent

_CACHE = "Unable to write to plugin cache"


@click.command(
    "broker",
    short_help="Run the broker in the foreground, as twistd stomp does.",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def broker(arguments: tuple[str, ...]) -> int:
    """Run the broker in the foreground, with the options of ``twistd stomp``; --help lists them.

    It needs no plugin of Twisted and writes no pid file.  The log goes to stderr.
    """
    from twisted.internet import reactor
    from twisted.logger import FilteringLogObserver, globalLogBeginner, textFileLogObserver

    from stomp_tx.tap import Options, makeService

    class BrokerOptions(Options):
        synopsis = "Usage: stomp-tx broker [options]"

        def getSynopsis(self) -> str:
            return self.synopsis

        def getUsage(self, width: int | None = None) -> str:
            text = re.sub(r"twistd (--nodaemon )?stomp", "stomp-tx broker", super().getUsage(width))
            return text.replace("Examples:", "examples:")

    options = BrokerOptions()
    options.parseOptions(list(arguments))
    worth: Any = _is_worth_showing  # its type is an interface
    shown = FilteringLogObserver(textFileLogObserver(sys.stderr), [worth])
    globalLogBeginner.beginLoggingTo([shown], redirectStandardIO=False)
    service = makeService(options)
    INTERRUPTS.give_back()  # those of the broker's services and of the reactor take their place
    service.privilegedStartService()
    service.startService()
    running: Any = reactor  # whose module says nothing of these
    running.addSystemEventTrigger("before", "shutdown", service.stopService)
    running.run()
    return 0


def _is_worth_showing(event: LogEvent) -> Any:
    """Twisted can't keep its cache of plugins in an environment that is read-only: that changes nothing."""
    from twisted.logger import PredicateResult

    hidden = _CACHE in str(event.get("format") or event.get("log_format"))
    return PredicateResult.no if hidden else PredicateResult.maybe
