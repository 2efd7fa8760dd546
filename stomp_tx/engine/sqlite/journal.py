"""Journal: group commit.  What happens while one commit is under way goes into the next one, together.

The statements run in one thread of their own, where nothing else waits for the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.engine.limits import ENOUGH
from stomp_tx.engine.sqlite.changes import Changes
from stomp_tx.engine.sqlite.damage import Unwritable
from stomp_tx.engine.sqlite.disk_reserve import FULL
from stomp_tx.engine.sqlite.group import Group
from stomp_tx.engine.sqlite.stored import Stored
from stomp_tx.engine.sqlite.writer import Worker
from stomp_tx.errors import StompError
from stomp_tx.message import Message


class Journal:
    """Collects changes into groups, and has one group at a time written."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        worker: Worker,
        write: Callable[[Changes], bool],
        describe: Callable[[sqlite3.Error], tuple[StompError, StompError]],
        undo: Callable[[Message], None],
        counts: Callable[[Message], bool],
        not_written: Callable[[Unwritable], None],
        most: int,
        written: Callable[[], object] = lambda: None,
    ) -> None:
        """
        write -- runs in the worker; True: call it again, there is more to tidy up
        describe -- what an error of SQLite's means: to clients, and to the operator
        undo -- called with each accepted message of a group that failed
        counts -- is an attempt of it to be counted then?
        not_written -- called with what is damaged, where that is the reason and a queue's own
        most -- octets on their way to the disk, from which on ``caught_up`` waits
        written -- called when a group was written, or was not, before anybody else is told
        """
        self._clock = clock
        self._worker = worker
        self._write = write
        self._describe = describe
        self._undo = undo
        self._counts = counts
        self._not_written = not_written
        self._most = most
        self._tell_written = written
        self._next = Group()
        self._refused: Group | None = None
        self._refused_for: StompError | None = None
        self._writing: Group | None = None
        self._scheduled = False  # there is something in the next group
        self._busy = False  # a group is written, or what is to happen then happens
        self._octets = 0  # of what is written now
        self._waiting: list[Deferred[None]] = []
        self._when_idle: Deferred[None] | None = None
        self._left = False  # there is something in it that need not be written at once
        self._tidies = True  # what is left of queues that are no more is removed
        self.fails = False  # the last group could not be written

    def group(self) -> Group:
        """The group that is written next: something is added to it."""
        if not self._scheduled:
            self._scheduled = True
            if not self._busy:
                # At the end of this turn: all that one read brings goes together.
                self._clock.callLater(0, self._begin)
        return self._next

    def refused(self, why: StompError | None = None) -> Group:
        """A group that fails at the end of this turn, and others don't; None: there is no room for it."""
        if self._refused is None:
            self._refused = Group()
            self._refused_for = why
            self._clock.callLater(0, self._refuse)
        return self._refused

    def refuses(self, address: str, name: str) -> bool:
        """Is what that stands for (see ``Group.names``) refused in this turn?"""
        return self._refused is not None and (address, name) in self._refused.names

    def _refuse(self) -> None:
        group, self._refused = self._refused, None
        if group is None:
            return  # flushed meanwhile
        error = self._refused_for or self._describe(sqlite3.OperationalError(FULL))[0]
        self._undo_all(group, error)
        for lane in group.parts:
            self._guarded(lane.go_on)

    def leave(self, number: int, has_rows: bool) -> None:
        """The queue of this number is no more: so says the next group, whenever that is written."""
        changes = self._next.changes
        (changes.dropped if has_rows else changes.emptied).append(number)
        self._next.failed.append(lambda: self.leave(number, has_rows))
        self._left = True

    def retry(self) -> None:
        """Write what was left, if there is anything."""
        if self._left:
            self.group()

    def pending(self) -> Deferred[None] | None:
        """Fires when all that has been added so far is safe; None: it is."""
        if self._scheduled:
            return self._next.when_safe()
        return None if self._writing is None else self._writing.when_safe()

    def pending_of(self, address: str, name: str) -> Deferred[None] | None:
        """Fires when what that stands for is safe (see ``Group.names``); None: it is."""
        for group in (self._writing, self._next, self._refused):
            if group is not None and (address, name) in group.names:
                return group.when_safe()
        return None

    @property
    def is_idle(self) -> bool:
        """Is nothing on its way, and has all that was to happen then happened?"""
        return not self._scheduled and not self._busy

    @property
    def is_behind(self) -> bool:
        """Is too much on its way?"""
        return self._next.octets + self._octets >= self._most

    def caught_up(self) -> Deferred[None] | None:
        """None, or fires when no longer too much is on its way."""
        if not self.is_behind:
            return None
        wanted: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(wanted)
        return wanted

    def changes(self, lane: Stored) -> bool:
        """Is something of it on its way to the disk?"""
        writing = self._writing
        return lane in self._next.parts or (writing is not None and lane in writing.parts)

    def added(self, lane: Stored) -> int:
        """How many messages of it are on their way to the disk."""
        groups = (self._next,) if self._writing is None else (self._next, self._writing)
        return sum(len(group.parts[lane].added) for group in groups if lane in group.parts)

    def is_coming(self, queue: str) -> bool:
        """Is something without a row on its way to that queue, or is it to be emptied?"""
        return queue in self._next.coming or (self._writing is not None and queue in self._writing.coming)

    def take_coming(self, queue: str) -> list[Message]:
        """What has no row and is on its way to that queue; whoever asks next is told of what comes later.

        The next group says what becomes of these.  If it fails, they stay, and wait there by then.
        """
        found: list[Message] = []
        for group in (self._writing, self._next):
            if group is not None:
                found += group.coming.pop(queue, ())
        self._next.coming[queue] = []
        return found

    def has_cut(self, lane: Stored, position: int) -> None:
        """Its rows up to this position are no more: none of them need be removed."""
        for group in (self._next, self._refused):
            part = None if group is None else group.parts.get(lane)
            if part is not None and part.removed:
                part.removed = [one for one in part.removed if one.position > position]

    def next_expiry(self, lane: Stored) -> int:
        """When the first message of it that is on its way to the disk will expire; 0: none will."""
        groups = (self._next,) if self._writing is None else (self._next, self._writing)
        found = [one.keeping for group in groups if lane in group.parts for one in group.parts[lane].added]
        return min((one.expires for one in found if one is not None and one.expires), default=0)

    def flush(self) -> Deferred[None]:
        """Fires when nothing is left to be written."""
        self._refuse()
        self.retry()
        self._when_idle = Deferred()
        if not self._scheduled and not self._busy:
            self._when_idle.callback(None)
        return self._when_idle

    def _leave_over(self, group: Group) -> None:
        """What has happened, whether it could be written or not: that is written some time."""
        attempts = self._next.changes.attempts
        standing = {lane.number for lane in group.parts if lane.stands}
        for row, count in group.changes.attempts.items():
            if row[0] not in standing:
                attempts.setdefault(row, count)
        accepted = {id(message) for message in group.accepted}
        for lane, part in group.parts.items():
            if lane.stands:
                continue
            # Handed out, and nobody waits for its end.
            gone = [message for message in part.removed if id(message) not in accepted]
            if not lane.number:
                continue  # dropped meanwhile
            if gone:
                self._next.part(lane).removed += gone
            for message in part.removed:
                if id(message) in accepted and self._counts(message):
                    # It reached somebody, and will be put back.
                    attempts.setdefault((lane.number, message.position), message.attempts + 1)
        self._left = True

    def _begin(self) -> None:
        self._scheduled = self._left = False
        self._busy = True
        group, self._next = self._next, Group()
        self._writing = group
        self._octets = group.octets
        changes = group.changes
        changes.tidies = self._tidies
        for lane, part in group.parts.items():
            if part.cut:
                part.grow(lane.length_stored, lane.octets_stored)
            else:
                part.grow()
            part.row = lane.row(part.rows, part.octets)
            changes.parts.append(part)
        self._worker.run(lambda: self._write(changes), self._done)

    def _done(self, success: bool, result: Any) -> None:
        """The group was written, or was not."""
        group = self._writing
        assert group is not None
        self._writing = None
        self._octets = 0
        self._guarded(self._tell_written)
        if success:
            self._succeeded(group)
            if result:
                self.group().changes.doomed = True
        else:
            self._failed(group, result)
        if self._next.octets <= ENOUGH * self._most:
            waiting, self._waiting = self._waiting, []
            for wanted in waiting:
                self._guarded(wanted.callback, None)
        self._busy = False
        if self._scheduled:
            self._begin()
        elif self._when_idle is not None and not self._when_idle.called:
            self._when_idle.callback(None)

    def _succeeded(self, group: Group) -> None:
        if self.fails:
            self.fails = False
            self.log.info("the file can be written again")
        for lane, part in group.parts.items():
            self._guarded(lane.committed, part)
        if group.safe is not None:
            group.safe.callback(None)
        for effect, message in group.effects:
            try:
                effect(message)
            except Exception:
                self.log.failure("{message} could not be handed on", message=message)
        for lane in group.parts:
            self._guarded(lane.go_on)

    def _guarded(self, call: Callable[..., object], *arguments: object) -> None:
        """One queue's fault is not the others'."""
        try:
            call(*arguments)
        except Exception:
            self.log.failure("what follows a commit has failed")

    def _failed(self, group: Group, failure: Failure) -> None:
        error: BaseException | None = failure.value
        if isinstance(error, sqlite3.Error):
            damage = error if isinstance(error, Unwritable) and error.can_be_left_out else None
            error, told = self._describe(error)
            if damage is not None:
                self._tidies = self._tidies and not damage.tidying
                self._not_written(damage)
                self._undo_all(group, error)
                return
            if not self.fails:
                self.log.critical("{error}", error=told.line)
        elif not self.fails:
            self.log.failure("the file could not be written", failure)
        self.fails = True
        self._undo_all(group, error)

    def _undo_all(self, group: Group, error: BaseException | None) -> None:
        """All of it is as it was, and who waits for it is told."""
        for undo in group.failed:
            self._guarded(undo)
        self._leave_over(group)
        for message in group.accepted:
            self._guarded(self._undo, message)
        for lane in group.parts:
            self._guarded(lane.not_committed)
        if group.safe is not None:
            group.safe.errback(Failure(error))
            group.safe.addErrback(lambda _: None)  # those who wait for it were told
