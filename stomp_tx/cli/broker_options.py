"""The options by which a command is told its broker."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from stomp_tx.cli.chosen_context import URL, chosen_context
from stomp_tx.cli.contexts import Context, Contexts
from stomp_tx.cli.headers import headers_of
from stomp_tx.cli.number import SECONDS
from stomp_tx.cli.passcode import PASSCODE, SEEN
from stomp_tx.cli.target import DEFAULT, TIMEOUT, target_of
from stomp_tx.cli.usage import WrongUsage, usage
from stomp_tx.errors import StompError
from stomp_tx.printable import printable


def names_completed(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """For the Tab key: the contexts whose names begin so."""
    try:
        return [name for name in Contexts().names() if name.startswith(begun)]
    except StompError:
        return []


def broker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options, behind its own in --help, and gives the command a Target as its first argument."""

    @functools.wraps(command)
    def with_target(
        context: str | None, url: str | None, connect_header: tuple[str, ...], verbose: bool, **options: Any
    ) -> Any:
        if "passcode" in headers_of(connect_header):
            raise WrongUsage(SEEN, f"put it in ${PASSCODE}, or use --passcode-file")
        told = {name: options.pop(name) for name in _TOLD}
        given = Context(url=url, connect_header=connect_header, **told)
        with usage():
            chosen = chosen_context(context, given)
        if verbose and chosen is not None:
            print(f"stomp-tx: {printable(str(chosen))}", file=sys.stderr)
        return command(replace(target_of(given, chosen), is_verbose=verbose), **options)

    # click keeps them here, the last one first, until it makes a command of the function.
    own: list[click.Parameter] = vars(with_target).pop("__click_params__", [])
    for option in reversed(_OPTIONS):
        with_target = option(with_target)
    vars(with_target)["__click_params__"] += own
    return with_target


URLS = "The broker: stomp://HOST:PORT, stomp+tls://HOST:PORT/VHOST, stomp+unix:///PATH."

KEPT_OPTIONS = (
    click.option(
        "-l",
        "--login",
        metavar="NAME",
        help=f"Who you are.  The passcode is in ${PASSCODE} or a file, or you are asked for it.",
    ),
    click.option(
        "--passcode-file", metavar="FILE", help="A file whose first line is the passcode, or a token."
    ),
    click.option("--vhost", metavar="NAME", help="The virtual host.  [default: the URL's, or its host]"),
    click.option("--ca-file", metavar="FILE", help="TLS: believe these authorities (PEM), not the system's."),
    click.option("--cert", metavar="FILE", help="TLS: your own certificate (PEM)."),
    click.option("--key", metavar="FILE", help="TLS: its key (PEM), where that is not in the same file."),
    click.option(
        "--connect-header",
        multiple=True,
        metavar="NAME:VALUE",
        help="A header of CONNECT, such as client-id:ann; may be repeated.",
    ),
    click.option(
        "--timeout",
        type=SECONDS,
        metavar="SECONDS",
        help=f"How long connecting may take.  [default: {TIMEOUT:g}]",
    ),
)
"""Those that a context keeps, too; and the URL."""

_TOLD = ("login", "passcode_file", "vhost", "ca_file", "cert", "key", "timeout")

_OPTIONS = (
    click.option(
        "--context",
        metavar="NAME",
        shell_complete=names_completed,
        help="A broker that stomp-tx context add has given this name.  [default: the selected one]",
    ),
    click.option(
        "-u",
        "--url",
        metavar="URL",
        help=f"{URLS}  [default: that of --context, ${URL}, that of the selected context, or {DEFAULT}]",
    ),
    *KEPT_OPTIONS,
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Show each frame on stderr: > sent, < received; passcodes are hidden, bodies left out.",
    ),
)
