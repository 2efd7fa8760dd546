"""``stomp-tx``: what a broker's owner does beside running it.  COMMANDS lists what it can do.

Each command imports what it needs when it runs: none should wait for what another one needs.
"""

from __future__ import annotations

import getpass
import json
import os
import signal
import sqlite3
import sys
import time
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NoReturn

from stomp_tx import __version__
from stomp_tx.errors import ConfigurationError, StompError

if TYPE_CHECKING:
    from stomp_tx.engine.check import QueueReport, Report

FAILED = 1
UNCHECKED = 2
INTERRUPTED = 128 + signal.SIGINT  # as a shell has it


@dataclass(frozen=True)
class Command:
    """One of the things that ``stomp-tx`` can do.

    help -- one line, for the list of commands
    description -- the text of its own --help
    examples -- the end of that
    arguments -- adds them to its parser
    run -- does it, and gives the exit status; raises StompError
    failed -- the exit status when it does
    """

    name: str
    help: str
    description: str
    examples: str
    arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]
    failed: int = FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of this command line; errors are one line on stderr."""
    # What a terminal can't show must not end a program that was asked to show it.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    command: Command = options.command
    ending = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) == signal.SIG_DFL]
    before = {number: signal.signal(number, _interrupt) for number in ending}  # (nohup has SIGHUP ignored)
    try:
        status = command.run(options)
        sys.stdout.flush()
        return status
    except StompError as error:
        line = error.summary if error.detail == error.summary else f"{error.summary}: {error.detail}"
        print(f"stomp-tx: {_printable(line)}", file=sys.stderr)
        return command.failed
    except KeyboardInterrupt:
        print("stomp-tx: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough.  At the end Python would flush it again, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return command.failed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def parser() -> ArgumentParser:
    """What ``stomp-tx`` can be told; ``command`` of what it gives is the Command."""
    whole = ArgumentParser(
        prog="stomp-tx",
        description="What the owner of a STOMP broker (twistd stomp) does beside running it.",
        epilog="stomp-tx COMMAND --help tells more, with examples.  The broker itself: twistd stomp --help",
    )
    whole.add_argument(
        "--version",
        action="version",
        version=f"stomp-tx {__version__}, SQLite {sqlite3.sqlite_version}",
        help="print the versions of stomp-tx and SQLite, and exit",
    )
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            epilog=command.examples,
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.arguments(one)
        one.set_defaults(command=command)
    return whole


def _interrupt(number: int, frame: object) -> NoReturn:
    """Whoever ends this program wants no half-made file any more than who presses Ctrl-C."""
    raise KeyboardInterrupt


# -- backup -----------------------------------------------------------------------------------------------


def _backup_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the broker's: stomp.db, where it has --engine sqlite:")
    parser.add_argument("target", metavar="TARGET", help="the copy's name; TARGET.part until it is whole")
    parser.add_argument("--force", action="store_true", help="replace TARGET if there is one")


def _backup(options: Namespace) -> int:
    from stomp_tx.engine.backup import back_up

    with Meter() as meter:
        saved = back_up(options.file, options.target, options.force, meter.show)
    print(
        f"saved {_count(saved.messages, 'message')} ({_size(saved.octets)}) of"
        f" {_count(saved.queues, 'queue')} in {_printable(options.target)}, a file of {_size(saved.size)}"
    )
    return 0


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
        line = f"{done * 100 // total}% of {_size(total)}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


# -- check ------------------------------------------------------------------------------------------------


def _check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a broker's file, or a backup of one")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def _check(options: Namespace) -> int:
    from stomp_tx.engine.check import check
    from stomp_tx.engine.reading import RESTORE

    show = _show_json if options.json else _show
    try:
        report = check(options.file)
    except StompError as error:
        if options.json:
            told = {"file": options.file, "verdict": "unchecked", "problems": [error.summary]}
            print(json.dumps(told, indent=2))
        raise
    show(options.file, report)
    if report.problems and not options.json:
        print(f"DAMAGED: {RESTORE}")
    return FAILED if report.problems else 0


def _show(name: str, report: Report) -> None:
    print(
        f"{_printable(name)}: {'' if report.is_whole else 'at least '}{_count(report.messages, 'message')}"
        f" ({_size(report.octets)}) in {_count(len(report.queues), 'queue')}"
    )
    width = min(max((len(_printable(queue.name)) for queue in report.queues), default=0), 60)
    for queue in report.queues:
        print(
            f"  {_printable(queue.name):{width}}  {queue.messages:>11,}  {_size(queue.octets):>9}",
            _rest(queue),
            sep="",
        )
    for problem in report.problems:
        print(f"problem: {_printable(problem)}")
    if not report.problems:
        print("good")


def _rest(queue: QueueReport) -> str:
    rest = ""
    if queue.spilled:
        rest += f"  and {queue.spilled:,} that don't persist"
    if queue.expires:
        rest += f"  first expires {_time(queue.expires)}"
    if queue.topic is not None:
        rest += f"  bound to {_printable(queue.topic)}"
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


# -- passwd -----------------------------------------------------------------------------------------------


def _passwd_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("add", "remove", "check", "list"), help="what to do")
    parser.add_argument("file", metavar="FILE", help="the broker's users: twistd stomp --auth passwd:FILE")
    parser.add_argument("user", metavar="NAME", nargs="?", help="whom; all but list need it")
    parser.add_argument("--stdin", action="store_true", help="read the passcode from a line of stdin")


def _passwd(options: Namespace) -> int:
    from stomp_tx.auth.passwords import PasswordFile, is_right

    users = PasswordFile(options.file)
    name = options.user
    if options.action == "list":
        for one in users.hashes():
            print(_printable(one))
        return 0
    if not name:
        raise ConfigurationError(f"{options.action} needs the name of a user", "stomp-tx passwd --help")
    if options.action == "remove":
        users.remove(name)
        print(f"removed {_printable(name)}; kill -HUP the broker to end what is connected")
        return 0
    if options.action == "add":
        there_was = users.add(name, _passcode(options.stdin, twice=True))
        print(f"{'changed the passcode of' if there_was else 'added'} {_printable(name)}")
        return 0
    hash = users.hashes().get(name)
    passcode = _passcode(options.stdin, twice=False)
    if hash is None or not is_right(hash, passcode):
        print(f"{_printable(name)}: {'no such user' if hash is None else 'wrong passcode'}")
        return FAILED
    print(f"{_printable(name)}: right")
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


def _cert_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default="certs", help="default: certs")
    parser.add_argument(
        "--host",
        action="append",
        metavar="NAME",
        help="a name or address of the server; may be repeated. Default: localhost, 127.0.0.1, ::1",
    )
    parser.add_argument(
        "--client", action="append", metavar="USER", default=[], help="a client's too; may be repeated"
    )
    parser.add_argument("--days", type=int, default=365, help="how long they are good (default: 365)")


def _cert(options: Namespace) -> int:
    from stomp_tx.certificates import LOCAL, Authority

    if options.days < 1:
        raise ConfigurationError("they must be good for a day at least")
    authority = Authority(options.folder, options.days)
    written = authority.server(options.host or LOCAL)
    for user in options.client:
        written += authority.client(user)
    for path in written:
        print(_printable(str(path)))
    folder = _printable(options.folder)
    print(f"clients trust what {folder}/ca.pem has signed; keep {folder}/ca.key to yourself", file=sys.stderr)
    return 0


# -- values, as people read them --------------------------------------------------------------------------


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _size(octets: int) -> str:
    size, unit = float(octets), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1023.95 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


def _time(milliseconds: int) -> str:
    try:
        time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return "after the year 9999"
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _printable(text: str) -> str:
    """Without what would move a terminal's cursor, or worse: clients choose the names of queues."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


