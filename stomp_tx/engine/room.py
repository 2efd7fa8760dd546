"""Room: how much the queues of an engine hold, and who waits until they hold less."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from twisted.internet.defer import Deferred

from stomp_tx.address import base_of
from stomp_tx.engine.limits import ENOUGH, EngineLimits
from stomp_tx.message import OVERHEAD


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
    waiting -- for room, by queue
    limits_of -- gives the queues' own limits; None: they have none
    roomy -- below so many octets in memory no limit of it can have been reached
    most_stored -- the limit of ``stored_octets``
    spills -- what is too much for the memory is stored: the memory's limits are no queue's limit
    """

    def __init__(self, limits: EngineLimits, queue_of: Callable[[str], Measured | None]) -> None:
        """``queue_of`` gives the queue of a name; None: there is none."""
        self.octets = 0
        self.stored_octets = 0
        self.waiting: dict[str, list[Deferred[None]]] = {}
        self.limits_of: Callable[[str], tuple[int, int]] | None = None
        self.spills = False
        self._queue_of = queue_of
        self._length = limits.queue_length
        self._queue_octets = limits.queue_octets
        self._total_octets = limits.total_octets
        self.most_stored = limits.stored_octets
        self.roomy = min(self._queue_octets, self._total_octets, self._length * OVERHEAD)
        self._total_is_short = False  # somebody waits for room in what all queues share

    def is_full(self, queue: Measured) -> bool:
        """Has it reached a limit?"""
        if self.octets < self.roomy and self.limits_of is None and self.stored_octets < self.most_stored:
            return False
        if self.stored_octets >= self.most_stored:
            return True
        if self.spills:
            return not self._has_own_room(queue, 1.0)
        return self.memory_is_full(queue)

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

    def _has_room_again(self, queue: Measured) -> bool:
        if not (self._total_has_room() and self._has_own_room(queue, ENOUGH)):
            return False
        if self.spills:
            return True
        length, octets = queue.depth_in_memory()
        return length <= ENOUGH * self._length and octets <= ENOUGH * self._queue_octets

    def _total_has_room(self) -> bool:
        """Is there room in what all queues share?"""
        if self.stored_octets > ENOUGH * self.most_stored:
            return False
        return self.spills or self.octets <= ENOUGH * self._total_octets

    def wait(self, names: Iterable[str]) -> Deferred[None] | None:
        """None when none of these queues is full; else a Deferred that fires when one that is has room."""
        for name in names:
            queue = self._queue_of(name)
            if queue is not None and self.is_full(queue):
                self._total_is_short |= not self._total_has_room()
                waiting = self.waiting.setdefault(name, [])
                wanted: Deferred[None] = Deferred(waiting.remove)
                waiting.append(wanted)
                return wanted
        return None

    def wake(self, name: str) -> None:
        """Let those go on who waited for room in that queue, once there is enough to be worth their while."""
        names: Iterable[str] = (base_of(name),)
        if self._total_is_short and self._total_has_room():
            self._total_is_short = False
            names = list(self.waiting)
        for one in names:
            if one not in self.waiting:
                continue
            queue = self._queue_of(one)
            if queue is None or self._has_room_again(queue):
                # (Who goes on may wait again, or wake others.)
                for wanted in list(self.waiting.pop(one)):
                    wanted.callback(None)
            else:
                self._total_is_short |= not self._total_has_room()

    def wake_all(self) -> None:
        """The same of all queues: the limits have changed."""
        for name in list(self.waiting):
            self.wake(name)
