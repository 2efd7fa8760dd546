"""What the broker sends: messages, receipts and errors as octets."""

from __future__ import annotations

import re

from stomp_tx.broker.message_headers import OWNED
from stomp_tx.errors import StompError
from stomp_tx.message import Message
from stomp_tx.wire.commands import V10, VERSIONS
from stomp_tx.wire.escaping import escape
from stomp_tx.wire.frame import Frame

_LINE_END = re.compile(r"[\r\n]+")
_SPECIAL = re.compile(r"[\\:\r\n]+")


BIG = 64 * 1024
"""Octets of a body from which on a MESSAGE is given to the transport at once, so that it can say "full"."""


def message_tail(message: Message, version: str) -> bytes:
    """A MESSAGE frame from its ``message-id`` to its NUL, beginning with the line feed before.

    It is the same for all receivers of a version, and remembered in the message.  For the usual message it
    is the same for every receiver there is, and then ``message.encoded`` holds it from now on: no header
    needs an escape, it was never delivered before, and it is not big.
    """
    known = message.encoded_for
    if known is not None and version in known:
        return known[version]
    lines = [f"\nmessage-id:{message.id}\ndestination:{message.destination}"]
    for name, value in message.headers.items():
        if name not in OWNED:
            lines.append(f"\n{name}:{value}")
    text = lines[0] if len(lines) == 1 else "".join(lines)
    body = message.body
    # As many colons and line feeds as there are headers: none of them in a name or a value.
    count = len(lines) + 1
    plain = text.count(":") == count and text.count("\n") == count and "\\" not in text and "\r" not in text
    if not plain:
        text = _escaped(message, version)
    tail = b"%b\ncontent-length:%d\n\n%b\0" % (text.encode(), len(body), body)
    if plain and not message.attempts and len(body) < BIG:
        message.encoded = tail
    else:
        versions = VERSIONS if plain else (version,)
        message.encoded_for = {**(known or {}), **dict.fromkeys(versions, tail)}
    return tail


def _escaped(message: Message, version: str) -> str:
    headers = {"message-id": message.id, "destination": message.destination}
    headers.update((name, value) for name, value in message.headers.items() if name not in OWNED)
    if version == V10:
        # No escapes: a line end becomes a space, lest a value of one version be a header of another.
        # A name with a colon has no way to be said at all.
        return "".join(
            f"\n{_LINE_END.sub(' ', name)}:{_LINE_END.sub(' ', value)}"
            for name, value in headers.items()
            if ":" not in name
        )
    return "".join(f"\n{escape(name, version)}:{escape(value, version)}" for name, value in headers.items())


def with_message_id(tail: bytes, message_id: str, shown: str) -> bytes:
    """The same tail, with another ``message-id``: for receivers that name deliveries by it (1.0 and 1.1)."""
    return b"\nmessage-id:%b%b" % (shown.encode(), tail[len("\nmessage-id:") + len(message_id) :])


def receipt(receipt_id: str, version: str) -> bytes:
    """A RECEIPT frame (STOMP 1.2, "RECEIPT")."""
    if _SPECIAL.search(receipt_id) is not None:
        receipt_id = _LINE_END.sub(" ", receipt_id) if version == V10 else escape(receipt_id, version)
    return f"RECEIPT\nreceipt-id:{receipt_id}\n\n\0".encode()


def error(fault: StompError, version: str | None, receipt_id: str | None, /, **more: str) -> Frame:
    """An ERROR frame (STOMP 1.2, "ERROR"): the fault in short in ``message``, the rest in the body.

    Before a version is agreed on (None) nobody knows what escapes the client understands: the headers are
    kept free of what would need one, and a receipt-id that would is left out.
    """
    if version is None and receipt_id is not None and _SPECIAL.search(receipt_id) is not None:
        receipt_id = None
    headers = {"message": fault.summary}
    if receipt_id is not None:
        headers["receipt-id"] = receipt_id
    headers.update(more)
    if version is None or version == V10:
        headers = {name: _SPECIAL.sub(" ", value) for name, value in headers.items() if name != "receipt-id"}
        if receipt_id is not None:
            headers["receipt-id"] = _LINE_END.sub(" ", receipt_id)
    body = f"{fault.detail}\n".encode()
    return Frame("ERROR", {**headers, "content-type": "text/plain", "content-length": str(len(body))}, body)
