"""What a session's faults are to its client, and to those who observe the broker."""

from __future__ import annotations

from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations import rendering
from stomp_tx.broker.events import Denied, Failed, Refused, address_text
from stomp_tx.errors import (
    AccessDenied,
    LoginDenied,
    StompError,
    TooManyConnections,
    VersionMismatch,
)
from stomp_tx.interfaces import IFrameSender


def tell(
    error: StompError, receipt: str | None, broker: Broker, session_id: str, sender: IFrameSender, called: str
) -> None:
    """Send ERROR (STOMP 1.2, "ERROR"), and tell of it by events.

    receipt -- what the frame that it is about has asked for
    called -- who the client is, or says that it is
    """
    more = {}
    if isinstance(error, VersionMismatch):
        more["version"] = ",".join(broker.settings.versions)
    sender.send_frame(rendering.error(error, sender.version, receipt, **more))
    emit, peer = broker.events.emit, address_text(sender.peer())
    emit(Failed, session_id, peer, error)
    if isinstance(error, LoginDenied):
        emit(Refused, session_id, peer, called, error.why)
    elif isinstance(error, TooManyConnections):
        emit(Refused, session_id, peer, called, error.line)
    elif isinstance(error, AccessDenied):
        emit(Denied, session_id, peer, error.user, error.permission, error.destination)


def internal_error() -> StompError:
    """What the client is told of faults of ours."""
    return StompError("internal error", "the broker could not handle this frame; its log says more")
