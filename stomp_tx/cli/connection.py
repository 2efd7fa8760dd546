"""The broker that a command speaks to: options for it, and the reactor's run."""

from __future__ import annotations

import functools
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.contexts import Context, Contexts, NoSuchContext
from stomp_tx.cli.interrupts import INTERRUPTS
from stomp_tx.cli.number import SECONDS
from stomp_tx.cli.usage import WrongUsage, usage
from stomp_tx.errors import ConfigurationError, ConnectionLost, LoginRefused, NoConnection, StompError
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from stomp_tx.client import StompClient, StompClientService
    from stomp_tx.client.settings import ClientOptions

DEFAULT = "stomp://127.0.0.1:61613"

TIMEOUT = 30.0

URL = "STOMP_URL"
PASSCODE = "STOMP_PASSCODE"

SEEN = "a passcode in an argument can be seen by everybody on this machine"


@dataclass(frozen=True)
class Target:
    """Where to, and as whom."""

    endpoint: str
    ca_file: str | None
    options: ClientOptions = field(repr=False)
    is_verbose: bool = False

    def arguments(self) -> tuple[Any, dict[str, Any]]:
        """Endpoint and settings, for a client of that broker.  Raises ConfigurationError."""
        if not self.is_verbose:
            return self.endpoint, {"ca_file": self.ca_file, **self.options}
        from twisted.internet import reactor

        from stomp_tx.cli.verbose import VerboseEndpoint
        from stomp_tx.client.endpoint import endpoint_from_string

        endpoint, host = endpoint_from_string(reactor, self.endpoint, self.ca_file)
        host = self.options["host"] or host
        return VerboseEndpoint(endpoint), {**self.options, "host": host}

    def connect(self) -> Deferred[StompClient]:
        """A client of that broker."""
        from stomp_tx.client import connect

        endpoint, settings = self.arguments()
        return connect(endpoint, **settings)


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
            known = _known(context, given)
        if verbose and known is not None:
            print(f"stomp-tx: {printable(str(known))}", file=sys.stderr)
        return command(replace(_target(given, known), is_verbose=verbose), **options)

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


