"""SIGHUP: policies, roles and certificates are read again while the broker runs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger

from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.configuration import Configuration
from stomp_tx.errors import StompError
from stomp_tx.tls import reload_certificates

_IN_FORCE_AT_ONCE = ("policy", "patterns", "access")


class ReloadService(Service):
    """Puts policies, roles and certificates in force at a SIGHUP; the log says what came of it.

    What is wrong with the file changes nothing.  Connections stay, and so do messages.
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
        # The handler may run between any two instructions: what it wants done waits for its turn.
        self._before = signal.signal(
            signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload) if self.running else None
        )

    def stopService(self) -> None:
        super().stopService()
        signal.signal(signal.SIGHUP, self._before)

    def reload(self) -> None:
        """Read it all again, and put it in force."""
        self._reload_certificates()
        if self._read is None:
            self._factory.access_changed()  # a user may have been taken out
            self.log.warn("there are no policies to read again: the broker was started without --config")
            return
        try:
            new = self._read()
        except StompError as error:
            self.log.error(
                "policies and roles stay as they are: {error}: {detail}",
                error=error.summary,
                detail=error.detail,
                audit="reload",
            )
            return
        except Exception:
            self.log.failure("policies and roles stay as they are")
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

    def _reload_certificates(self) -> None:
        try:
            count = reload_certificates()
        except (StompError, OSError) as error:
            detail = error.detail if isinstance(error, StompError) else str(error)
            self.log.error("certificates stay as they are: {error}: {detail}", error=error, detail=detail)
        else:
            if count:
                self.log.info("certificates were read again, of ports: {count}", count=count)
