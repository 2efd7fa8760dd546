"""``stomp-tx check-config``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stomp_tx.cli.text import count
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from stomp_tx.auth.acl import AccessList


@click.command("check-config", short_help="Check a broker's file of settings, before it is started with it.")
@click.argument("file")
@click.option("--show", is_flag=True, help="Print all settings as they are with it, as TOML.")
def check_config(file: str, show: bool) -> None:
    """Check the FILE that a broker is given by --config: names and values of settings, policies and roles,
    the ports, the engine, what logins are checked by, and the files that those read.

    Run it in the folder that the broker runs in, and as its user: relative paths begin there, and the files
    must be readable.  Says how many roles there are, or what it means that there are none.  Opens no port,
    and makes no file.  The exit status is 0 if a broker could start with it, or reload it by SIGHUP.

    \b
    examples:
      stomp-tx check-config /etc/stomp/stomp.toml
      stomp-tx check-config --show stomp.toml
          what is set, defaults included
    """
    from twisted.internet import reactor

    from stomp_tx.service.components import components_of
    from stomp_tx.service.listing import written
    from stomp_tx.service.reader import read

    configuration = read(file)
    components_of(configuration, reactor).engine.check()
    if show:
        print(written(configuration), end="")
    else:
        print(f"{printable(file)}: good")
        print(_who_may_do_what(configuration.access))


def _who_may_do_what(access: AccessList) -> str:
    if access.is_open:
        return "no roles: everybody who is let in may do everything"
    if not access.roles:
        return "[roles] has none: nobody may do anything"
    return count(len(access.roles), "role")
