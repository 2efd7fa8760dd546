"""A STOMP client whose every operation is a Deferred: begin with ``connect``."""

from stomp_tx.client.client import StompClient, connect
from stomp_tx.client.message import Message
from stomp_tx.client.settings import ClientSettings
from stomp_tx.client.subscription import Subscription
from stomp_tx.client.transaction import Transaction
from stomp_tx.errors import (
    ConnectionLost,
    ConnectTimeout,
    ErrorReceived,
    LoginRefused,
    ReceiptTimeout,
    StompError,
)

__all__ = [
    "ClientSettings",
    "ConnectTimeout",
    "ConnectionLost",
    "ErrorReceived",
    "LoginRefused",
    "Message",
    "ReceiptTimeout",
    "StompClient",
    "StompError",
    "Subscription",
    "Transaction",
    "connect",
]
