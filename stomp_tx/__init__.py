"""A STOMP broker, and a client of Deferreds, on Twisted.

::

    from stomp_tx.client import StompClientService    a client that connects again by itself
    from stomp_tx.client import connect               a client of one connection
    from stomp_tx.testing import MemoryBroker         a broker and its clients in memory, for tests
    from stomp_tx import StompBrokerFactory           a broker: listen with it at any endpoint
    from stomp_tx import frames                       frames.send("/queue/a", b"hello").encode("1.2")

Errors are in `stomp_tx.errors`; what a broker tells its own program of, in `stomp_tx.broker.events`.  How the
parts meet, for those who write one of their own: `stomp_tx.interfaces`.
"""

__version__ = "0.1.0"

from typing import TYPE_CHECKING

from stomp_tx import _renamed
from stomp_tx.errors import StompError
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from stomp_tx.wire.parser import FrameParser

_renamed.install()

if TYPE_CHECKING:
    from stomp_tx.broker.events import (
        Connected,
        Denied,
        Disconnected,
        Dropped,
        ExpiredOnArrival,
        Failed,
        HeaderIgnored,
        HeaderUnknown,
        LockedOut,
        LoginRenewed,
        QueueDamaged,
        Refused,
        SelectorChanged,
        Sent,
        Subscribed,
        Unsubscribed,
    )
    from stomp_tx.broker.factory import StompBrokerFactory
    from stomp_tx.broker.settings import BrokerSettings
    from stomp_tx.protocol import StompFrameProtocol

__all__ = [
    "BrokerSettings",
    "Connected",
    "Denied",
    "Disconnected",
    "Dropped",
    "ExpiredOnArrival",
    "Failed",
    "Frame",
    "FrameParser",
    "HeaderIgnored",
    "HeaderUnknown",
    "Limits",
    "LockedOut",
    "LoginRenewed",
    "QueueDamaged",
    "Refused",
    "SelectorChanged",
    "Sent",
    "StompBrokerFactory",
    "StompError",
    "StompFrameProtocol",
    "Subscribed",
    "Unsubscribed",
    "__version__",
    "frames",
]

_NOT_EVENTS = {
    "BrokerSettings": "stomp_tx.broker.settings",
    "StompBrokerFactory": "stomp_tx.broker.factory",
    "StompFrameProtocol": "stomp_tx.protocol",
}

if not TYPE_CHECKING:  # a type checker would take any name for one of them

    def __getattr__(name: str) -> object:
        """What is imported when it is asked for: who only wants a client, or frames, loads no broker."""
        from importlib import import_module

        if name not in __all__:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}", name=name, obj=__import__(__name__)
            )
        found = getattr(import_module(_NOT_EVENTS.get(name, "stomp_tx.broker.events")), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
