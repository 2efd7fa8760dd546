"""SIGHUP: policies are read again while the broker runs."""

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

_IN_FORCE_AT_ONCE = ("policy", "patterns")


class ReloadService(Service):
    """Puts policies in force when the process gets a SIGHUP; says in the log what came of it.

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
        configuration -- as it was read at the start
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
        """Read it again, and put it in force."""
        if self._read is None:
            self.log.warn("there are no policies to read again: the broker was started without --config")
            return
        try:
            new = self._read()
        except StompError as error:
            self.log.error(
                "the policies stay as they are: {error}: {detail}", error=error.summary, detail=error.detail
            )
            return
        except Exception:
            self.log.failure("the policies stay as they are")
            return
        self._factory.change_policies(new.policies)
        self.log.info("policies were read again, those for patterns: {count}", count=len(new.patterns))
        others = [
            one.name
            for one in fields(new)
            if one.name not in _IN_FORCE_AT_ONCE
            and getattr(new, one.name) != getattr(self._configuration, one.name)
        ]
        if others:
            self.log.warn("what has changed besides needs a restart: {others}", others=", ".join(others))
