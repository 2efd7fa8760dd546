"""Arguments: what a program has given, and what is said where it is something else."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from math import inf, isfinite

from stomp_tx.errors import ConfigurationError, FrameError
from stomp_tx.wire.headers import Headers, texts

NOTHING = type(None)


def must_be(name: str, value: object, kinds: tuple[type, ...], words: str) -> None:
    """Raises ConfigurationError unless the value is of one of these kinds; a bool, nan or inf is no number.

    words -- what it must be, as in "a number of seconds"
    """
    if isinstance(value, float) and float in kinds and not isfinite(value):
        raise ConfigurationError(f"{name} must be {words}, not {value}")
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        # What it is may be a passcode: its type is told.
        given = "None" if value is None else type(value).__name__
        raise ConfigurationError(f"{name} must be {words}, not {given}")


def must_be_callable(name: str, value: object) -> None:
    """Raises ConfigurationError unless it can be called, or is None."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be a function, or None, not {type(value).__name__}")


def must_be_known(names: Iterable[str], known: Iterable[str], called: str) -> None:
    """Raises ConfigurationError for a name that is none of those known, with the nearest one."""
    known = list(known)
    for name in names:
        if name not in known:
            there_are = f"there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"{called} has no setting {name}{nearest(name, known)}", there_are)


def nearest(name: str, known: Iterable[str]) -> str:
    """``: did you mean login?``; empty where none is near."""
    near = get_close_matches(name, list(known), 1, 0.6)
    return f": did you mean {near[0]}?" if near else ""


# -- of operations ----------------------------------------------------------------------------------------


def is_number(value: object) -> bool:
    """Is it one, and finite?  A bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < inf


def not_the(operation: str, kind: str, which: str, given: object) -> TypeError:
    """For those who are used to clients that take ids."""
    return TypeError(f"{operation}() takes the {kind} that {which}, not {given!r}")


def no_transaction(given: object) -> TypeError | None:
    """The error, unless it is a Transaction or a ReplayedTransaction."""
    if hasattr(given, "_check_open"):
        return None
    return TypeError(f"transaction= is what client.transaction() gave, not {given!r}")


def check_subscribe(
    destination: object,
    handler: object,
    ack: object,
    id: object,
    prefetch: object,
    concurrency: object,
    durable: object,
) -> None:
    """Raises FrameError, TypeError or ValueError for arguments of ``subscribe`` that can't be."""
    if not isinstance(destination, str) or not destination:
        raise FrameError(f"a destination is a name such as /queue/a, not {destination!a:.60}")
    for name, value in (("id", id), ("durable", durable)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} is text, not {value!r}")
    if handler is not None and not callable(handler):
        raise TypeError(f"a handler is called with each message, and {handler!r} can't be")
    if ack not in ("auto", "client", "client-individual"):
        raise ValueError(f"ack is auto, client or client-individual, not {ack!r}")
    for name, value, least in (("prefetch", prefetch, 0), ("concurrency", concurrency, 1)):
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is a whole number, not {value!r}")
        if value < least:
            raise ValueError(f"{name} is at least {least}, not {value}")


_ARGUMENTS_OF_SUBSCRIBE = ("ack", "destination", "id", "receipt")


def subscribe_headers(headers: Headers | None) -> dict[str, str]:
    """Those of SUBSCRIBE.  Raises FrameError where ``subscribe`` has an argument for one."""
    found = texts(headers) if headers else {}
    for name in _ARGUMENTS_OF_SUBSCRIBE:
        if name in found:
            raise FrameError(f"{name} is not among headers: subscribe() has an argument for it")
    return found
