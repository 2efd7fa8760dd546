"""The services of a broker's process: what starts, what stops, in which order, and what is said about it."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.errors import ConfigurationError, StompError
from stomp_tx.interfaces import IEngine


class CannotStart(SystemExit, Exception):
    """The broker can't start; ``str()`` is the one line that says why and what to do.

    As a SystemExit it ends the process with that line and exit code 1, and no traceback.  As an Exception it
    makes ``twistd`` remove its pid file, and tell whoever started the daemon.
    """

    def __init__(self, error: StompError) -> None:
        super().__init__(f"stomp: {error.line}")


class Ordered(MultiService):
    """Services that start in their order and stop in the reverse, each when the one after it has stopped."""

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor

    def stopService(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        Service.stopService(self)
        orderly = True
        for service in reversed(list(self)):
            try:
                await maybeDeferred(service.stopService)
            except Exception:
                orderly = False
                self.log.failure("{service} could not stop", service=type(service).__name__)
        if orderly:
            # The exit code says so: 0.  Twisted would end the process by the signal that began all this.
            self._reactor._exitSignal = None


class InterpreterService(Service):
    """Tells Python what kind of program this is.

    What is loaded at the start lives as long as the process and needs no looking at again by the garbage
    collector.  Messages and frames hold no cycles: they go when their last owner lets go, so that looking for
    cycles after every 700 of them finds nothing and costs a tenth of a busy queue's speed.

    The thread that writes the file gives up Python's lock for each statement, and has to get it back from a
    busy reactor: that may take a switch interval each time.  With the usual 5 milliseconds the disk waits.
    """

    def startService(self) -> None:
        super().startService()
        self._before = gc.get_threshold(), sys.getswitchinterval()
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        sys.setswitchinterval(0.0005)

    def stopService(self) -> None:
        super().stopService()
        thresholds, interval = self._before
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class EarlySignalsService(Service):
    """Ends the process in order by a SIGTERM or Ctrl-C, whenever it comes; further ones do nothing.

    Before the reactor runs they would kill it, and to open a large file takes a while.  While it stops the
    reactor's own handlers would log a traceback for each one.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._before: dict[int, Any] = {}
        self._has_come = False

    def startService(self) -> None:
        super().startService()
        if self._reactor.running or threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if before in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = before
                signal.signal(number, self._come)
        self._reactor.callWhenRunning(self._take_over)

    def _take_over(self) -> None:
        """The reactor has put its own handler in the place of one of these: no others."""
        for number in self._before:
            if signal.getsignal(number) in (self._reactor.sigTerm, self._reactor.sigInt):
                signal.signal(number, self._come)

    def stopService(self) -> None:
        super().stopService()
        for number, before in self._before.items():
            if signal.getsignal(number) == self._come:
                # This is the end: one that comes in the last moment would be told of as what has killed it.
                signal.signal(number, signal.SIG_IGN if self._has_come else before)
        self._before.clear()

    def _come(self, number: int, frame: object) -> None:
        if self._has_come:
            return
        self._has_come = True
        if self._reactor.running:
            Logger().info("received {signal}, shutting down", signal=signal.Signals(number).name)
            self._reactor._exitSignal = number  # if nothing else is said: see Ordered
            self._reactor.callFromThread(stop_reactor, self._reactor)
        else:
            self._reactor.callWhenRunning(stop_reactor, self._reactor)


class EngineService(Service):
    """An engine that starts and stops with the process."""

    def __init__(self, engine: IEngine, reactor: Any) -> None:
        self._engine = engine
        self._reactor = reactor

    def startService(self) -> None:
        super().startService()
        must_succeed(_deferred(self._engine.start), self._reactor, _engine_error)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return _deferred(self._engine.stop)


class SessionsService(Service):
    """The sessions of a broker: told when it stops, and gone ``timeout`` seconds later at the latest."""

    def __init__(self, factory: StompBrokerFactory, reactor: Any, timeout: float, log: Logger) -> None:
        self._factory = factory
        self._reactor = reactor
        self._timeout = timeout
        self._log = log

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self._log.info("the broker is stopping, connections: {count}", count=len(self._factory.sessions))
        return self._factory.stop().addTimeout(self._timeout, self._reactor).addErrback(self._cut)

    def _cut(self, failure: Failure) -> None:
        failure.trap(DeferredTimeout)
        self._log.warn("connections that did not end in time: {count}", count=len(self._factory.sessions))


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


class NotifyService(Service):
    """Tells systemd when all ports listen, and when the end begins (``Type=notify`` in a unit).

    Where the unit has ``WatchdogSec`` it also says, twice in that time, that the reactor turns: systemd
    restarts a process that hangs.
    """

    def __init__(
        self, ports: Sequence[PortService], reactor: Any, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._ports = ports
        self._reactor = reactor
        self._environ = environ
        self._watchdog = LoopingCall(notify, "WATCHDOG=1", environ)
        self._watchdog.clock = reactor

    def startService(self) -> None:
        super().startService()
        interval = watchdog_interval(self._environ)
        if interval:
            self._watchdog.start(interval / 2)
        # Not before the reactor runs: only then clients are served.
        gatherResults([port.listening for port in self._ports]).addCallback(
            lambda _: self._reactor.callLater(0, notify, "READY=1", self._environ)
        )

    def stopService(self) -> None:
        super().stopService()
        notify("STOPPING=1", self._environ)  # the watchdog goes on: to stop takes a while, too


def watchdog_interval(environ: Mapping[str, str]) -> float:
    """Seconds in which systemd wants to hear of this process: sd_watchdog_enabled(3); 0.0: it does not."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1_000_000 if text.isascii() and text.isdigit() else 0.0


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Tell systemd, if it has asked to be told: sd_notify(3)."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux's abstract namespace
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address)
    except OSError as error:
        Logger().warn("can't tell systemd {state}: {error}", state=state, error=error)


# -- what goes wrong --------------------------------------------------------------------------------------


def must_succeed(work: Deferred[Any], reactor: Any, describe: Callable[[Failure], StompError]) -> None:
    """Raise CannotStart if the work has failed already; end the process if it fails later."""
    failed: list[StompError] = []
    returned = False

    def fail(failure: Failure) -> None:
        error = describe(failure)
        if not returned:
            failed.append(error)
        elif not failure.check(CancelledError):
            reactor.callWhenRunning(end, error, reactor)

    work.addErrback(fail)
    returned = True
    if failed:
        raise CannotStart(failed[0])


def end(error: StompError, reactor: Any) -> None:
    """End the running process with exit code 1, orderly but for that."""
    Logger().critical("{line}", line=str(CannotStart(error)))
    # Neither twistd nor twist can be told an exit code once the reactor runs.
    atexit.register(_exit_with_failure)
    stop_reactor(reactor)


def stop_reactor(reactor: Any) -> None:
    """If it does not stop already."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def _deferred(work: Callable[[], Deferred[None] | None]) -> Deferred[None]:
    done: Deferred[None] = maybeDeferred(work)  # type: ignore[call-overload]
    return done


def _stop_listening(port: Any) -> Deferred[None] | None:
    if port is None:
        return None
    if not hasattr(port, "stopListening"):  # what stdio: gives is the connection, not a port
        port.loseConnection()
        return None
    stopping: Deferred[None] | None = port.stopListening()
    return stopping


def _exit_with_failure() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _engine_error(failure: Failure) -> StompError:
    if isinstance(failure.value, StompError):
        return failure.value
    return StompError("the engine can't start", failure.getErrorMessage())


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
