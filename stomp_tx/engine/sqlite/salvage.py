"""Salvage: the rows of a damaged table that can be read, and where those are that can't."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Generator, Iterator
from itertools import islice
from math import isqrt
from typing import Any, NamedTuple

from stomp_tx.engine.sqlite.damage import forget_pages, is_damage

HIGHEST = 2**63 - 2

FRUITLESS = 4096
"""Parts of a gap that are looked at in vain, one after the other, before the rest is given up."""


LOOSE = 1000
"""Rows of a damaged page that are held until it is known whether they are in order."""

Row = tuple[Any, ...]


class Gap(NamedTuple):
    """Positions (or other keys) from ``first`` to ``last`` can't be read, as far as there are any."""

    first: int
    last: int

    def __str__(self) -> str:
        if self.first == self.last:
            return f"position {self.first}"
        if self.last == HIGHEST:
            return f"positions from {self.first} on" if self.first > 1 else "all positions"
        return f"positions {self.first} to {self.last}"


class Salvage:
    """Iterates over rows in no certain order; each is a tuple that begins with its key, a number from 1 on.

    A row of which only the key can be read makes a gap of one.  Raises sqlite3.Error, but none for damage.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        select: str,
        key: str,
        *values: object,
        careful: bool = True,
        alike: bool = False,
    ) -> None:
        """
        select -- a SELECT that ends with WHERE, or a condition and AND
        key -- the column, a whole number, by which the table is in order
        values -- of the parameters in it
        careful -- each row is looked for by its key as well: a damaged page may have rows with keys that
            are none, and the next ones would seem to be in disorder, or be passed over
        alike -- many rows have the same key: one of each is enough
        """
        self._connection = connection
        self._select = select
        self._key = key
        self._values = values
        self._careful = careful
        self._alike = alike
        self._gaps: list[Gap] = []
        self._loose: set[int] = set()  # keys of rows that were found, though the tree does not lead to them

    @property
    def gaps(self) -> list[Gap]:
        """Known when all rows were read; in order."""
        found = []
        for gap in joined(self._gaps):
            first = gap.first
            for key in sorted(one for one in self._loose if gap.first <= one <= gap.last):
                if first < key:
                    found.append(Gap(first, key - 1))
                first = key + 1
            if first <= gap.last:
                found.append(Gap(first, gap.last))
        return found

    def __iter__(self) -> Iterator[Row]:
        # A tree is read from both ends towards the damage; then what is between, in ever smaller parts.
        parts = deque([(0, HIGHEST)])  # above the first, and up to the second
        fruitless = 0
        while parts:
            low, high = parts.popleft()
            if fruitless > FRUITLESS:
                self._gap(low, high + 1)
                continue
            upwards = yield from self._read(low, high, 1)
            if upwards is None:
                continue
            last, loose = upwards
            downwards = yield from self._read(high + 1, last + 1, -1)
            if downwards is None:
                continue
            first, others = downwards
            yield from self._between(last, [*loose, *reversed(others)], first)
            fruitless = 0 if last > low or first <= high else fruitless + 1
            if first - last <= 2:
                self._gap(last, first)
            else:
                middle = isqrt((last + 1) * (first - 1))  # many have low keys alone
                parts += ((last, middle), (middle, first - 1))

    def _gap(self, last: int, first: int) -> None:
        """Between these keys, if there is a place."""
        if first - last > 1:
            self._gaps.append(Gap(last + 1, first - 1))

    def _between(self, last: int, rows: list[Row], first: int) -> Iterator[Row]:
        """Of rows that the tree does not lead to, those that are in order where they were found."""
        for row in rows:
            if last < row[0] < first and row[0] not in self._loose:
                last = row[0]
                self._loose.add(last)
                yield row

    def _read(self, start: int, end: int, way: int) -> Generator[Row, None, tuple[int, list[Row]] | None]:
        """Rows behind the start, and up to the end; upwards or (-1) downwards.

        Gives the key of the last one in front of damage, or the start, and what was found behind that and may
        be damage as well; None: there is no damage.
        """
        last = start
        careful = self._careful
        steps = self._alike  # one more row at a time
        compare, order = (">", "") if way > 0 else ("<", " DESC")
        loose: list[Row] = []
        while True:
            before = last, len(loose)
            found: list[Row] = []
            # From a row that the tree leads to: what is behind may be found from there alone.
            again = int(steps and not self._alike and last != start)
            limit = again + len(loose) + 1 if steps else -1
            try:
                rows = self._connection.execute(
                    f"{self._select} {self._key} {compare}{'=' * again} ?"
                    f" ORDER BY {self._key}{order} LIMIT {limit}",
                    (*self._values, last),
                )
                for row in islice(rows, again, None):
                    key = row[0]
                    if (careful or type(key) is not int) and not self._is_there(key):
                        if type(key) is int and len(found) < LOOSE:
                            found.append(row)
                        continue
                    if (key - last) * way <= 0:
                        raise sqlite3.DatabaseError("rows in disorder")
                    if (end - key) * way < 0:
                        break
                    if found:
                        yield from self._settle(last, found, key)
                    yield row
                    last = key
                is_end = not steps or (self._alike and last == before[0])
                if is_end and self._ends(last, end, way):
                    yield from self._settle(last, found, end + way)
                    return None
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                forget_pages(self._connection)
                if steps:
                    return last, loose
                # Python asks for the next row before it gives one: the last one was not given.
            loose = found
            if steps and (last, len(loose)) == before:
                return last, loose  # what is next is what can't be read
            steps = True

    def _ends(self, last: int, end: int, way: int) -> bool:
        """Is that the last one from the other end, too?  A damaged row may seem to be another queue's."""
        compare, order = ("<", " DESC") if way > 0 else (">", "")
        found = self._connection.execute(
            f"{self._select} {self._key} {compare} ? ORDER BY {self._key}{order} LIMIT 1",
            (*self._values, end + way),
        ).fetchone()
        return found is None or not self._is_there(found[0]) or (found[0] - last) * way <= 0

    def _settle(self, last: int, loose: list[Row], next_key: int) -> Iterator[Row]:
        """The tree leads to these two, and not to what is between."""
        if loose:
            if next_key < last:
                last, next_key = next_key, last
                loose.reverse()
            yield from self._between(last, loose, next_key)
            self._gap(last, next_key)
            loose.clear()

    def _is_there(self, key: object) -> bool:
        """Does the tree lead to it?"""
        if type(key) is not int:
            return False
        if not self._careful:
            return True
        try:
            found = self._connection.execute(
                f"SELECT 1 FROM ({self._select} {self._key} = ?) LIMIT 1", (*self._values, key)
            )
            return found.fetchone() is not None
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            forget_pages(self._connection)
            return False


def joined(gaps: list[Gap]) -> list[Gap]:
    """The same, in order, each as long as it can be."""
    found: list[Gap] = []
    for gap in sorted(gaps):
        if found and gap.first <= found[-1].last + 1:
            found[-1] = Gap(found[-1].first, max(gap.last, found[-1].last))
        else:
            found.append(gap)
    return found


def numbers(connection: sqlite3.Connection) -> set[int]:
    """Of the queues that have messages, as far as they can be found."""
    found: set[int] = set()
    number = 0
    try:
        while True:
            # (No queue has a number above that, nor one that is none: those rows are some queue's that misses
            # them.)
            (number,) = connection.execute(
                "SELECT min(queue) FROM message WHERE queue > ? AND queue <= ?", (number, HIGHEST)
            ).fetchone()
            if type(number) is not int:
                return found
            found.add(number)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        forget_pages(connection)
    rest = Salvage(connection, "SELECT queue FROM message WHERE", "queue", careful=False, alike=True)
    return found | {number for (number,) in rest}
