"""A STOMP broker and Deferred client on Twisted.

::

    from stomp_tx import StompBrokerFactory     a broker: listen with it at any endpoint
    from stomp_tx.client import connect         a client
    from stomp_tx import frames                 frames.send("/queue/a", b"hello").encode("1.2")

``stomp_tx.interfaces`` tells how the parts meet.
"""

__version__ = "0.1.0"

from stomp_tx.broker.events import (
    Connected,
    Denied,
    Disconnected,
    Dropped,
    Failed,
    LockedOut,
    LoginRenewed,
    Refused,
    Sent,
    Subscribed,
    Unsubscribed,
)
from stomp_tx.broker.factory import StompBrokerFactory
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import StompError
from stomp_tx.protocol import StompFrameProtocol
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from stomp_tx.wire.parser import FrameParser

__all__ = [
    "BrokerSettings",
    "Connected",
    "Denied",
    "Disconnected",
    "Dropped",
    "Failed",
    "Frame",
    "FrameParser",
    "Limits",
    "LockedOut",
    "LoginRenewed",
    "Refused",
    "Sent",
    "StompBrokerFactory",
    "StompError",
    "StompFrameProtocol",
    "Subscribed",
    "Unsubscribed",
    "__version__",
    "frames",
]
