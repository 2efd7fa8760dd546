"""The broker that a command speaks to: options for it, and the reactor's run."""

from __future__ import annotations

import functools
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from stomp_tx.cli.interrupts import INTERRUPTS
from stomp_tx.cli.number import SECONDS
from stomp_tx.cli.usage import WrongUsage, usage
from stomp_tx.errors import ConfigurationError, ConnectionLost, LoginRefused, StompError
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from stomp_tx.client import StompClient, StompClientService
    from stomp_tx.client.settings import ClientOptions

DEFAULT = "stomp://127.0.0.1:61613"

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


def broker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options, behind its own in --help, and gives the command a Target as its first argument."""

    @functools.wraps(command)
    def with_target(
        url: str | None,
        login: str | None,
        passcode_file: str | None,
        vhost: str | None,
        ca_file: str | None,
        cert: str | None,
        key: str | None,
        connect_header: tuple[str, ...],
        timeout: float,
        verbose: bool,
        **rest: Any,
    ) -> Any:
        headers = headers_of(connect_header)
        if "passcode" in headers:
            raise WrongUsage(SEEN, f"put it in ${PASSCODE}, or use --passcode-file")
        target = _target(url, login, passcode_file, vhost, ca_file, cert, key, headers, timeout)
        return command(replace(target, is_verbose=verbose), **rest)

    # click keeps them here, the last one first, until it makes a command of the function.
    own: list[click.Parameter] = vars(with_target).pop("__click_params__", [])
    for option in reversed(_OPTIONS):
        with_target = option(with_target)
    vars(with_target)["__click_params__"] += own
    return with_target


_OPTIONS = (
    click.option(
        "-u",
        "--url",
        metavar="URL",
        help="The broker: stomp://HOST:PORT, stomp+tls://HOST:PORT/VHOST, stomp+unix:///PATH."
        f"  [default: ${URL}, or {DEFAULT}]",
    ),
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
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long connecting may take.",
    ),
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


def _target(
    url: str | None,
    login: str | None,
    passcode_file: str | None,
    vhost: str | None,
    ca_file: str | None,
    cert: str | None,
    key: str | None,
    headers: Mapping[str, str],
    timeout: float,
) -> Target:
    from twisted.internet.endpoints import quoteStringArgument

    from stomp_tx.client.url import BrokerURL

    with usage():
        broker = BrokerURL.parse(url or os.environ.get(URL) or DEFAULT)
    if url is not None and broker.passcode is not None:
        raise WrongUsage(
            SEEN,
            f"put it in ${PASSCODE}, or in the URL of ${URL}, or use --passcode-file",
        )
    endpoint = broker.endpoint
    for name, file in (("certificate", cert), ("privateKey", key)):
        if file is not None:
            if not endpoint.startswith("tls:"):
                raise WrongUsage(f"{endpoint} has no TLS", "--cert and --key are for stomp+tls://")
            endpoint += f":{name}={quoteStringArgument(file)}"
    if ca_file is not None and not endpoint.startswith("tls:"):
        raise WrongUsage(f"{endpoint} has no TLS", "--ca-file is for stomp+tls://")
    login = login or broker.login
    passcode = _passcode(login, passcode_file) or broker.passcode
    if login is not None and passcode is None:
        passcode = _ask(login)
    options: ClientOptions = {
        "login": login,
        "passcode": passcode,
        "host": vhost or broker.host,
        "headers": headers,
        "connect_timeout": timeout,
    }
    return Target(endpoint, ca_file, options)


def _passcode(login: str | None, file: str | None) -> str | None:
    if file is None:
        return os.environ.get(PASSCODE)
    try:
        with open(file, encoding="utf-8") as lines:
            return lines.readline().rstrip("\r\n")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} can't be read", str(error)) from error


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
    return _run(target, _tell(target, story))


def run_lasting(target: Target, story: Callable[[StompClientService], Awaitable[int]]) -> int:
    """The same with a client that connects again."""
    return _run(target, _tell_lasting(target, story))


def _run(target: Target, telling: Coroutine[Any, Any, int]) -> int:
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, Deferred
    from twisted.python.failure import Failure

    from stomp_tx.client.last_resort import LAST_RESORT

    LAST_RESORT.is_silent = True  # all that goes wrong is told here
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
        running = Deferred.fromCoroutine(telling)
        running.addBoth(done)
        if not results:
            reactor.addSystemEventTrigger("before", "shutdown", interrupted)
            reactor.callWhenRunning(INTERRUPTS.take_again)
            reactor.run()
    LAST_RESORT.is_silent = False
    (result,) = results
    if isinstance(result, Failure):
        if result.check(CancelledError):
            raise KeyboardInterrupt
        if not result.check(StompError, BrokenPipeError, KeyboardInterrupt):
            from twisted.internet.error import ConnectError

            if result.check(ConnectError):
                raise ConnectionLost(f"no connection to {target.endpoint}", result.getErrorMessage())
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
