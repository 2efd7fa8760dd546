"""Printable: what others have named, as a terminal or a log may show it."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """Without what would begin a line, move a terminal's cursor, or worse: clients choose names of queues.

    keep -- what is let through all the same, such as line ends
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode() for one in text
    )
