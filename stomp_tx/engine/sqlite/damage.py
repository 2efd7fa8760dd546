"""Damage: what can't be read or written because the file is not what was written, and what it stops."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Damage(NamedTuple):
    """Where a queue can't be read any further.

    after -- the position of the last message that can be read before it, or could be; 0: none
    why -- in a few words
    missing -- messages that should be there, and are not; 0: something is there that can't be read
    """

    after: int
    why: str
    missing: int = 0


class Unwritable(sqlite3.DatabaseError):
    """A group was not written, for damage.

    adding, removing -- numbers of the queues whose messages could not be added; removed, or changed
    tidying -- what is left of queues that are no more could not be removed
    """

    def __init__(self, why: str, adding: set[int], removing: set[int], tidying: bool) -> None:
        super().__init__(why)
        self.adding = adding
        self.removing = removing
        self.tidying = tidying

    @property
    def can_be_left_out(self) -> bool:
        """Is it known what it takes to write the next group?"""
        return bool(self.adding or self.removing or self.tidying)


def is_damage(error: BaseException) -> bool:
    """Is the file itself wrong?  What a disk, a lock or want of room cause goes by, and is not."""
    # Those have classes of their own, but for DataError: a length in the file is beyond all bounds; and for
    # a text that is none, of which Python tells.
    if type(error) in (sqlite3.DatabaseError, sqlite3.DataError, Unwritable):
        return True
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("Could not decode to UTF-8")


def forget_pages(connection: sqlite3.Connection) -> None:
    """Have it look at the file anew: SQLite finds no fault with a page that it has refused and still has."""
    connection.execute("PRAGMA shrink_memory")
