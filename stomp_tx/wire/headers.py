"""Headers, as programs give them: what may stand for the text that each of them is."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.errors import FrameError

Headers = Mapping[str, str | int | None]
"""Names and values.  An int or a bool (``true``, ``false``) is sent as text; None leaves the header out."""


def texts(headers: Headers) -> dict[str, str]:
    """A copy that holds nothing but text.  Raises FrameError, which names what can't stand for it."""
    if not isinstance(headers, Mapping):
        raise FrameError(
            f"headers are a mapping of names to values, not {type(headers).__name__}",
            'write headers={"persistent": "true"}',
        )
    found = {}
    for name, value in headers.items():
        if not isinstance(name, str):
            raise FrameError(f"the name of a header is text, not {type(name).__name__}: {name!a:.60}")
        if type(value) is str:
            found[name] = value
        elif value is not None:
            found[name] = _text_of(name, value)
    return found


def _text_of(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)  # digits, of an IntEnum too
    raise FrameError(
        f"the header {name!a:.60} can't be sent: its value is of type {type(value).__name__}",
        "a value is text, int or bool: write what is to be sent as text",
    )
