"""PortService: a place to listen, and why nothing listens there."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure

from stomp_tx.errors import ConfigurationError, StompError
from stomp_tx.service.process import must_succeed


class PortService(Service):
    """Listens at one endpoint, or ends the process: a broker that can't be reached is none.

    Not before the services that started before it, but for what needs the privileges that a process may give
    up: ports below 1024, and unix sockets.  ``listening`` fires once it does.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        factory: IProtocolFactory,
        reactor: Any,
        description: str,
        opened: Callable[[str], None],
    ) -> None:
        self.listening: Deferred[None] = Deferred()
        self._endpoint = endpoint
        self._factory = factory
        self._reactor = reactor
        self._description = description
        self._opened = opened
        self._port: Deferred[IListeningPort | None] | None = None

    def privilegedStartService(self) -> None:
        super().privilegedStartService()
        if needs_privileges(self._description):
            self._listen()

    def _listen(self) -> None:
        opening = self._endpoint.listen(self._factory)
        self._port = opening.addCallback(self._listens)
        must_succeed(self._port, self._reactor, self._error)

    def startService(self) -> None:
        super().startService()
        if self._port is None:
            self._listen()

    def stopService(self) -> Deferred[None] | None:
        super().stopService()
        if self._port is None:
            return None
        self._port.cancel()  # if it still tries to listen
        return self._port.addCallback(_stop_listening)

    def _listens(self, port: IListeningPort) -> IListeningPort | None:
        self._opened(with_actual_port(self._description, getattr(port.getHost(), "port", 0)))
        self.listening.callback(None)
        return port

    def _error(self, failure: Failure) -> StompError:
        return listening_error(self._description, failure)


def _stop_listening(port: Any) -> Deferred[None] | None:
    if port is None:
        return None
    if not hasattr(port, "stopListening"):  # what stdio: gives is the connection, not a port
        port.loseConnection()
        return None
    stopping: Deferred[None] | None = port.stopListening()
    return stopping


_ADVICE = {
    errno.EADDRINUSE: "another process listens there: end it, or choose another port",
    errno.EACCES: "a port below 1024 needs CAP_NET_BIND_SERVICE, a unix socket a folder to write to",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.ENOENT: "the folder does not exist",
}
_ADVICE_UNIX = {errno.EADDRINUSE: "a file of that name is there: remove it, if no process uses it"}


def listening_error(description: str, failure: Failure) -> StompError:
    """Why nothing can listen there, and what to do about it."""
    error = failure.value
    cause = error.socketError if isinstance(error, CannotListenError) else error
    if isinstance(cause, OSError) and cause.strerror:
        advice = _ADVICE | (_ADVICE_UNIX if description.startswith("unix:") else {})
        reason = cause.strerror.lower()
        if cause.errno in advice:
            reason += f" ({advice[cause.errno]})"
    elif str(cause) == "Cannot acquire lock":  # Twisted's, for unix sockets
        reason = "another process listens there: end it, or choose another path"
    else:
        reason = str(cause)
    return ConfigurationError(f"can't listen at {description}", reason)


def needs_privileges(description: str) -> bool:
    """May listening there be for a privileged process only?"""
    port = _PORT.match(description)
    return "unix:" in description if port is None else 0 < int(port[2]) < 1024


_PORT = re.compile(r"((?:[a-z]+:)?(?:haproxy:)?(?:tcp|tcp6|ssl|stomps):(?:port=)?)([0-9]+)(?=:|$)")


def with_actual_port(description: str, port: int) -> str:
    """The description, with the port that was got where it asked for any: port 0."""
    found = _PORT.match(description)
    return description if found is None or int(found[2]) else f"{found[1]}{port}{description[found.end() :]}"
