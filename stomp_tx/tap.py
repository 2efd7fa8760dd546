"""``twistd stomp``: its options, and the map of the broker's process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from twisted import __version__ as twisted_version
from twisted.application.service import MultiService
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.logger import Logger
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from stomp_tx import __version__
from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.checkers.local import LocalChecker
from stomp_tx.auth.credentials import IBearerToken, IPeerCertificate
from stomp_tx.auth.realm import StompRealm
from stomp_tx.broker.admission.file_descriptors import descriptors, fitted
from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.clock import MonotonicClock
from stomp_tx.errors import ConfigurationError, StompError
from stomp_tx.net.tls.server import asks_for_certificates
from stomp_tx.service.components import components_of
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.early_signals import EarlySignalsService
from stomp_tx.service.engine import EngineService
from stomp_tx.service.interpreter import InterpreterService
from stomp_tx.service.listing import written
from stomp_tx.service.port import PortService
from stomp_tx.service.process import CannotStart, OrderedServices
from stomp_tx.service.reader import read
from stomp_tx.service.reload import ReloadService
from stomp_tx.service.sessions import SessionsService
from stomp_tx.service.systemd import NotifyService

EXAMPLES = """
Examples:
  twistd --nodaemon stomp
      clients of this machine, in the foreground
  twistd stomp --port tcp:61613 --port tcp6:61613
      all addresses; without --auth only clients of this machine are let in
  twistd stomp --auth passwd:users --port stomps:61617:privateKey=key.pem:certKey=cert.pem
      TLS, and users with passcodes: stomp-tx passwd add users NAME
  twistd stomp --auth certificate --port stomps:61617:privateKey=k.pem:certKey=c.pem:ca=ca.pem
      clients show certificates that ca.pem has signed
  twistd stomp --port ssl:61617:privateKey=key.pem:certKey=cert.pem
      TLS; `ssl:61617` alone reads both from server.pem
  twistd stomp --port unix:/run/stomp/broker.sock:mode=660
      a unix socket
  twistd stomp --port tcp:61613 --port rabbitmq:tcp:61614 --port activemq:tcp:61615
      ports for clients that expect one broker's ways: see "Clients of other brokers" in the manual
  twistd stomp --port haproxy:tcp:61613:interface=127.0.0.1
      behind a proxy that sends the PROXY protocol
  twistd stomp --engine sqlite:/var/lib/stomp/stomp.db
      durable messages in that file; a backup of it while it is in use: stomp-tx backup
  twistd stomp --settings > stomp.toml
  twistd stomp --config stomp.toml --set limits.frame=1MiB
      every setting in one file; the command line wins.  On SIGHUP its policies are read again

Endpoint strings: https://docs.twisted.org/en/stable/core/howto/endpoints.html#servers
"""


class Options(AuthOptionMixin, UsageOptions):
    """What ``twistd stomp`` can be told.  ``self["configuration"]`` is the Configuration that comes of it."""

    longdesc = "A message broker for STOMP 1.0, 1.1 and 1.2."
    supportedInterfaces = (IUsernamePassword, IAnonymous, IBearerToken, IPeerCertificate)
    optFlags = [
        ["allow-anonymous", None, "Let everybody in who does not say who they are, from anywhere."],
    ]
    optParameters = [
        ["config", "c", None, "A TOML file with settings.  An unknown one, or a wrong type, is refused."],
        [
            "engine",
            "e",
            None,
            "Where messages are kept: sqlite:PATH, or memory:  Default: sqlite:stomp.db, where it runs",
        ],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["configuration"] = Configuration()
        self["read_again"] = None
        self._ports: list[str] = []
        self._auth: list[str] = []
        self._assignments: list[str] = []
        self._show_settings = False

    def opt_port(self, description: str) -> None:
        """Listen at this endpoint; may be given more than once.  Default: tcp:61613:interface=127.0.0.1"""
        self._ports.append(description)

    opt_p = opt_port

    def opt_auth(self, description: str) -> None:
        """Find out who connects by this; may be given more than once.  See --help-auth."""
        self._auth.append(description)

    def opt_set(self, assignment: str) -> None:
        """NAME=VALUE: one setting, as in --set broker.prefetch=10; may be given more than once."""
        self._assignments.append(assignment)

    opt_s = opt_set

    def opt_settings(self) -> None:
        """Print all settings, with their meanings, as a TOML file for --config, and exit."""
        self._show_settings = True

    def opt_version(self) -> NoReturn:
        """Print the versions of stomp-tx and of Twisted, and exit."""
        print(f"stomp-tx {__version__}, Twisted {twisted_version}")
        raise SystemExit(0)

    opt_h = UsageOptions.opt_help

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Raises CannotStart, not UsageError: ``twistd`` and ``twist`` print all of --help with that."""
        with ends_the_process():
            try:
                super().parseOptions(options)
            except UsageError as error:
                raise ConfigurationError(str(error), "see twistd stomp --help") from None

    def parseArgs(self, *rest: str) -> None:
        if rest:
            raise ConfigurationError(f"what is {rest[0]!r}?", "a place to listen is written after --port")

    def postOptions(self) -> None:
        wins: dict[str, object] = {}
        if self._ports:
            wins["port"] = tuple(self._ports)
        if self._auth:
            wins["auth"] = tuple(self._auth)
        if self["allow-anonymous"]:
            wins["allow_anonymous"] = True
        if self["engine"] is not None:
            wins["engine"] = self["engine"]
        self["configuration"] = read(self["config"], self._assignments, **wins)
        # A daemon goes to another folder.
        file = None if self["config"] is None else os.path.abspath(self["config"])
        self["read_again"] = None if file is None else lambda: read(file, self._assignments, **wins)
        if self._show_settings:
            print(written(self["configuration"]))
            raise SystemExit(0)

    def getUsage(self, width: int | None = None) -> str:
        return super().getUsage(width) + EXAMPLES


