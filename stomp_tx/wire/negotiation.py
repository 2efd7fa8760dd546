"""Which version, which heart-beat: the arithmetic of CONNECT and CONNECTED."""

from __future__ import annotations

import re

from stomp_tx.errors import ProtocolViolation, VersionMismatch
from stomp_tx.wire.commands import V10, VERSIONS

_HEART_BEAT = re.compile(r"[ \t]*([0-9]{1,10})[ \t]*,[ \t]*([0-9]{1,10})[ \t]*", re.ASCII)


def choose_version(accept_version: str | None, supported: tuple[str, ...] = VERSIONS) -> str:
    """The highest version in common (STOMP 1.2, "Protocol Negotiation"); no header means 1.0.

    ``supported`` is oldest first.  Raises VersionMismatch.
    """
    offered = {V10} if accept_version is None else {text.strip() for text in accept_version.split(",")}
    for version in reversed(supported):
        if version in offered:
            return version
    raise VersionMismatch(
        "no common protocol version", f"Supported protocol versions are {' '.join(supported)}"
    )


def parse_heart_beat(text: str | None) -> tuple[int, int]:
    """(can send, wants to receive) in milliseconds; no header means (0, 0) (STOMP 1.2, "Heart-beating").

    Raises ProtocolViolation for anything but two plain numbers.
    """
    if text is None:
        return 0, 0
    match = _HEART_BEAT.fullmatch(text)
    if match is None:
        raise ProtocolViolation(
            "malformed heart-beat header",
            f"heart-beat is two numbers of milliseconds with a comma between, not {text[:40]!a}",
        )
    return int(match[1]), int(match[2])


def heart_beat_interval(sender: int, receiver: int) -> float:
    """Seconds between heart-beats in one direction; 0.0 means none.

    ``sender`` is what the sending side can do, ``receiver`` what the other side wants, both in milliseconds
    as in the header (STOMP 1.2, "Heart-beating").
    """
    return max(sender, receiver) / 1000 if sender and receiver else 0.0
