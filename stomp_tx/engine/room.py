"""Room: how much the queues of an engine hold, and who waits until they hold less."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

from twisted.internet.defer import Deferred

from stomp_tx.account import Owner
from stomp_tx.address import base_of
from stomp_tx.engine.limits import ENOUGH, EngineLimits
from stomp_tx.line import Line
from stomp_tx.message import OVERHEAD

MEMORY = ""
"""The line of nobody: it is there while as much is in memory as ``notice`` says."""

AT_ONCE = 100
"""Those who wait, of whom so many go on before it is others' turn."""


class Measured(Protocol):
    """A queue, as far as its size goes.

    own_limits -- messages and octets that may wait there, by the engine's ``limit``; None: not asked yet
    """

    name: str
    own_limits: tuple[int, int] | None

    def depth(self) -> tuple[int, int]:
        """Messages and octets that wait."""

    def depth_in_memory(self) -> tuple[int, int]:
        """The same of those that are in memory."""


class Room:
    """What all queues take up; a queue is full when it reaches a limit, or all together reach theirs.

    octets -- of all messages that are in memory, those handed out and not settled among them
    stored_octets -- of all that are stored elsewhere
    lines -- of the queues that have been found full, who waits for room there
    limits_of -- gives the queues' own limits; None: they have none
    roomy -- below so many octets in memory no limit of it can have been reached
    most_stored -- the limit of ``stored_octets``
    spills -- what is too much for the memory is stored: the memory's limits are no queue's limit
    """

    def __init__(self, limits: EngineLimits, queue_of: Callable[[str], Measured | None]) -> None:
        """``queue_of`` gives the queue of a name; None: there is none."""
        self.octets = 0
        self.stored_octets = 0
        self.lines: dict[str, Line] = {}
        self.limits_of: Callable[[str], tuple[int, int]] | None = None
        self.spills = False
        self._queue_of = queue_of
        self._length = limits.queue_length
        self._queue_octets = limits.queue_octets
        self._total_octets = limits.total_octets
        self.most_stored = limits.stored_octets
        self._notice_at = limits.total_octets
        self.roomy = self._roomy = min(self._queue_octets, self._total_octets, self._length * OVERHEAD)
        self._to_wake: dict[str, None] = {}
        self._is_waking = False
        self._total_is_short = False  # somebody waits for room in what all queues share

    def notice(self, octets: int) -> None:
        """From so many in memory on there is a line, though no limit may have been reached."""
        self._notice_at = octets
        self.roomy = min(self._roomy, octets)
        self._see_memory()

    def _see_memory(self) -> None:
        if self.octets >= self._notice_at:
            self.found_full(MEMORY)

    @property
    def is_roomy(self) -> bool:
        """Can no limit have been reached?"""
        return self.octets < self.roomy and self.limits_of is None and self.stored_octets < self.most_stored

    def is_full(self, queue: Measured) -> bool:
        """Has it reached a limit?  If so it has a line from now on."""
        if self.is_roomy:
            return False
        self._see_memory()
        if self.is_short or not self._has_room_itself(queue, 1.0):
            self.found_full(queue.name)
            return True
        return False

    def found_full(self, name: str) -> None:
        """That queue has reached a limit: it has a line from now on."""
        if name not in self.lines:
            self.lines[name] = Line()

    @property
    def is_short(self) -> bool:
        """Has what all queues share reached a limit?"""
        if self.stored_octets >= self.most_stored:
            return True
        return self.octets >= self._total_octets and not self.spills

    def memory_is_full(self, queue: Measured) -> bool:
        """Has it reached one of the memory's limits, or its own?"""
        length, octets = queue.depth_in_memory()
        return (
            length >= self._length
            or octets >= self._queue_octets
            or self.octets >= self._total_octets
            or not self._has_own_room(queue, 1.0)
        )

    def _has_own_room(self, queue: Measured, part: float) -> bool:
        """Is no more than a part of its own limits taken, if it has any?"""
        most = queue.own_limits
        if most is None:
            if self.limits_of is None:
                return True
            most = queue.own_limits = self.limits_of(queue.name)
        if most == (0, 0):
            return True
        length, octets = queue.depth()
        return (not most[0] or length < part * most[0]) and (not most[1] or octets < part * most[1])

    def _has_room_again(self, name: str) -> bool:
        if name == MEMORY:
            return self.octets < self._notice_at
        queue = self._queue_of(name)
        return self._total_has_room() and (queue is None or self._has_room_itself(queue, ENOUGH))

    def _has_room_itself(self, queue: Measured, part: float) -> bool:
        """Is less than a part of its limits taken, apart from what all queues share?"""
        if not self._has_own_room(queue, part):
            return False
        if self.spills:
            return True
        length, octets = queue.depth_in_memory()
        if part == 1.0:
            return length < self._length and octets < self._queue_octets
        return length <= part * self._length and octets <= part * self._queue_octets

    def _total_has_room(self) -> bool:
        """Is there room in what all queues share?"""
        if self.stored_octets > ENOUGH * self.most_stored:
            return False
        return self.spills or self.octets <= ENOUGH * self._total_octets

    def find_full(self, names: Iterable[str]) -> bool:
        """Is one of these queues full?"""
        return any(map(self._is_full, names))

    def _is_full(self, name: str) -> bool:
        queue = self._queue_of(name)
        if queue is not None:
            return self.is_full(queue)
        self._see_memory()
        if self.is_short:  # it would come to be
            self.found_full(name)
            return True
        return False

    def find_full_itself(self, names: Iterable[str]) -> bool:
        """The same, but for what all queues share."""
        for name in names:
            queue = self._queue_of(name)
            if queue is not None and not self._has_room_itself(queue, 1.0):
                return True
        return False

    def wait(self, names: Iterable[str], owner: Owner, is_next: bool = False) -> Deferred[None] | None:
        """None when none of these queues is full; else it fires when it is the owner's turn at one that is.

        is_next -- it has been, and goes on before all others
        """
        for name in names:
            if self._is_full(name) or (self.lines.get(name) and not is_next):
                self._total_is_short |= not self._total_has_room()
                return self.lines[name].add(owner, is_next)
        return None

    def wake(self, name: str) -> None:
        """Let those go on whose turn it is, once there is enough room in that queue to be worth while.

        One after the other, each when the one before has used its room; not more at a time than others can
        wait for.  The rest goes on with ``wake_some``.
        """
        self._to_wake[base_of(name)] = None
        if self._is_waking:
            return
        self._is_waking = True
        left = AT_ONCE
        try:
            while self._to_wake:
                one = next(iter(self._to_wake))
                del self._to_wake[one]
                left = self._wake(one, left)
                if self._total_is_short and self._total_has_room():
                    self._total_is_short = False
                    for other in list(islice(self.lines, AT_ONCE)):
                        left = self._wake(other, left)
        finally:
            self._is_waking = False

    def _wake(self, name: str, left: int) -> int:
        """Those of one line; gives how many more may go on now."""
        line = self.lines.get(name)
        if line is None:
            return left
        while self._has_room_again(name):
            if not line:
                if self.lines.get(name) is line:
                    del self.lines[name]
                return left
            if left <= 0:
                return 0
            left -= 1
            line.take().callback(None)  # (who goes on may wait again, or make room for others)
        self._total_is_short |= not self._total_has_room()
        return left

    def wake_some(self) -> bool:
        """The same of queues that may have room by now.  True: there is more to do, soon."""
        for name in list(islice(self.lines, AT_ONCE)):
            line = self.lines.get(name)
            if line is None:
                continue
            self.wake(name)
            if self.lines.get(name) is line:  # others have their turn
                del self.lines[name]
                self.lines[name] = line
                if line and self._has_room_again(name):
                    return True
        return False
