"""How both yardsticks listen: on any server endpoint string, TCP and TLS alike."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import ServerFactory
from twisted.python.failure import Failure

reactor: Any = installed


def serve(endpoint: str, factory: ServerFactory) -> None:
    """Listen until the process is ended, or end it with the reason why that cannot be."""

    def refuse(failure: Failure) -> None:
        print(failure.getErrorMessage(), file=sys.stderr)
        reactor.stop()

    reactor.callWhenRunning(lambda: serverFromString(reactor, endpoint).listen(factory).addErrback(refuse))
    reactor.run()
