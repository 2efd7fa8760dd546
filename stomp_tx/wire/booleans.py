"""Boolean headers: what is true or false in a frame, read alike in all of them."""

from __future__ import annotations

from stomp_tx.wire.frame import Frame

_DURABLE = ("durable", "persistent", "auto-delete")

BOOLEANS: dict[str, tuple[str, ...]] = {
    "SEND": ("persistent",),
    "SUBSCRIBE": (
        *_DURABLE,
        *("browser", "browser-end", "retained"),
        *("exclusive", "activemq.exclusive", "no-local", "activemq.noLocal"),
    ),
    "UNSUBSCRIBE": _DURABLE,
    "NACK": ("requeue",),
    "MESSAGE": ("redelivered",),
}
"""The boolean headers that mean something, by command."""

_TRUTHS = {"true": True, "false": False}


def truth(text: str | None) -> bool | None:
    """What a boolean header says: ``true`` or ``false``, in any case.

    None: it says nothing, and counts as absent, whatever stands there.  ``text``: None where it is absent.
    """
    if text == "true":
        return True
    return None if text is None or len(text) > 5 else _TRUTHS.get(text.lower())


def odd_boolean(frame: Frame) -> tuple[str, str] | None:
    """The first boolean header of a frame that is neither true nor false, and its value; None: none is."""
    for name in BOOLEANS.get(frame.command, ()):
        value = frame.headers.get(name)
        if value is not None and truth(value) is None:
            return name, value
    return None
