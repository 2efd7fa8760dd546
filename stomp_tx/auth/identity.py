"""Identity: who somebody is, as a checker has found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ANONYMOUS = "anonymous"
"""The name of who has not said who they are."""


def always() -> bool:
    """It ends with its session, and not before."""
    return True


@dataclass(frozen=True)
class Identity:
    """A checker's avatar id, where it has more to say than a name; cred's own checkers give octets.

    groups -- what the checker itself says of them: a token's claim, for example
    expires -- seconds since 1970 at which the session ends unless it is renewed; 0.0: never
    is_valid -- asked again when the configuration is read again: is this login still good?
    """

    name: str
    groups: tuple[str, ...] = ()
    expires: float = 0.0
    is_valid: Callable[[], bool] = always