COMMANDS = (
    Command(
        name="backup",
        help="copy a broker's file, while it is in use",
        description=(
            "Copies the file of a broker with --engine sqlite:FILE, as it is when this begins.  The broker\n"
            "may run meanwhile: every persistent message that it has receipted before is in the copy.\n\n"
            "To restore, stop the broker, put the copy in the place of its file, and start it; FILE-wal and\n"
            "FILE-shm, if they are there, belong to the old file: remove them."
        ),
        examples=(
            "examples:\n"
            "  stomp-tx backup /var/lib/stomp/stomp.db /backup/stomp-$(date +%F).db\n"
            "      one for each day\n"
            "  stomp-tx backup --force stomp.db /backup/stomp.db\n"
            "      always the newest; the one before stays until the new one is whole"
        ),
        arguments=_backup_arguments,
        run=_backup,
    ),
    Command(
        name="check",
        help="check a broker's file, and tell what is in it",
        description=(
            "Checks the file of a broker with --engine sqlite:FILE, and tells what is in its queues.\n"
            "Changes nothing; the broker may run meanwhile.  Rather than a large file of a busy broker,\n"
            "check a backup of it.\n\n"
            "The exit status is 0 if the file is good, 1 if there are problems, 2 if it can't be checked."
        ),
        examples=(
            "examples:\n"
            "  stomp-tx check stomp.db\n"
            "      queues, messages, octets of their frames; and the verdict\n"
            "  stomp-tx check --json stomp.db\n"
            "      the same for programs"
        ),
        arguments=_check_arguments,
        run=_check,
        failed=UNCHECKED,
    ),
    Command(
        name="passwd",
        help="add, remove and check the users of a broker",
        description=(
            "Keeps the file of users of a broker with --auth passwd:FILE.  Passcodes are kept as hashes\n"
            "(argon2id).  The broker sees a change at the next login; SIGHUP ends the connections of users\n"
            "that were removed or have another passcode now.\n\n"
            "The passcode is asked for, or read from stdin; it is never an argument: others could see it.\n"
            "check exits with 0 if the passcode is right, and with 1 if it is not."
        ),
        examples=(
            "examples:\n"
            "  stomp-tx passwd add /etc/stomp/users ann\n"
            "      asks for her passcode, and makes the file if there is none\n"
            "  openssl rand -hex 16 | tee passcode | stomp-tx passwd add --stdin users robot\n"
            "      one that nobody has to remember\n"
            "  stomp-tx passwd remove /etc/stomp/users ann\n"
            "      she can't log in any more; kill -HUP the broker, and she is out"
        ),
        arguments=_passwd_arguments,
        run=_passwd,
    ),
    Command(
        name="cert",
        help="make certificates for development",
        description=(
            "Makes an authority (ca.pem, ca.key), and with it a certificate for a server and, if asked for,\n"
            "for clients.  The authority is used again if it is there; the others are replaced.\n\n"
            "For development, and for closed networks: a broker on the internet has a certificate that\n"
            "everybody's clients know, as from Let's Encrypt."
        ),
        examples=(
            "examples:\n"
            "  stomp-tx cert\n"
            "  twistd --nodaemon stomp --port \\\n"
            "      stomps:61617:privateKey=certs/server.key:certKey=certs/server.pem\n"
            "      TLS for this machine; clients trust certs/ca.pem\n"
            "  stomp-tx cert --host broker.lan --host 192.168.1.5 --client ann\n"
            "  twistd --nodaemon stomp --auth certificate --port \\\n"
            "      stomps:61617:privateKey=certs/server.key:certKey=certs/server.pem:ca=certs/ca.pem\n"
            "      and clients that show theirs: certs/client-ann.pem with certs/client-ann.key"
        ),
        arguments=_cert_arguments,
        run=_cert,
    ),
)
"""What ``stomp-tx`` can do."""
