"""Text: values and errors, as people read them."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

from stomp_tx.errors import ErrorReceived, StompError
from stomp_tx.printable import printable


def is_text(argument: str) -> bool:
    """Was it text?  What was not has half surrogates in it."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(octets: float) -> str:
    size, unit = float(octets), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1023.95 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


def time(milliseconds: int) -> str:
    try:
        time = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return "after the year 9999"
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def complain(error: StompError) -> None:
    """What went wrong, in one line on stderr."""
    line = (
        error.summary if isinstance(error, ErrorReceived) else error.line
    )  # (a frame's summary is all in one)
    print(f"stomp-tx: {printable(line)}", file=sys.stderr)
