"""What a header's text may be."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.errors import ProtocolViolation


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header that is a whole number; None: it is not there.  Raises ProtocolViolation."""
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ProtocolViolation(f"malformed {name} header", f"{text[:40]!a} is no whole number")
    return int(text)


def is_true(headers: Mapping[str, str], name: str) -> bool:
    """Is a header the word for yes?  RabbitMQ's clients may write it with a capital."""
    return headers.get(name) in ("true", "True")
