"""SQLiteEngine: a MemoryEngine whose persistent messages are in a file too, and outlive the process."""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.address import base_of, is_bound, is_shared, is_topic, priority_of
from stomp_tx.engine.limits import ENOUGH, EngineLimits
from stomp_tx.engine.memory.engine import AT_ONCE, MemoryEngine
from stomp_tx.engine.memory.queue import MemoryQueue
from stomp_tx.engine.sqlite import file, locking, private_files, recovery, rows
from stomp_tx.engine.sqlite.damage import Unwritable
from stomp_tx.engine.sqlite.damaged_queues import DamagedQueues
from stomp_tx.engine.sqlite.dedupe_names import Names
from stomp_tx.engine.sqlite.disk_reserve import DiskReserve
from stomp_tx.engine.sqlite.file_lock import FileLock
from stomp_tx.engine.sqlite.journal import Group, Journal, Worker
from stomp_tx.engine.sqlite.page_reader import PageReader
from stomp_tx.engine.sqlite.priority_lanes import StoredLane
from stomp_tx.engine.sqlite.queue import StoredQueue
from stomp_tx.errors import ConfigurationError, EngineError, StompError
from stomp_tx.interfaces import Judge, Safe
from stomp_tx.message import PERSISTENT, Batch, Message, Outcome

OLDEST = (3, 35)
"""The SQLite that is needed at least."""

FAR = 2**40
"""Positions, as many as no queue has: after those that can't be read, whatever they are."""

LOOK = 5.0
"""Seconds between two looks at whether the disk has room again."""

LATER = 60_000
"""Milliseconds until a queue is looked at again of whose messages in the file none seems to expire."""


