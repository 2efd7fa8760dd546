"""The passcode that a command logs in with: from the environment, a file, a command, or asked for."""

from __future__ import annotations

import getpass
import os
import sys

from stomp_tx.cli.chosen_context import ChosenContext
from stomp_tx.cli.contexts import Context
from stomp_tx.cli.usage import WrongUsage
from stomp_tx.errors import ConfigurationError

PASSCODE = "STOMP_PASSCODE"

SEEN = "a passcode in an argument can be seen by everybody on this machine"


def passcode_of(given: Context, chosen: ChosenContext | None, told: Context) -> str | None:
    """The passcode, where there is one.  Raises ConfigurationError.

    given -- what is typed
    told -- the same with what the chosen context says
    """
    passcode = os.environ.get(PASSCODE)
    is_typed = given.passcode_file is not None or (chosen is not None and not chosen.is_selected)
    if passcode and not is_typed:
        return passcode
    if told.passcode_file is not None:
        return _first_line(told.passcode_file)
    if told.passcode_command is not None:
        return _first_line_of_command(told.passcode_command)
    return passcode


def _first_line(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} can't be read", str(error)) from error


def _first_line_of_command(command: str) -> str:
    import subprocess

    # No stdin: that is the body of a message.  What asks for more uses the terminal.
    ran = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    line = ran.stdout.partition(b"\n")[0].rstrip(b"\r")
    what = f"the passcode-command {command!a}"
    if ran.returncode != 0:
        raise ConfigurationError(f"{what} has ended with status {ran.returncode}")
    try:
        passcode = line.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what} wrote no text in UTF-8") from None
    if not passcode:
        raise ConfigurationError(f"{what} wrote nothing", "the first line of its stdout is the passcode")
    return passcode


def ask(login: str) -> str:
    """Have it typed at the terminal.  Raises WrongUsage where there is none."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise WrongUsage(
            f"there is no passcode for {login}", f"put it in ${PASSCODE}, or use --passcode-file"
        )
    return getpass.getpass(f"passcode of {login}: ")
