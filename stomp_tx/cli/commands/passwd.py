"""``stomp-tx passwd``."""

from __future__ import annotations

import getpass
import sys
import warnings

import click

from stomp_tx.cli.usage import WrongUsage
from stomp_tx.errors import ConfigurationError
from stomp_tx.printable import printable

WRONG = 1


@click.command(short_help="Add, remove and check the users of a broker.")
@click.argument("action", type=click.Choice(("add", "remove", "check", "list")))
@click.argument("file")
@click.argument("name", required=False)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the passcode from a line of stdin.")
def passwd(action: str, file: str, name: str | None, from_stdin: bool) -> int:
    """Keep the FILE of users of a broker with --auth passwd:FILE.

    Passcodes are kept as hashes (argon2id).  The broker sees a change at the next login; SIGHUP ends the
    connections of users that were removed or have another passcode now.

    The passcode is asked for, or read from stdin; it is never an argument: others could see it.  check exits
    with 0 if the passcode is right, and with 1 if it is not.

    \b
    examples:
      stomp-tx passwd add /etc/stomp/users ann
          asks for her passcode, and makes the file if there is none
      openssl rand -hex 16 | tee passcode | stomp-tx passwd add --stdin users robot
          one that nobody has to remember
      stomp-tx passwd remove /etc/stomp/users ann
          she can't log in any more; kill -HUP the broker, and she is out
    """
    from stomp_tx.auth.passwords import PasswordFile, is_right

    users = PasswordFile(file)
    if action == "list":
        for one in users.hashes():
            print(printable(one))
        return 0
    if not name:
        raise WrongUsage(f"{action} needs the name of a user", "stomp-tx passwd --help")
    if action == "remove":
        users.remove(name)
        print(f"removed {printable(name)}; kill -HUP the broker to end what is connected")
        return 0
    if action == "add":
        there_was = users.add(name, _passcode(from_stdin, twice=True))
        print(f"{'changed the passcode of' if there_was else 'added'} {printable(name)}")
        return 0
    hash = users.hashes().get(name)
    passcode = _passcode(from_stdin, twice=False)
    if hash is None or not is_right(hash, passcode):
        print(f"{printable(name)}: {'no such user' if hash is None else 'wrong passcode'}")
        return WRONG
    print(f"{printable(name)}: right")
    return 0


def _passcode(from_stdin: bool, twice: bool) -> str:
    if from_stdin:
        if sys.stdin is None:
            raise ConfigurationError("there is no stdin", "it is closed")
        passcode = sys.stdin.readline().rstrip("\r\n")
    else:
        try:
            with warnings.catch_warnings():
                # Without a terminal it would warn, and read stdin: whatever is in there.
                warnings.simplefilter("error", getpass.GetPassWarning)
                passcode = getpass.getpass("passcode: ")
                if twice and getpass.getpass("again: ") != passcode:
                    raise ConfigurationError("the two are not the same: nothing is changed")
        except (EOFError, getpass.GetPassWarning):
            raise WrongUsage(
                "there is no terminal to ask for the passcode", "write it to stdin, and use --stdin"
            ) from None
    if not passcode:
        raise ConfigurationError("an empty passcode is none")
    return passcode
