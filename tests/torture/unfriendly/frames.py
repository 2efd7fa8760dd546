"""Octets of frames, made once and sent often."""

from __future__ import annotations

from collections.abc import Mapping


def frame(command: str, headers: Mapping[str, object], body: bytes = b"") -> bytes:
    """The header values need no escapes, the body has no NUL."""
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    return f"{command}\n{lines}\n".encode() + body + b"\0"


def connect(user: str, client_id: str = "") -> bytes:
    named = {"client-id": client_id} if client_id else {}
    return frame(
        "CONNECT",
        {"accept-version": "1.2", "host": "h", "login": user, "passcode": passcode_of(user), **named},
    )


def passcode_of(user: str) -> str:
    return user[::-1]


def send(destination: str, body: bytes = b"", **headers: object) -> bytes:
    """A header ``reply-to`` is written ``reply_to=``; those in capitals keep their ``_``."""
    length = {"content-length": len(body)}
    return frame("SEND", {"destination": destination, **_named(headers), **length}, body)


def subscribe(id: object, destination: str, ack: str = "auto", **headers: object) -> bytes:
    return frame("SUBSCRIBE", {"id": id, "destination": destination, "ack": ack, **_named(headers)})


def unsubscribe(id: object, **headers: object) -> bytes:
    return frame("UNSUBSCRIBE", {"id": id, **_named(headers)})


def ack(id: object, **headers: object) -> bytes:
    return frame("ACK", {"id": id, **_named(headers)})


def nack(id: object, **headers: object) -> bytes:
    return frame("NACK", {"id": id, **_named(headers)})


def begin(transaction: object) -> bytes:
    return frame("BEGIN", {"transaction": transaction})


def commit(transaction: object, **headers: object) -> bytes:
    return frame("COMMIT", {"transaction": transaction, **_named(headers)})


def abort(transaction: object) -> bytes:
    return frame("ABORT", {"transaction": transaction})


def _named(headers: Mapping[str, object]) -> dict[str, object]:
    return {name if name.isupper() else name.replace("_", "-"): value for name, value in headers.items()}