def header_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--header``, which may be repeated."""
    return click.option(
        "-H",
        "--header",
        multiple=True,
        metavar="NAME:VALUE",
        help="A header of the frame, such as persistent:true; may be repeated.",
    )(command)


def headers_of(lines: tuple[str, ...]) -> dict[str, str]:
    """``NAME:VALUE`` as a header.  Raises WrongUsage."""
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not name or not colon:
            raise WrongUsage(f"{line!a} is no header", "write it as NAME:VALUE")
        headers[name] = value
    return headers


@dataclass(frozen=True)
class _Known:
    """The context that a command uses.  ``str`` of it is for people."""

    name: str
    context: Context
    is_selected: bool

    def __str__(self) -> str:
        return f"context {self.name}{' (selected)' if self.is_selected else ''}: {self.context.url}"


def _known(name: str | None, given: Context) -> _Known | None:
    """The context of this name, else the selected one; None: neither, or not for this broker.

    Raises ConfigurationError.
    """
    contexts = Contexts()
    if name is not None:
        return _Known(name, contexts.get(name), is_selected=False)
    # A context's passcode is for its own broker: who names another one without it must not send it there.
    if given.url is not None or os.environ.get(URL):
        return None
    name = contexts.selected()
    if name is None:
        return None
    try:
        return _Known(name, contexts.get(name), is_selected=True)
    except NoSuchContext as error:
        raise ConfigurationError(
            f"{error.summary}, and it is selected",
            f"stomp-tx context select another, or --none; {error.hint}",
        ) from None


def _target(given: Context, known: _Known | None) -> Target:
    """What is typed wins over the environment, and that over what was selected some day."""
    from twisted.internet.endpoints import quoteStringArgument

    from stomp_tx.client.url import BrokerURL

    with usage():
        told = given if known is None else given.over(known.context)
        broker = BrokerURL.parse(told.url or os.environ.get(URL) or DEFAULT)
    if told.url is not None and broker.passcode is not None:
        raise WrongUsage(
            SEEN,
            f"put it in ${PASSCODE}, or in the URL of ${URL}, or use --passcode-file",
        )
    endpoint = broker.endpoint
    for name, file in (("certificate", told.cert), ("privateKey", told.key)):
        if file is not None:
            if not endpoint.startswith("tls:"):
                raise WrongUsage(f"{endpoint} has no TLS", "--cert and --key are for stomp+tls://")
            endpoint += f":{name}={quoteStringArgument(file)}"
    if told.ca_file is not None and not endpoint.startswith("tls:"):
        raise WrongUsage(f"{endpoint} has no TLS", "--ca-file is for stomp+tls://")
    login = told.login or broker.login
    passcode = _passcode(given, known, told) or broker.passcode
    if login is not None and passcode is None:
        passcode = _ask(login)
    options: ClientOptions = {
        "login": login,
        "passcode": passcode,
        "host": told.vhost or broker.host,
        "headers": headers_of(told.connect_header),
        "connect_timeout": TIMEOUT if told.timeout is None else told.timeout,
    }
    return Target(endpoint, told.ca_file, options)


def _passcode(given: Context, known: _Known | None, told: Context) -> str | None:
    passcode = os.environ.get(PASSCODE)
    is_typed = given.passcode_file is not None or (known is not None and not known.is_selected)
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


def _ask(login: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise WrongUsage(
            f"there is no passcode for {login}", f"put it in ${PASSCODE}, or use --passcode-file"
        )
    return getpass.getpass(f"passcode of {login}: ")


# -- the reactor's run ------------------------------------------------------------------------------------


def run(target: Target, story: Callable[[StompClient], Awaitable[int]]) -> int:
    """The exit status of the story, with a client of that broker.  Ctrl-C ends it in order.

    Raises StompError for what goes wrong, and KeyboardInterrupt.
    """
    return _run(target, lambda: _tell(target, story))


def run_lasting(target: Target, story: Callable[[StompClientService], Awaitable[int]]) -> int:
    """The same with a client that connects again."""
    return _run(target, lambda: _tell_lasting(target, story))


def _run(target: Target, tell: Callable[[], Coroutine[Any, Any, int]]) -> int:
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.python.failure import Failure

    from stomp_tx.client.default_logging import DEFAULT_LOGGING

    DEFAULT_LOGGING.is_silent = True  # all that goes wrong is told here
    results: list[Any] = []

    def stop() -> None:
        if reactor.running and not results:
            reactor.stop()

    def done(result: Any) -> None:
        results.append(result)
        if reactor.running:
            reactor.stop()

    def interrupted() -> Deferred[None] | None:
        if results:
            return None
        leaving: Deferred[None] = Deferred()
        running.addBoth(lambda _: leaving.callback(None))
        running.cancel()
        return leaving

    from_thread: Any = reactor  # whose module says nothing of callFromThread
    with INTERRUPTS.ended_by(lambda: from_thread.callFromThread(stop)):
        running = Deferred.fromCoroutine(tell())
        running.addBoth(done)
        if not results:
            reactor.addSystemEventTrigger("before", "shutdown", interrupted)
            reactor.callWhenRunning(INTERRUPTS.take_again)
            reactor.run()
    DEFAULT_LOGGING.is_silent = False
    (result,) = results
    if isinstance(result, Failure):
        if result.check(CancelledError):
            raise KeyboardInterrupt
        error = result.value
        if isinstance(error, NoConnection):
            raise ConnectionLost(f"no connection to {target.endpoint}", str(error.__cause__))
        result.raiseException()
    return int(result)


async def _tell(target: Target, story: Callable[[StompClient], Awaitable[int]]) -> int:
    client = await target.connect()
    try:
        status = await story(client)
    except BaseException:
        was_connected = client.connected  # it says that it is not as soon as DISCONNECT is on its way
        leaving = client.disconnect().addErrback(lambda _: None)
        if was_connected:
            await leaving
        raise
    await client.disconnect()
    return status


async def _tell_lasting(target: Target, story: Callable[[StompClientService], Awaitable[int]]) -> int:
    from stomp_tx.client import StompClientService

    telling = _Telling(target.endpoint)
    endpoint, settings = target.arguments()
    async with StompClientService(
        endpoint,
        connect_within=target.options["connect_timeout"],
        on_connected=telling.connected,
        on_lost=telling.lost,
        on_failed=telling.failed,
        **settings,
    ) as service:
        return await story(service)


class _Telling:
    """Says on stderr why there is no connection, unless there can't be one: that is the end's to say."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._was_connected = False

    def connected(self, _: object) -> None:
        self._was_connected = True

    def lost(self, reason: StompError | None) -> None:
        if reason is not None:
            print(f"stomp-tx: {printable(reason.summary)}; connecting again", file=sys.stderr)

    def failed(self, reason: Exception, attempt: int) -> None:
        is_the_end = isinstance(reason, LoginRefused) and not reason.is_temporary and not self._was_connected
        if not is_the_end and attempt & (attempt - 1) == 0:  # the first one, and then fewer and fewer
            why = printable(str(reason)).rstrip(".")
            print(f"stomp-tx: no connection to {self._endpoint}: {why}; trying again", file=sys.stderr)
