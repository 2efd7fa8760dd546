"""SIGHUP: policies, roles and certificates are read again while the broker runs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.errors import ConfigurationError, StompError
from stomp_tx.net.tls.server import reload_certificates
from stomp_tx.service.configuration import Configuration

_SIGHUP = getattr(signal, "SIGHUP", None)  # Windows has none: there it takes a restart

_IN_FORCE_AT_ONCE = ("policy", "patterns", "access", "sources")


class ReloadService(Service):
    """Puts policies, roles and certificates in force at a SIGHUP; the log says what came of it.

    What is wrong with the file changes nothing, and one without roles does not open a broker that has some:
    it may be half written.  Connections stay, but for those whose users may not be here any more; so do
    messages.
    """

    log = Logger()

    def __init__(
        self,
        read: Callable[[], Configuration] | None,
        configuration: Configuration,
        factory: StompBrokerFactory,
        reactor: Any,
    ) -> None:
        """
        read -- reads the configuration again, or raises StompError; None: there is no file
        configuration -- as it was read at the start; its access list is in use, and changed
        """
        self._read = read
        self._configuration = configuration
        self._factory = factory
        self._reactor = reactor
        self._before: Any = None

    def startService(self) -> None:
        super().startService()
        if _SIGHUP is None:
            return
        # The handler may run between any two instructions: what it wants done waits for its turn.
        self._before = signal.signal(
            _SIGHUP, lambda *_: self._reactor.callFromThread(self.reload) if self.running else None
        )

    def stopService(self) -> None:
        super().stopService()
        if _SIGHUP is not None:
            signal.signal(_SIGHUP, self._before)

    def reload(self) -> None:
        """Read it all again, and put it in force."""
        self._reload_certificates()
        new = self._read_again()
        if new is None:
            self._factory.access_changed()  # a user may have been taken out all the same
            return
        self._configuration.access.become(new.access)
        self._factory.change_policies(new.policies)
        self.log.info(
            "policies were read again, those for patterns: {count}; roles: {roles}",
            count=len(new.patterns),
            roles=len(new.access.roles),
            audit="reload",
        )
        others = [
            one.name
            for one in fields(new)
            if one.name not in _IN_FORCE_AT_ONCE
            and getattr(new, one.name) != getattr(self._configuration, one.name)
        ]
        if others:
            self.log.warn("what has changed besides needs a restart: {others}", others=", ".join(others))

    def _read_again(self) -> Configuration | None:
        """None: it stays as it was, and the log says why."""
        if self._read is None:
            self.log.warn("there are no policies to read again: the broker was started without --config")
            return None
        try:
            new = self._read()
            if new.access.is_open and not self._configuration.access.is_open:
                raise ConfigurationError(
                    "the file says nothing of roles any more",
                    'to let everybody do everything write a role with users = ["*"] and allow = ["all >"]',
                )
        except StompError as error:
            self.log.error("policies and roles stay as they are: {error}", error=error.line, audit="reload")
        except Exception:
            self.log.failure("policies and roles stay as they are", audit="reload")
        else:
            return new
        return None

    def _reload_certificates(self) -> None:
        try:
            count = reload_certificates()
        except (StompError, OSError) as error:
            why = error.line if isinstance(error, StompError) else str(error)
            self.log.error("certificates stay as they are: {error}", error=why, audit="reload")
        else:
            if count:
                self.log.info("certificates were read again, of ports: {count}", count=count, audit="reload")
