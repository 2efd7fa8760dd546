"""Frames a client sends, made from what they mean: ``frames.send("/queue/a", b"hello")``.

Each takes further headers by mapping; `stomp_tx.wire.headers` says what may stand for one, and FrameError is
raised for anything else.  Text bodies are encoded as UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire.commands import V10, V11, V12
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers, texts


def _frame(command: str, first: Mapping[str, str | None], more: Headers | None, body: bytes = b"") -> Frame:
    headers = {name: value for name, value in first.items() if value is not None}
    if more:
        for name, value in texts(more).items():
            headers.setdefault(name, value)
    return Frame(command, headers, body)


def connect(
    host: str,
    *,
    accept_version: str = "1.0,1.1,1.2",
    login: str | None = None,
    passcode: str | None = None,
    heart_beat: tuple[int, int] = (0, 0),
    headers: Headers | None = None,
) -> Frame:
    """CONNECT.  ``heart_beat`` is (can send, wants to receive) in milliseconds."""
    first = {
        "accept-version": accept_version,
        "host": host,
        "login": login,
        "passcode": passcode,
        "heart-beat": f"{heart_beat[0]},{heart_beat[1]}",
    }
    return _frame("CONNECT", first, headers)


def send(
    destination: str,
    body: bytes | str = b"",
    *,
    content_type: str | None = None,
    transaction: str | None = None,
    receipt: str | None = None,
    headers: Headers | None = None,
) -> Frame:
    """SEND.  Its ``content-length`` is added when it is encoded, for any body that is not empty."""
    octets = body.encode() if isinstance(body, str) else body
    first = {
        "destination": destination,
        "content-type": content_type,
        "transaction": transaction,
        "receipt": receipt,
    }
    return _frame("SEND", first, headers, octets)


def subscribe(
    id: str,
    destination: str,
    *,
    ack: str = "auto",
    receipt: str | None = None,
    headers: Headers | None = None,
) -> Frame:
    """SUBSCRIBE.  ``ack`` is auto, client (cumulative) or client-individual."""
    first = {"id": id, "destination": destination, "ack": ack, "receipt": receipt}
    return _frame("SUBSCRIBE", first, headers)


def unsubscribe(id: str, *, receipt: str | None = None, headers: Headers | None = None) -> Frame:
    """UNSUBSCRIBE, by the id that SUBSCRIBE had."""
    return _frame("UNSUBSCRIBE", {"id": id, "receipt": receipt}, headers)


def ack(
    message: Frame,
    *,
    version: str = V12,
    transaction: str | None = None,
    receipt: str | None = None,
    headers: Headers | None = None,
) -> Frame:
    """ACK of a MESSAGE, naming it as the session's version does."""
    return _frame(
        "ACK", {**_named(message, version), "transaction": transaction, "receipt": receipt}, headers
    )


def nack(
    message: Frame,
    *,
    version: str = V12,
    transaction: str | None = None,
    receipt: str | None = None,
    headers: Headers | None = None,
) -> Frame:
    """NACK of a MESSAGE.  1.0 has no NACK: raises ProtocolViolation."""
    if version == V10:
        raise ProtocolViolation("STOMP 1.0 has no NACK", "agree on version 1.1 or 1.2 to use NACK")
    return _frame(
        "NACK", {**_named(message, version), "transaction": transaction, "receipt": receipt}, headers
    )


def _named(message: Frame, version: str) -> dict[str, str | None]:
    """The headers by which an ACK or NACK of each version names its message."""
    headers = message.headers
    if version == V12:
        if "ack" not in headers:
            raise ProtocolViolation(
                "this MESSAGE needs no acknowledgment",
                "its subscription has ack mode auto: no ack header",
            )
        return {"id": headers["ack"]}
    names: dict[str, str | None] = {"message-id": headers.get("message-id")}
    if version == V11 or "subscription" in headers:
        names["subscription"] = headers.get("subscription")
    return names


def begin(transaction: str, *, receipt: str | None = None) -> Frame:
    """BEGIN a transaction."""
    return _frame("BEGIN", {"transaction": transaction, "receipt": receipt}, None)


def commit(transaction: str, *, receipt: str | None = None) -> Frame:
    """COMMIT a transaction."""
    return _frame("COMMIT", {"transaction": transaction, "receipt": receipt}, None)


def abort(transaction: str, *, receipt: str | None = None) -> Frame:
    """ABORT a transaction."""
    return _frame("ABORT", {"transaction": transaction, "receipt": receipt}, None)


def disconnect(*, receipt: str | None = None) -> Frame:
    """DISCONNECT; wait for its RECEIPT to know that all before it has been received."""
    return _frame("DISCONNECT", {"receipt": receipt}, None)