class SQLiteEngine(MemoryEngine):
    """Keeps messages in memory, and persistent ones in a file as well; of a long queue a window is in memory.

    "Safe" means: committed, and synced to the disk.  Before that a persistent message is seen by nobody: it
    is handed out when it is safe, so that none is ever delivered that its producer is then told has failed.
    What may have been handed out when the process died comes again with an attempt counted: before messages
    are handed out, the file says up to which position they may have been.
    """

    log = Logger()

    _queues: dict[str, StoredQueue]  # type: ignore[assignment]

    def __init__(
        self,
        path: str,
        clock: Any,
        worker: Worker,
        limits: EngineLimits | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        clock -- IReactorTime, whose seconds only go forward
        worker -- where the file is written
        now -- gives the seconds since 1970
        """
        super().__init__(limits, clock.seconds)
        self.path = path
        self.stored_octets = 0  # of all rows
        self.next_expiries: dict[StoredQueue, int] = {}  # of those that expire in the file; or earlier
        self._now = now
        self._clock = clock
        self._worker = worker
        self._journal = Journal(
            clock,
            worker,
            self._write,
            self._describe,
            self._undo,
            self._reached_somebody,
            self._not_written,
            self.limits.unsafe_octets,
            self._see_room,
        )
        self._reserve = DiskReserve(path, self.limits.reserve_octets)
        self._group_to_add: Callable[[], Group] = self._journal.group  # where messages become rows
        self._takes = True  # there is room for more of them
        self._look_at = 0.0
        self._looks = False
        self.standing = DamagedQueues(clock, lambda: self.path, self._is_damaged)
        self.pages = PageReader(self._connection, lambda: self.path, self.standing)
        # Not all that may be in memory: then those who do not persist would have no room.
        self.window_length = min(self.limits.window_length, self.limits.queue_length // 2)
        self.window_octets = min(self.limits.window_octets, self.limits.queue_octets // 2)
        self.is_stopping = False
        self._spills = self.limits.overflow == "spill"
        if self._spills:
            self.append = self._append_or_spill  # type: ignore[method-assign]
        self._number = 0  # the last queue's
        self._names = Names(self._seen, clock.seconds, self.limits.dedupe_window)
        self._lock: FileLock | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    # -- start and stop -----------------------------------------------------------------------------------

    def check(self) -> None:
        self._must_be_possible()
        file.must_be_usable(os.path.realpath(self.path))

    def _must_be_possible(self) -> None:
        locking.must_be_possible()
        if sqlite3.sqlite_version_info < OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old",
                f"the file needs {OLDEST[0]}.{OLDEST[1]} or newer; --engine memory: needs none",
            )

    def start(self) -> None:
        self._must_be_possible()
        self.path = os.path.realpath(self.path)  # whoever comes by another name finds the same lock
        self._reserve = DiskReserve(self.path, self.limits.reserve_octets)
        self._lock = FileLock(self.path)
        try:
            self._reserve.start()
            try:
                self._open()
            except (sqlite3.Error, StompError):
                if not self._reserve.would_help():
                    raise
                self._close_connections()
                self._reserve.release_at_start()
                self._open()
            self._warn_of_readers()
            self._restore()
        except sqlite3.Error as error:
            self._close()
            raise file.file_error(self.path, error) from None
        except BaseException:
            self._close()
            raise

    def _open(self) -> None:
        self._writer = file.open_for_writing(self.path)
        self._reader = file.open_for_reading(self.path)
        recovery.recover(self._writer)
        if self._reserve.is_gone:
            self._reserve.look(self._writer)

    def _warn_of_readers(self) -> None:
        """Of a file from before: a new one is private.  Whether its mode was meant, only a person knows."""
        if found := private_files.open_to_others(self.path):
            self.log.warn(
                "every user of this machine may use {path}, and the messages in it; if that is not meant:"
                " chmod 600 {files}",
                path=self.path,
                files=shlex.join(found),
            )

    def _restore(self) -> None:
        connection = self._writer
        assert connection is not None
        for number in recovery.astray(connection):
            self.standing.astray(number)
        self._number = rows.last_number(connection)
        selectors, unreadable = rows.selectors(connection)
        found = list(rows.queues(connection))
        far = FAR + max((last or 0 for _, last, _ in found), default=0)
        for row, last, next_expiry in found:
            if last is None:
                last = far
                self.standing.ends_in_damage(row.name)
            self._queue(row.name).restore(row, last, next_expiry)  # type: ignore[attr-defined]
            self.last_position = max(self.last_position, last)
            if row.topic is not None:
                self._bind(row.name, row.topic)
                self._bound_since[row.name] = 0
                if row.number in selectors:
                    self._selectors.restore(row.name, *selectors[row.number])
                elif row.number in unreadable:
                    self.standing.selector_lost(row.name)
        self._names.restore(connection, self._now())
        if rows.some_are_doomed(connection):
            self._journal.group().changes.doomed = True
        messages = sum(queue.length for queue in self._queues.values())
        self.log.info(
            "{path}: {messages} messages in {queues} queues",
            path=self.path,
            messages=messages,
            queues=len(self._queues),
        )
        self._see_room()
        if self._reserve.fault:
            self.log.warn(
                "{path} can't be made: {fault}: when the disk is full, ACKs fail too",
                path=self._reserve.path,
                fault=self._reserve.fault,
            )

    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.is_stopping = True
        await self._journal.flush()
        in_flight = self.octets - sum(queue.octets for queue in self._queues.values())
        if not in_flight and not self._journal.fails:
            # Nothing is in flight: none of what is left has been handed out and not settled.
            for queue in self._queues.values():
                if queue.mark:
                    queue.unmark()
                    self.touch(queue)
            await self._journal.flush()
        self._worker.stop()
        self._close()
        super().stop()

    def _close(self) -> None:
        self._close_connections()
        if self._lock is not None:
            self._lock.close()
        self._lock = None

    def _close_connections(self) -> None:
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    # -- the file -----------------------------------------------------------------------------------------

    def _connection(self) -> sqlite3.Connection:
        assert self._reader is not None
        return self._reader

    def _write(self, changes: rows.Changes) -> bool:
        """Runs in the worker."""
        assert self._writer is not None
        return self._reserve.write(self._writer, changes)

    def _see_room(self) -> None:
        """Take messages into the file, or refuse them, as there is room."""
        if self._reserve.takes is self._takes:
            return
        self._takes = self._reserve.takes
        if self._takes:
            self._group_to_add = self._journal.group
            self._spills = self.limits.overflow == "spill"
            self.log.info("{path} has room again: persistent messages are taken", path=self.path)
            for queue in list(self.waiting):
                self.wake(queue)
        else:
            self._group_to_add = self._journal.refused
            self._spills = False
            self.log.critical(
                "the disk of {path} is full: persistent messages are refused, ACKs and deletions go on in the"
                " room of {reserve}, as long as that lasts: make room on the disk, or consume what waits",
                path=self.path,
                reserve=self._reserve.path,
            )

    def _look_for_room(self) -> None:
        """Now and then, while the reserve is gone: can it be made again?"""
        if self._looks or self.is_stopping or self._clock.seconds() < self._look_at:
            return
        self._looks = True
        self._look_at = self._clock.seconds() + LOOK
        writer = self._writer
        assert writer is not None
        self._worker.run(lambda: self._reserve.make_again(writer), self._has_looked)

    def _has_looked(self, success: bool, result: Any) -> None:
        self._looks = False
        if success:
            self._see_room()

    def _describe(self, error: sqlite3.Error) -> tuple[StompError, StompError]:
        """To clients, whom the path is no business of, and to the operator."""
        return file.file_error("the broker's file", error), file.file_error(self.path, error)

    def touch(self, queue: StoredQueue) -> None:
        """Write the queue's own row."""
        self._journal.group().part(queue)

    def forget(self, message: Message) -> None:
        """Its row is not needed any more, and nobody waits for its end."""
        queue = self._owner(message)
        if queue is not None and not queue.stands:
            self._journal.group().remove(queue, message)

    def coming(self, queue: StoredQueue) -> int:
        """How many of its messages are on their way to the disk."""
        return self._journal.added(queue)

    def _is_damaged(self, queue: str, position: int, why: str) -> None:
        if self.damaged is not None:
            self.damaged(queue, position, why)

    def _not_written(self, damage: Unwritable) -> None:
        """These queues' part of the file can't be written: without them the next groups can be."""
        for queue in self._queues.values():
            adding, removing = queue.number in damage.adding, queue.number in damage.removing
            if adding or removing:
                self.standing.shuts(queue, str(damage), adding, removing)
        if damage.tidying:
            self.standing.leaves_rest()

    def _undo(self, message: Message) -> None:
        """It was accepted, but that could not be made safe: it comes again, but to a queue emptied since."""
        queue = self._queues.get(message.address)
        if message.is_persistent and queue is not None and message.position <= queue.since:
            return
        self.octets += message.size
        reached = self._reached_somebody(message)
        self._put_back(message, Outcome.REJECTED if reached else Outcome.RELEASED).after_put_back()

    def _reached_somebody(self, message: Message) -> bool:
        """Is it likely to have been accepted, not taken out because it has expired?"""
        keeping = message.keeping
        return keeping is None or not 0 < keeping.expires <= 1000 * self._now()

    # -- queues -------------------------------------------------------------------------------------------

    def _add_queue(self, name: str) -> StoredQueue:
        priority = priority_of(name)
        if priority is None:
            queue = StoredQueue(name, self)
        else:
            base = self._queue(base_of(name))
            assert isinstance(base, StoredQueue)
            queue = StoredLane(name, self, base, priority)
            base.add_lane(queue)
        self._queues[name] = queue
        if priority is None and self.made is not None:
            self.made(name)
        return queue

    def _numbered(self, name: str) -> StoredQueue:
        """The queue, with a number in the file from now on."""
        queue = self._queues.get(name) or self._add_queue(name)
        if not queue.number:
            self._number += 1
            queue.number = self._number
            queue.since = self.last_position
            if self.standing.takes_no_new:
                self.standing.keeps_out(queue)
        return queue

    def _owner(self, message: Message) -> StoredQueue | None:
        """The queue that has its row; None: it was dropped meanwhile."""
        queue = self._queues.get(message.address)
        if queue is None or not queue.number or message.position <= queue.since:
            return None
        return queue

    def _append_kept(self, message: Message) -> Safe:
        if message.keeping is PERSISTENT:
            group = self._add_row(message)
            return group.safe or group.when_safe()
        return super()._append_kept(message)

    def _append_first(self, message: Message) -> Safe:
        if message.is_persistent:
            return self._add_row(message).when_safe()
        if self._spills and self._memory_is_full(self._queue(message.address)):
            return self._spill(message)
        return super()._append_first(message)

    def _add_row(self, message: Message, group: Group | None = None) -> Group:
        """Append it when it is safe: when the group is; None: when what comes now is."""
        queue = self._queues.get(message.address)
        if queue is None or not queue.number:
            queue = self._numbered(message.address)
        self.last_position = message.position = self.last_position + 1
        if group is None:
            group = self._group_to_add() if queue.can_add else self._refused(queue)
        group.add(queue, message, queue.arrives)
        if message.keeping is not PERSISTENT:
            self._note_name(message, group)
        return group

    def _refused(self, queue: StoredQueue) -> Group:
        """A group that fails, for one that would: so do not those of others."""
        return self._journal.refused(_damaged(queue.name))

    def _shut_for(self, batch: Batch) -> StoredQueue | None:
        """One of those of which it would remove, or to which it would add, what can't be."""
        shut = self.standing.shut
        for message, outcome in batch.settled:
            queue = shut.get(message.address) if outcome is Outcome.ACCEPTED else None
            if queue is not None and queue.stands and message.is_persistent:
                return queue
        for lane in (lane for name in batch.emptied for lane in self._lanes(name)):
            if lane.stands:
                return lane
        for message in batch.appended:
            queue = self._shut_to(message)
            if queue is not None:
                return queue
        return None

    def _shut_to(self, message: Message) -> StoredQueue | None:
        """One of those where it is to be kept, and can't be."""
        if message.is_persistent:
            names = {base_of(name) for name in self._bound.of(message.address) or (message.address,)}
            for queue in self.standing.shut.values():
                if base_of(queue.name) in names and not queue.can_add:
                    return queue
        return None

    def _append_or_spill(self, message: Message) -> Safe:
        """``append``, where the file takes what is too much for the memory."""
        queue = self._queues.get(message.address)
        if queue is None or not queue.spilling or message.is_persistent or not self._is_first(message):
            return super().append(message)
        self._to_lane(message)
        return self._spill(message)  # not before those that are on their way there

    def _spill(self, message: Message) -> Safe:
        """There is no memory for it, but room in the file; nobody waits until it is there."""
        queue = self._numbered(message.address)
        queue.spilling += 1
        self.last_position = message.position = self.last_position + 1
        group = self._group_to_add() if queue.can_add else self._refused(queue)
        group.add(queue, message, queue.spilled)
        group.failed.append(lambda: self._not_spilled(queue, message))
        full = self._journal.is_behind or self.stored_octets >= self.limits.stored_octets
        return succeed(None) if full else None

    def _not_spilled(self, queue: StoredQueue, message: Message) -> None:
        """Then it is in memory after all: a little above the limit."""
        queue.spilling -= 1
        if self._queues.get(queue.name) is queue:
            self._arrive(queue, message)

    def _over(self, queue: MemoryQueue, message: Message) -> Safe:
        if not self._spills:
            return super()._over(queue, message)
        queue.tail.pop()
        queue.octets -= message.size
        self.octets -= message.size
        return self._spill(message)

    def settle(self, message: Message, outcome: Outcome) -> Safe:
        keeping = message.keeping
        if keeping is None or not keeping.persistent or outcome is Outcome.RELEASED:
            return super().settle(message, outcome)
        shut = self.standing.shut
        queue = shut.get(message.address) if shut and outcome is Outcome.ACCEPTED else None
        group = self._journal.group() if queue is None or not queue.stands else self._refused(queue)
        self._settle_row(message, outcome, group)
        if outcome is Outcome.ACCEPTED:
            self.octets -= message.size
            if self.waiting:
                self.wake(message.address)
        else:
            super().settle(message, outcome)
        return group.safe or group.when_safe()

    def _settle_row(self, message: Message, outcome: Outcome, group: Group) -> None:
        """What becomes of a persistent message's row; what becomes of itself is the memory's business."""
        queue = self._queues.get(message.address)
        if queue is None or message.position <= queue.since or not queue.number:
            return  # it was dropped meanwhile
        if outcome is Outcome.ACCEPTED:
            part = group.parts.get(queue) or group.part(queue)
            part.removed.append(message)
            group.accepted.append(message)
        elif outcome is Outcome.REJECTED and not queue.stands:
            group.changes.attempts[queue.number, message.position] = message.attempts + 1

    def commit(self, batch: Batch) -> Safe:
        if batch.withdrawn:
            batch = self._with_those_taken_out(batch)
        settled = [message for message, outcome in batch.settled if outcome is not Outcome.RELEASED]
        if not (
            any(message.is_persistent for message in (*batch.appended, *settled))
            or any(self._is_in_file(name) for name in batch.emptied)
        ):
            return super().commit(batch)
        shut = self._shut_for(batch) if self.standing.shut else None
        if shut is not None:
            group = self._refused(shut)
        else:
            adds = not self._takes and any(self._becomes_rows(message) for message in batch.appended)
            group = self._group_to_add() if adds else self._journal.group()
        for message, outcome in batch.settled:
            if message.is_persistent:
                self._settle_row(message, outcome, group)
            elif outcome is Outcome.ACCEPTED:
                group.accepted.append(message)
        self._settle_all(batch.settled)
        for name in batch.emptied:
            self._empty_when_safe(name, group)
        earlier: Safe = None
        for message in batch.appended:
            if not self._is_first(message):
                earlier = self._safe_again(message) or earlier
            else:
                if is_topic(message.address):
                    self._publish_when_safe(message, self._copies(message), group)
                else:
                    self._append_when_safe(message, group)
        self._wake_for(batch)
        return _both(earlier, group.when_safe())

    def _becomes_rows(self, message: Message) -> bool:
        """Needs it room in the file?"""
        keeping = message.keeping
        if keeping is None or not keeping.persistent:
            return False
        bound = not is_topic(message.address) or self._bound.of(message.address)
        return bool(bound or keeping.dedupe is not None)

    def _append_when_safe(self, message: Message, group: Group) -> None:
        """With the rest of the group, whether it has a row or not."""
        self._to_lane(message)
        if message.is_persistent:
            self._add_row(message, group)
        else:
            message.position = self.last_position
            group.effects.append((self._append_now, message))
            group.coming.setdefault(base_of(message.address), []).append(message)
            self._note_name(message, group)

    def _append_now(self, message: Message) -> None:
        if not self._is_of_the_past(message):
            super()._append_first(message)

    def _lanes(self, name: str) -> list[StoredQueue]:
        found = self._queues.get(name)
        return [] if found is None else list(found.lanes or (found,))  # type: ignore[arg-type]

    def _is_in_file(self, name: str) -> bool:
        """Is something of that queue in the file, or on its way to wherever?"""
        return any(lane.number for lane in self._lanes(name)) or self._journal.is_coming(name)

    def _empty_when_safe(self, name: str, group: Group) -> None:
        """What waits there now goes with the rest of the group, and what is on its way there."""
        position = self.last_position
        coming = {id(message): message for message in self._journal.take_coming(name)}
        for lane in self._lanes(name):
            if lane.number:
                group.part(lane).cut = position

        def empty(mark: Message) -> None:
            for lane in self._lanes(name):
                lane.drop_up_to(position)
                self._journal.has_cut(lane, position)
            self._empty(name, lambda message: message.position <= position or id(message) in coming)

        group.effects.append((empty, Message("", name, name, {}, b"", 0)))

    def expire(self, now: int, judge: Judge) -> bool:
        there_is_more = super().expire(now, judge)
        left = AT_ONCE
        for queue, expires in list(self.next_expiries.items()):
            if expires <= now and left > 0:
                found = self._expire_in_file(queue, now, judge)
                there_is_more |= found > 0
                left -= max(found, 1)
        if self._reserve.is_gone:
            self._look_for_room()
        self._journal.retry()
        self.pages.sweep()
        if self._names.are_old():
            group = self._journal.group()
            self._names.tidy(group.changes)
            group.failed.append(self._names.come)
        return there_is_more or left <= 0

    def next_expiry(self, queue: str) -> int:
        found = self._queues.get(queue)
        if found is None:
            return 0
        times = (
            super().next_expiry(queue),
            self.next_expiries.get(found, 0),
            self._journal.next_expiry(found),
        )
        return min((time for time in times if time), default=0)

    def _expire_in_file(self, queue: StoredQueue, now: int, judge: Judge) -> int:
        """Take out a page of what has expired of one queue's; gives how many were found."""
        if queue.stands:
            del self.next_expiries[queue]  # it would come back
            return 0
        page = self.pages.expired(queue, now)
        if page is None:
            return 0
        found = page.messages
        if page.damage is not None:
            self.next_expiries[queue] = now + LATER
        elif not found:
            self.next_expiries[queue] = self.pages.next_expiry(queue, now) or now + LATER
        over = [message for message in found if message.position not in queue.removing]
        if not over:
            return 0  # there are none, or they go with the next commit
        queue.remove_rows(over)
        for message in over:
            if not message.is_persistent:
                self.forget(message)  # a settled one has no row
        self._bury(over, judge)
        return len(found)

    # -- names --------------------------------------------------------------------------------------------

    def _note_name(self, message: Message, group: Group) -> None:
        """Its name has been taken note of: make that as safe as itself."""
        keeping = message.keeping
        if keeping is None or keeping.dedupe is None or is_bound(base_of(message.address)):
            return
        address, name = base_of(message.address), keeping.dedupe
        group.names.add((address, name))
        group.failed.append(lambda: self._seen.discard(address, name))
        if keeping.persistent:
            self._names.note(group.changes, address, name)

    def _safe_again(self, message: Message) -> Safe:
        assert message.keeping is not None and message.keeping.dedupe is not None
        return self._journal.pending_of(message.address, message.keeping.dedupe)

    # -- room ---------------------------------------------------------------------------------------------

    def _memory_is_full(self, queue: MemoryQueue) -> bool:
        return super()._is_full(queue)

    def _is_full(self, queue: MemoryQueue) -> bool:
        if self.stored_octets >= self.limits.stored_octets:
            return True
        if self._limits_of is not None and not self._has_own_room(queue, 1.0):
            return True
        return not self._spills and self._memory_is_full(queue)

    def _has_room_again(self, queue: MemoryQueue) -> bool:
        if self._spills:
            return self._total_has_room() and self._has_own_room(queue, ENOUGH)
        return self._total_has_room() and super()._has_room_again(queue)

    def _total_has_room(self) -> bool:
        if self.stored_octets > ENOUGH * self.limits.stored_octets:
            return False
        return self._spills or super()._total_has_room()

    def room(self, queue: str, message: Message | None = None) -> Deferred[None] | None:
        roomy = self.octets < self._roomy and self.stored_octets < self.limits.stored_octets
        if roomy and self._limits_of is None:
            return None
        return self._room(queue, message)

    def caught_up(self) -> Deferred[None] | None:
        return self._journal.caught_up()

    # -- topics -------------------------------------------------------------------------------------------

    def _publish_kept(self, message: Message) -> Safe:
        keeping = message.keeping
        if keeping is None or not keeping.persistent:
            return super()._publish_kept(message)
        if not self._is_first(message):
            return self._safe_again(message)
        copies = self._copies(message)
        if not copies and keeping.dedupe is None and self._is_in_order(message):
            self._hear(message)  # nobody will ever ask the file for it
            return None
        shut = self._shut_to(message) if self.standing.shut else None
        if shut is not None:
            group = self._refused(shut)
        else:
            adds = copies or keeping.dedupe is not None
            group = self._group_to_add() if adds else self._journal.group()
        self._publish_when_safe(message, copies, group)
        return group.when_safe()

    def _is_in_order(self, message: Message) -> bool:
        """May it be heard now: is none of its topic on its way to the disk?"""
        return self._journal.is_idle or not self._bound.of(message.address)

    def _publish_when_safe(self, message: Message, copies: list[Message], group: Group) -> None:
        self._note_name(message, group)
        for copy in copies:
            self._append_when_safe(copy, group)
        group.effects.append((self._hear, message))

    def bind(self, queue: str, topic: str, selector: str | None = None) -> Safe:
        if is_shared(queue):
            return super().bind(queue, topic, selector)
        if self.standing.takes_no_new and queue not in self._queues:
            raise _damaged(queue)  # what is published to its topic would fail for it
        is_new = self._bind(queue, topic)
        changes = selector is not None and selector != self.selectors.get(queue)
        if not is_new and not changes:
            return self._journal.pending_of(queue, topic)
        bound = self._numbered(queue)
        adds = is_new or self._journal.refuses(queue, topic)
        group = self._group_to_add() if adds else self._journal.group()
        group.names.add((queue, topic))
        if is_new:
            bound.topic = topic
            group.part(bound)
            group.failed.append(lambda: self._unbind(queue) if self._queues.get(queue) is bound else None)
        if selector is not None and changes:
            selectors = self._selectors
            change = selectors.change(queue, selector, is_new)
            group.changes.selectors[bound.number] = selector, change.is_unsifted
            group.failed.append(lambda: selectors.undo(queue, change))

            def confirm(_: None) -> None:
                selectors.confirm(queue, change)

            group.when_safe().addCallback(confirm)
        return group.when_safe()

    def sifted(self, queue: str) -> Safe:
        if queue not in self.unsifted or is_shared(queue):
            return super().sifted(queue)
        text, bound = self.selectors[queue], self._queues[queue]
        self._selectors.sift(queue)
        group = self._journal.group()
        group.changes.selectors[bound.number] = text, False
        group.failed.append(lambda: self._selectors.undo_sift(queue, text))
        return group.when_safe()

    def delete(self, queue: str) -> Safe:
        found = self._queues.get(queue)
        if found is None or found.topic is not None:
            return None  # (it is bound: ``unbind``)
        lanes = list(found.lanes or (found,))
        super().delete(queue)
        for lane in lanes:
            assert isinstance(lane, StoredQueue)
            if lane.number:
                self._drop(lane)
        return self._journal.pending()

    def _unbind(self, queue: str) -> None:
        found = self._queues.get(queue)
        if found is not None:
            found.topic = None
        lanes = [] if found is None else list(found.lanes or (found,))
        super()._unbind(queue)
        for lane in lanes:
            assert isinstance(lane, StoredQueue)
            if lane.number:
                self._drop(lane)

    def unbind(self, queue: str) -> Safe:
        super().unbind(queue)
        return self._journal.pending()

    # -- queues that are no more --------------------------------------------------------------------------

    def forget_if_idle(self, queue: MemoryQueue) -> None:
        assert isinstance(queue, StoredQueue)
        if queue.number == 0:
            super().forget_if_idle(queue)
        elif queue.is_idle and not self._journal.changes(queue):
            self._drop(queue)

    def _drop(self, queue: StoredQueue) -> None:
        """Its row, and all that it has in the file."""
        if self._queues.get(queue.name) is queue:
            del self._queues[queue.name]
        self.expiring.pop(queue, None)
        self.pages.forget(queue)
        group = self._journal.group()
        group.parts.pop(queue, None)
        group.changes.selectors.pop(queue.number, None)
        self._journal.leave(queue.number, queue.length_stored > 0 or self._journal.changes(queue))
        self.stored_octets -= queue.octets_stored
        queue.number = 0
        self._forget_lane(queue)
        if self.waiting:
            self.wake(queue.name)


def _damaged(queue: str) -> EngineError:
    return EngineError(
        f"{base_of(queue)} can't be stored: the broker's file is damaged", "the broker's owner must repair it"
    )


def _both(earlier: Safe, later: Deferred[None]) -> Deferred[None]:
    """Safe when both are; ``later`` fires after ``earlier``, if they are not the same."""
    if earlier is None or earlier is later:
        return later
    failed: list[Failure] = []
    both: Deferred[None] = Deferred()

    def note(failure: Failure) -> Failure:
        failed.append(failure)
        return failure

    def tell(result: Failure | None) -> Failure | None:
        outcome = failed[0] if failed else result
        if isinstance(outcome, Failure):
            both.errback(outcome)
            both.addErrback(lambda _: None)  # those who wait for it were told
        else:
            both.callback(None)
        return result

    earlier.addErrback(note)
    later.addBoth(tell)
    return both
