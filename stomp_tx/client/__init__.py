"""A STOMP client whose every operation is a Deferred.

`connect` gives a `StompClient`, which is one connection; a `StompClientService` connects again and goes on.
What both can do, `Operations <stomp_tx.client.operations.Operations>` tells: ``send``, ``subscribe``,
``request``, ``respond``, ``transaction``.

Tasks of asyncio may await them, too: whatever connects within a running event loop of asyncio uses that loop.
"""

from stomp_tx.client.client import StompClient, connect
from stomp_tx.client.codecs import Codecs
from stomp_tx.client.event_loop import install as install_asyncio
from stomp_tx.client.operations import Operations
from stomp_tx.client.reconnecting.replayed import ReplayedTransaction
from stomp_tx.client.reconnecting.retry import Retry
from stomp_tx.client.reconnecting.service import StompClientService
from stomp_tx.client.session.message import Message
from stomp_tx.client.session.subscription import Subscription
from stomp_tx.client.session.transaction import Transaction
from stomp_tx.client.settings import ClientOptions, ClientSettings
from stomp_tx.errors import (
    ConnectionLost,
    ConnectTimeout,
    ErrorReceived,
    LoginRefused,
    NoConnection,
    ReceiptTimeout,
    ReplyTimeout,
    StaleMessage,
    StompError,
    SubscriptionEnded,
    TLSFailed,
    TransactionLost,
)

__all__ = [
    "ClientOptions",
    "ClientSettings",
    "Codecs",
    "ConnectTimeout",
    "ConnectionLost",
    "ErrorReceived",
    "LoginRefused",
    "Message",
    "NoConnection",
    "Operations",
    "ReceiptTimeout",
    "ReplayedTransaction",
    "ReplyTimeout",
    "Retry",
    "StaleMessage",
    "StompClient",
    "StompClientService",
    "StompError",
    "Subscription",
    "SubscriptionEnded",
    "TLSFailed",
    "Transaction",
    "TransactionLost",
    "connect",
    "install_asyncio",
]
