"""What a broker's owner does: copies and checks of its file, settings, users, certificates."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from stomp_tx.cli.text import count, printable, size
from stomp_tx.cli.text import time as time_of
from stomp_tx.errors import ConfigurationError, StompError

if TYPE_CHECKING:
    from stomp_tx.engine.check import QueueReport, Report

FAILED = 1
UNCHECKED = 2


# -- backup -----------------------------------------------------------------------------------------------


@click.command(short_help="Copy a broker's file, while it is in use.")
@click.argument("file")
@click.argument("target")
@click.option("--force", is_flag=True, help="Replace TARGET if there is one.")
def backup(file: str, target: str, force: bool) -> None:
    """Copy the FILE of a broker with --engine sqlite:FILE, as it is when this begins.

    The broker may run meanwhile: every persistent message that it has receipted before is in the copy, which
    is called TARGET.part until it is whole.

    To restore, stop the broker, put the copy in the place of its file, and start it; FILE-wal and FILE-shm,
    if they are there, belong to the old file: remove them.

    \b
    examples:
      stomp-tx backup /var/lib/stomp/stomp.db /backup/stomp-$(date +%F).db
          one for each day
      stomp-tx backup --force stomp.db /backup/stomp.db
          always the newest; the one before stays until the new one is whole
    """
    from stomp_tx.engine.backup import back_up

    with Meter() as meter:
        saved = back_up(file, target, force, meter.show)
    print(
        f"saved {count(saved.messages, 'message')} ({size(saved.octets)}) of"
        f" {count(saved.queues, 'queue')} in {printable(target)}, a file of {size(saved.size)}"
    )


class Meter:
    """Shows on a terminal how far something is that takes more than a second."""

    AFTER = 1.0
    EVERY = 0.2

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._next = now() + self.AFTER
        self._shown = False

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # the line is gone

    def show(self, done: int, total: int) -> None:
        """So many octets of so many."""
        if self._now() < self._next or not sys.stderr.isatty():
            return
        self._next = self._now() + self.EVERY
        self._shown = True
        line = f"{done * 100 // total}% of {size(total)}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


# -- check ------------------------------------------------------------------------------------------------


@click.command(short_help="Check a broker's file, and tell what is in it.")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def check(file: str, as_json: bool) -> int:
    """Check the FILE of a broker with --engine sqlite:FILE, or a backup, and tell what is in its queues.

    Changes nothing; the broker may run meanwhile.  Rather than a large file of a busy broker, check a backup
    of it.

    The exit status is 0 if the file is good, 1 if there are problems, 2 if it can't be checked.

    \b
    examples:
      stomp-tx check stomp.db
          queues, messages, octets of their frames; and the verdict
      stomp-tx check --json stomp.db
          the same for programs
    """
    from stomp_tx.engine.check import check
    from stomp_tx.engine.reading import RESTORE

    try:
        report = check(file)
    except StompError as error:
        if as_json:
            told = {"file": file, "verdict": "unchecked", "problems": [error.summary]}
            print(json.dumps(told, indent=2))
        error.exit_status = UNCHECKED  # type: ignore[attr-defined]
        raise
    (_show_json if as_json else _show)(file, report)
    if report.problems and not as_json:
        print(f"DAMAGED: {RESTORE}")
    return FAILED if report.problems else 0


def _show(name: str, report: Report) -> None:
    print(
        f"{printable(name)}: {'' if report.is_whole else 'at least '}{count(report.messages, 'message')}"
        f" ({size(report.octets)}) in {count(len(report.queues), 'queue')}"
    )
    width = min(max((len(printable(queue.name)) for queue in report.queues), default=0), 60)
    for queue in report.queues:
        print(
            f"  {printable(queue.name):{width}}  {queue.messages:>11,}  {size(queue.octets):>9}{_rest(queue)}"
        )
    for problem in report.problems:
        print(f"problem: {printable(problem)}")
    if not report.problems:
        print("good")


def _rest(queue: QueueReport) -> str:
    rest = ""
    if queue.spilled:
        rest += f"  and {queue.spilled:,} that don't persist"
    if queue.expires:
        rest += f"  first expires {time_of(queue.expires)}"
    if queue.topic is not None:
        rest += f"  bound to {printable(queue.topic)}"
    return rest


def _show_json(name: str, report: Report) -> None:
    told = {
        "file": name,
        "verdict": "damaged" if report.problems else "good",
        "problems": report.problems,
        "version": report.version,
        "is_whole": report.is_whole,
        "messages": report.messages,
        "octets": report.octets,
        "queues": [vars(queue) for queue in report.queues],
    }
    print(json.dumps(told, indent=2))


# -- check-config -----------------------------------------------------------------------------------------


@click.command("check-config", short_help="Check a broker's file of settings, before it is started with it.")
@click.argument("file")
@click.option("--show", is_flag=True, help="Print all settings as they are with it, as TOML.")
def check_config(file: str, show: bool) -> None:
    """Check the FILE that a broker is given by --config: names and values of settings, policies, roles.

    Opens no port and no store.  The exit status is 0 if a broker could start with it, or reload it by SIGHUP.

    \b
    examples:
      stomp-tx check-config /etc/stomp/stomp.toml
      stomp-tx check-config --show stomp.toml
          what is set, defaults included
    """
    from stomp_tx import configuration

    read = configuration.read(file)
    if show:
        print(configuration.written(read), end="")
    else:
        print(f"{printable(file)}: good")


# -- passwd -----------------------------------------------------------------------------------------------


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
        raise ConfigurationError(f"{action} needs the name of a user", "stomp-tx passwd --help")
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
        return FAILED
    print(f"{printable(name)}: right")
    return 0


def _passcode(from_stdin: bool, twice: bool) -> str:
    if from_stdin:
        passcode = sys.stdin.readline().rstrip("\r\n")
    else:
        try:
            passcode = getpass.getpass("passcode: ")
            if twice and getpass.getpass("again: ") != passcode:
                raise ConfigurationError("the two are not the same: nothing is changed")
        except EOFError:
            raise ConfigurationError("there is no terminal to ask for a passcode", "use --stdin") from None
    if not passcode:
        raise ConfigurationError("an empty passcode is none")
    return passcode


# -- cert -------------------------------------------------------------------------------------------------


@click.command(short_help="Make certificates for development.")
@click.argument("folder", default="certs")
@click.option(
    "--host",
    multiple=True,
    metavar="NAME",
    help="A name or address of the server; may be repeated.  [default: localhost, 127.0.0.1, ::1]",
)
@click.option("--client", multiple=True, metavar="USER", help="A client's too; may be repeated.")
@click.option("--days", default=365, metavar="N", show_default=True, help="How long they are good.")
def cert(folder: str, host: tuple[str, ...], client: tuple[str, ...], days: int) -> None:
    """Make an authority (ca.pem, ca.key) in FOLDER (certs), and with it a certificate for a server.

    And for clients, if asked for.  The authority is used again if it is there; the others are replaced.

    For development, and for closed networks: a broker on the internet has a certificate that everybody's
    clients know, as from Let's Encrypt.

    \b
    examples:
      stomp-tx cert
      twistd --nodaemon stomp --port \\
          stomps:61617:privateKey=certs/server.key:certKey=certs/server.pem
          TLS for this machine; clients trust certs/ca.pem
      stomp-tx cert --host broker.lan --host 192.168.1.5 --client ann
      twistd --nodaemon stomp --auth certificate --port \\
          stomps:61617:privateKey=certs/server.key:certKey=certs/server.pem:ca=certs/ca.pem
          and clients that show theirs: certs/client-ann.pem with certs/client-ann.key
    """
    from stomp_tx.certificates import LOCAL, Authority

    if days < 1:
        raise ConfigurationError("they must be good for a day at least")
    authority = Authority(folder, days)
    written = authority.server(host or LOCAL)
    for user in client:
        written += authority.client(user)
    for path in written:
        print(printable(str(path)))
    folder = printable(folder)
    print(f"clients trust what {folder}/ca.pem has signed; keep {folder}/ca.key to yourself", file=sys.stderr)