def makeService(options: Options) -> MultiService:
    """The broker's process: engine, sessions, ports; it starts in this order, and stops in the reverse."""
    from twisted.internet import reactor

    log = Logger(namespace="stomp_tx")
    chosen: Configuration = options["configuration"]
    settings = fitted(chosen.broker, descriptors())
    versions = "-".join(dict.fromkeys((settings.versions[0], settings.versions[-1])))

    def opened(description: str) -> None:
        log.info("STOMP {versions} at {port}", versions=versions, port=description)

    with ends_the_process():
        components = components_of(chosen, reactor)
    log.info(
        "connections: {all} at most, {address} from one address; not logged in: {strangers}, {few}",
        all=settings.connections,
        address=settings.connections_per_address,
        strangers=settings.strangers,
        few=settings.strangers_per_address,
    )
    if chosen.broker.connections > settings.connections:
        log.warn("broker.connections is more than `ulimit -n` allows: see LimitNOFILE in systemd's units")
    warn_of(components.checkers, log)
    factory = StompBrokerFactory(
        components.engine,
        MonotonicClock(reactor),
        portal=portal_of(StompRealm(chosen.access), components.checkers),
        settings=settings,
        policies=chosen.policies,
        limits=chosen.limits,
        log=log,
    )
    ports = [
        PortService(
            endpoint,
            factory if dialect is None else factory.speaking(dialect),
            reactor,
            description,
            opened,
        )
        for description, dialect, endpoint in components.ports
    ]

    process = OrderedServices(reactor)
    EarlySignalsService(reactor).setServiceParent(process)
    InterpreterService().setServiceParent(process)
    EngineService(components.engine, reactor).setServiceParent(process)
    SessionsService(factory, reactor, settings.stop_timeout, log).setServiceParent(process)
    ReloadService(options["read_again"], chosen, factory, reactor).setServiceParent(process)
    for port in ports:
        port.setServiceParent(process)
    NotifyService(ports, reactor).setServiceParent(process)
    return process


def warn_of(checkers: Sequence[Any], log: Logger) -> None:
    """Say in the log what is odd about who gets in, by these checkers and the ports that were read."""
    if any(IAnonymous in one.credentialInterfaces and not isinstance(one, LocalChecker) for one in checkers):
        log.warn("everybody may connect, and needs no login: allow_anonymous is on, or --auth anonymous")
    certificates = any(IPeerCertificate in one.credentialInterfaces for one in checkers)
    if certificates and not asks_for_certificates():
        log.warn("no client can show a certificate: --auth certificate needs a port stomps: with ca=FILE")


@contextmanager
def ends_the_process() -> Iterator[None]:
    """A StompError in here ends the process with the one line that says what to do."""
    try:
        yield
    except StompError as error:
        raise CannotStart(error) from None
