"""``stomp-tx context``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from stomp_tx.cli.broker_options import KEPT_OPTIONS, URLS, names_completed
from stomp_tx.cli.chosen_context import URL
from stomp_tx.cli.contexts import Context, Contexts
from stomp_tx.cli.text import complain
from stomp_tx.cli.usage import WrongUsage, usage
from stomp_tx.errors import StompError
from stomp_tx.printable import printable

FAILED = 1


@click.group(short_help="Give brokers names, for --context, and select one.")
def context() -> None:
    """Keep brokers under names: a URL, a login, where its passcode comes from, TLS, and the rest.

    Commands use the context that --context names, else the selected one.  What is typed wins over the
    environment ($STOMP_URL, $STOMP_PASSCODE), and that over the selected context: --context over $STOMP_URL,
    and each other option over the context.  Without --context, --url or $STOMP_URL name a broker that the
    selected context is not used for: its passcode is not for others.  --verbose tells which one is used.

    A passcode is not stored, but what it comes from: a file, or a command.  A context is a TOML file that
    only you may read; "show" tells where it is, and you may edit it.

    \b
    examples:
      stomp-tx context add work --url stomp+tls://ann@broker.lan --passcode-command 'pass show stomp'
      stomp-tx context select work
      stomp-tx context list
    """


def _kept_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(KEPT_OPTIONS):
        command = option(command)
    return command


@context.command(short_help="Keep a broker under a name.")
@click.argument("name")
@click.option("-u", "--url", metavar="URL", required=True, help=URLS)
@_kept_options
@click.option(
    "--passcode-command",
    metavar="COMMAND",
    help="The shell runs this; the first line that it writes is the passcode, or a token.",
)
@click.option("--replace", is_flag=True, help="Put it in the place of the one that has this name.")
def add(name: str, replace: bool, **options: Any) -> None:
    """Keep a broker as the context NAME.  Nothing is connected to.

    \b
    examples:
      stomp-tx context add local --url stomp://127.0.0.1
      stomp-tx context add work --url stomp+tls://ann@broker.lan --passcode-command 'pass show stomp'
          the passcode from a program that keeps such things
      stomp-tx context add lab --url stomp+tls://lab --ca-file ca.pem --cert ann.pem --key ann.key
    """
    contexts = Contexts()
    with usage():
        contexts.add(name, Context(**options).absolute(os.getcwd()), replace)
    print(f"added {name}; try it: stomp-tx ping --context {name}")


@context.command("list", short_help="List them.")
def list_() -> int:
    """List the contexts, a line each: its name and its URL.  A * is in front of the selected one.

    The exit status is 1 if one of them can't be used; stderr says why.

    \b
    examples:
      stomp-tx context list
    """
    contexts = Contexts()
    selected = contexts.selected()
    names = contexts.names()
    width = max(map(len, names), default=0)
    status = 0
    for name in names:
        try:
            url = contexts.get(name).url or ""
        except StompError as error:
            complain(error)
            status, url = FAILED, "can't be used"
        print(f"{'*' if name == selected else ' '} {name:{width}}  {printable(url)}")
    if not names:
        print("stomp-tx: there is no context: stomp-tx context add makes one", file=sys.stderr)
    return status


@context.command(short_help="Show what one says.")
@click.argument("name", required=False, shell_complete=names_completed)
def show(name: str | None) -> None:
    """Show the context NAME (the selected one) as TOML, and which file it is in.

    \b
    examples:
      stomp-tx context show work
    """
    contexts = Contexts()
    name = name or contexts.selected()
    if name is None:
        raise WrongUsage("no context is selected", "name one: stomp-tx context list tells which there are")
    with usage():
        said = contexts.get(name)
    print(f"# {printable(str(contexts.path(name)))}")
    print(printable(said.toml(), "\n"), end="")


@context.command(short_help="Make one the default.")
@click.argument("name", required=False, shell_complete=names_completed)
@click.option("--none", "no_one", is_flag=True, help="Select none.")
def select(name: str | None, no_one: bool) -> None:
    """Use the context NAME from now on, where there is no --context.

    \b
    examples:
      stomp-tx context select work
      stomp-tx context select --none
          as it was in the beginning
    """
    if (name is None) != no_one:
        raise WrongUsage("it takes a NAME or --none", "one of them")
    with usage():
        Contexts().select(name)
    print("no context is selected" if name is None else f"selected {name}")
    if name is not None and os.environ.get(URL):
        print(f"stomp-tx: ${URL} is set, and wins over it: unset it, or use --context", file=sys.stderr)


@context.command(short_help="Forget one.")
@click.argument("name", shell_complete=names_completed)
def remove(name: str) -> None:
    """Remove the context NAME.  When it was selected, none is selected afterwards.

    \b
    examples:
      stomp-tx context remove work
    """
    with usage():
        Contexts().remove(name)
    print(f"removed {name}")
