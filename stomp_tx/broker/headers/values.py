"""What a header's text may be."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire.booleans import truth


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A header that is a whole number; None: it is not there.  Raises ProtocolViolation."""
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ProtocolViolation(f"malformed {name} header", f"{text[:40]!a} is no whole number")
    return int(text)


def is_true(headers: Mapping[str, str], name: str) -> bool:
    """Does a boolean header say yes?"""
    return truth(headers.get(name)) is True


def is_false(headers: Mapping[str, str], name: str) -> bool:
    """Does it say no?"""
    return truth(headers.get(name)) is False
