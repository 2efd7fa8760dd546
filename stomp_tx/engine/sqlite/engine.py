"""SQLiteEngine: messages in memory, and persistent ones in a file too, where they outlive the process."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import classImplements

from stomp_tx.address import base_of, is_shared, is_topic
from stomp_tx.engine.bindings import Bindings
from stomp_tx.engine.dedupe import DedupeNames
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.priority_lanes import to_lane
from stomp_tx.engine.queue import Queue
from stomp_tx.engine.queues import Queues
from stomp_tx.engine.room import Room
from stomp_tx.engine.sqlite import loading, recovery
from stomp_tx.engine.sqlite.damage import Unwritable
from stomp_tx.engine.sqlite.damaged_queues import DamagedQueues
from stomp_tx.engine.sqlite.dedupe_names import StoredNames
from stomp_tx.engine.sqlite.emptying import Emptying
from stomp_tx.engine.sqlite.group import Group, both_safe
from stomp_tx.engine.sqlite.intake import Intake
from stomp_tx.engine.sqlite.journal import Journal
from stomp_tx.engine.sqlite.lane import StoredLane
from stomp_tx.engine.sqlite.message_rows import MessageRows
from stomp_tx.engine.sqlite.open_file import OpenFile
from stomp_tx.engine.sqlite.page_reader import PageReader
from stomp_tx.engine.sqlite.storage import Storage
from stomp_tx.engine.sqlite.stored_bindings import StoredBindings
from stomp_tx.engine.sqlite.window_limits import WindowLimits
from stomp_tx.engine.sqlite.writer import Worker
from stomp_tx.engine.topic_index import TopicIndex
from stomp_tx.interfaces import IClaim, IEngine, Judge, Safe, Test
from stomp_tx.message import PERSISTENT, Batch, Message, Outcome

FAR = 2**40
"""Positions, as many as no queue has: after those that can't be read, whatever they are."""


class SQLiteEngine:
    """Keeps messages in memory, and persistent ones in a file as well; of a long queue a window is in memory.

    "Safe" means: committed, and synced to the disk.  Before that a persistent message is seen by nobody: it
    is handed out when it is safe, so that none is ever delivered that its producer is then told has failed.
    What may have been handed out when the process died comes again with an attempt counted: before messages
    are handed out, the file says up to which position they may have been.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        clock: IReactorTime,
        worker: Worker,
        limits: EngineLimits | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        clock -- whose seconds only go forward
        worker -- where the file is written
        now -- gives the seconds since 1970
        """
        self.limits = limits = limits or EngineLimits()
        self.made: Callable[[str], None] | None = None
        self.has_bound_changed: Callable[[], None] | None = None
        self.damaged: Callable[[str, int, str], None] | None = None
        self._now = now
        self._worker = worker
        self._room = Room(limits, self._queue_of)
        self._topics: TopicIndex[Callable[[Message], None]] = TopicIndex()
        self._bindings = Bindings(self._tell_bound)
        self.bindings = self._bindings.topics
        self.owners = self._bindings.owners
        self.selectors = self._bindings.selectors.texts
        self.unsifted = self._bindings.selectors.unsifted
        self._dedupe = DedupeNames(limits, clock.seconds)
        self._names = StoredNames(self._dedupe, clock.seconds, limits.dedupe_window)
        self._file = OpenFile(path, limits.reserve_octets)
        self._journal = Journal(
            clock,
            worker,
            self._file.write,
            self._file.describe,
            self._undo,
            self._reached_somebody,
            self._not_written,
            limits.unsafe_octets,
            self._has_written,
        )
        self._intake = Intake(
            self._file, self._journal, self._room, clock, worker, limits.overflow == "spill"
        )
        self._damaged_queues = DamagedQueues(clock, self._file.name, self._tell_damaged)
        self._page_reader = PageReader(self._file.reading, self._file.name, self._damaged_queues)
        self._storage = Storage(
            self._room,
            self._journal,
            self._page_reader,
            self._damaged_queues,
            WindowLimits(limits, self._room),
        )
        self._queues: Queues[StoredLane] = Queues(
            self._room, self._bindings, self._make_lane, self._tell_made, self.withdraw, self._forget
        )
        self._lanes = self._queues.lanes
        self._rows = MessageRows(
            self._queues, self._bindings, self._storage, self._intake, self._dedupe, self._names
        )
        self._emptying = Emptying(self._queues, self._storage)
        self._stored_bindings = StoredBindings(
            self._bindings, self._queues, self._rows, self._storage, self._intake, self._unbind
        )
        # From these on a queue may be full.
        self._length = limits.queue_length
        self._queue_octets = limits.queue_octets
        self._total_octets = limits.total_octets

    # -- start and stop -----------------------------------------------------------------------------------

    def check(self) -> None:
        self._file.check()

    def start(self) -> None:
        self._file.open(self._restore)

    def _restore(self, connection: sqlite3.Connection) -> None:
        for number in recovery.astray(connection):
            self._damaged_queues.astray(number)
        self._rows.last_number = loading.last_number(connection)
        selectors, unreadable = loading.selectors(connection)
        found = list(loading.queues(connection))
        storage = self._storage
        far = FAR + max((last or 0 for _, last, _ in found), default=0)
        for row, last, next_expiry in found:
            if last is None:
                last = far
                self._damaged_queues.ends_in_damage(row.name)
            self._queues.lane(row.name).restore(row, last, next_expiry)
            storage.last_position = max(storage.last_position, last)
            if row.topic is not None:
                self._bindings.bind(row.name, row.topic, 0)
                if row.number in selectors:
                    self._bindings.selectors.restore(row.name, *selectors[row.number])
                elif row.number in unreadable:
                    self._damaged_queues.selector_lost(row.name)
        self._names.restore(connection, self._now())
        if loading.some_are_doomed(connection):
            self._journal.group().changes.doomed = True
        self.log.info(
            "{path}: {messages} messages in {queues} queues",
            path=self._file.path,
            messages=sum(lane.unloaded for lane in self._lanes.values()),
            queues=len(self._lanes),
        )
        self._intake.look()
        reserve = self._file.reserve
        if reserve.fault:
            self.log.warn(
                "{path} can't be made: {fault}: when the disk is full, ACKs fail too",
                path=reserve.path,
                fault=reserve.fault,
            )

    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._storage.is_stopping = True
        await self._journal.flush()
        in_flight = self._room.octets - sum(lane.waiting.octets for lane in self._lanes.values())
        if not in_flight and not self._journal.fails:
            # Nothing is in flight: none of what is left has been handed out and not settled.
            for lane in self._lanes.values():
                if lane.mark.safe:
                    lane.mark.lower()
                    self._journal.group().part(lane)
            await self._journal.flush()
        self._worker.stop()
        self._file.close()
        self._lanes.clear()
        self._topics = TopicIndex()

    @property
    def path(self) -> str:
        """The file's: the real one, when it has been started."""
        return self._file.path

    @property
    def last_position(self) -> int:
        return self._storage.last_position

    @property
    def octets(self) -> int:
        """Of all messages that are in memory, those handed out and not settled among them."""
        return self._room.octets

    @property
    def stored_octets(self) -> int:
        """Of all rows."""
        return self._room.stored_octets

    # -- what the parts ask and tell ----------------------------------------------------------------------

    def _make_lane(
        self, name: str, priority: int, queue: Queue[Any], will_expire: dict[str, None]
    ) -> StoredLane:
        return StoredLane(name, priority, queue, will_expire, self._storage)

    def _queue_of(self, name: str) -> Queue[StoredLane] | None:
        return self._queues.queue(name)

    def _tell_made(self, queue: str) -> None:
        if self.made is not None:
            self.made(queue)

    def _tell_bound(self) -> None:
        if self.has_bound_changed is not None:
            self.has_bound_changed()

    def _tell_damaged(self, queue: str, position: int, why: str) -> None:
        if self.damaged is not None:
            self.damaged(queue, position, why)

    def _forget(self, lane: StoredLane) -> None:
        self._rows.forget(lane)

    def _has_written(self) -> None:
        self._intake.look()

    def _not_written(self, damage: Unwritable) -> None:
        """These queues' part of the file can't be written: without them the next groups can be."""
        for lane in self._lanes.values():
            adding, removing = lane.number in damage.adding, lane.number in damage.removing
            if adding or removing:
                self._damaged_queues.shuts(lane, str(damage), adding, removing)
        if damage.tidying:
            self._damaged_queues.leaves_rest()

    def _undo(self, message: Message) -> None:
        """It was accepted, but that could not be made safe: it comes again, but to a queue emptied since."""
        lane = self._lanes.get(message.address)
        if message.is_persistent and lane is not None and message.position <= lane.since:
            return
        self._room.octets += message.size
        message.owner.octets += message.size
        reached = self._reached_somebody(message)
        outcome = Outcome.REJECTED if reached else Outcome.RELEASED
        self._queues.put_back(message, outcome).after_put_back()

    def _reached_somebody(self, message: Message) -> bool:
        """Is it likely to have been accepted, not taken out because it has expired?"""
        keeping = message.keeping
        return keeping is None or not 0 < keeping.expires <= 1000 * self._now()

    # -- queues -------------------------------------------------------------------------------------------

    def append(self, message: Message) -> Safe:
        if message.keeping is not None:
            return self._append_kept(message)
        lane = self._lanes.get(message.address)
        if lane is None or lane.spilling:
            if lane is not None:
                return self._spill(message)  # not before those that are on their way there
            lane = self._queues.add(message.address)
        self._storage.last_position = message.position = self._storage.last_position + 1
        queue, messages = lane.queue, lane.waiting.tail
        if queue.demand > 0 and not lane.waiting.messages:
            queue.demand -= 1
            if not queue.taker(message):  # type: ignore[misc]  # there is one: it asked
                self._room.octets += message.size
                message.owner.octets += message.size
            return None
        waiting = lane.waiting
        messages.append(message)
        octets = waiting.octets = waiting.octets + message.size
        total = self._room.octets = self._room.octets + message.size
        message.owner.octets += message.size
        if len(messages) >= self._length or octets >= self._queue_octets or total >= self._total_octets:
            return self._over(lane, message)
        if queue.noticed is not None:
            queue.noticed((message,))
        return None

    def _over(self, lane: StoredLane, message: Message) -> Safe:
        """This message, the last of the queue, has reached a limit."""
        if not (self._room.spills and self._room.memory_is_full(lane.queue)):
            lane.queue.notice((message,))
            return succeed(None)  # what is full is found out by ``is_full``
        lane.waiting.tail.pop()
        lane.waiting.octets -= message.size
        self._room.octets -= message.size
        message.owner.octets -= message.size
        return self._spill(message)

    def _append_kept(self, message: Message) -> Safe:
        """The same for a message that asks for some keeping."""
        if message.keeping is PERSISTENT:
            group = self._rows.add(message)
            return group.safe or group.when_safe()
        if not self._dedupe.takes(message):
            return self._safe_again(message)
        to_lane(message)
        return self._append_first(message)

    def _safe_again(self, message: Message) -> Safe:
        """When the first of its name is."""
        assert message.keeping is not None and message.keeping.dedupe is not None
        return self._journal.pending_of(message.address, message.keeping.dedupe)

    def _append_first(self, message: Message) -> Safe:
        """The first of its name."""
        if message.is_persistent:
            return self._rows.add(message).when_safe()
        lane = self._queues.lane(message.address)
        if lane.spilling or (self._room.spills and self._room.memory_is_full(lane.queue)):
            return self._spill(message)
        return self._append_in_memory(message)

    def _append_in_memory(self, message: Message) -> Safe:
        lane = self._queues.lane(message.address)
        self._storage.last_position = message.position = self._storage.last_position + 1
        self._queues.arrive(lane, message)
        return succeed(None) if self._room.is_full(lane.queue) else None

    def _spill(self, message: Message) -> Safe:
        """There is no memory for it, but room in the file; nobody waits until it is there."""
        lane, group = self._rows.spill(message)
        group.failed.append(partial(self._not_spilled, lane, message))
        full = self._journal.is_behind or self._room.stored_octets >= self._room.most_stored
        return succeed(None) if full else None

    def _not_spilled(self, lane: StoredLane, message: Message) -> None:
        """Then it is in memory after all: a little above the limit."""
        lane.spilling -= 1
        if self._lanes.get(lane.name) is lane:
            self._queues.arrive(lane, message)

    def settle(self, message: Message, outcome: Outcome) -> Safe:
        keeping = message.keeping
        if keeping is None or not keeping.persistent or outcome is Outcome.RELEASED:
            return self._settle_in_memory(message, outcome)
        shut = self._damaged_queues.shut
        lane = shut.get(message.address) if shut and outcome is Outcome.ACCEPTED else None
        group = self._journal.group() if lane is None or not lane.stands else self._rows.refused(lane)
        self._rows.settle(message, outcome, group)
        if outcome is Outcome.ACCEPTED:
            self._room.octets -= message.size
            message.owner.octets -= message.size
            if self._room.lines:
                self._room.wake(message.address)
        else:
            self._queues.put_back(message, outcome).after_put_back()
        return group.safe or group.when_safe()

    def _settle_in_memory(self, message: Message, outcome: Outcome) -> Safe:
        if outcome is Outcome.ACCEPTED:
            self._room.octets -= message.size
            message.owner.octets -= message.size
            if self._room.lines:
                self._room.wake(message.address)
            return None
        self._queues.put_back(message, outcome).after_put_back()
        return None

    def commit(self, batch: Batch) -> Safe:
        if batch.withdrawn:
            batch = self._queues.with_those_taken_out(batch)
        if not self._is_to_be_made_safe(batch):
            return self._commit_in_memory(batch)
        group = self._rows.group_for(batch)
        for message, outcome in batch.settled:
            if message.is_persistent:
                if outcome is not Outcome.RELEASED:
                    self._rows.settle(message, outcome, group)
            elif outcome is Outcome.ACCEPTED:
                group.accepted.append(message)
        self._queues.settle_all(batch.settled)
        for name in batch.emptied:
            self._emptying.add(name, group)
        earlier: Safe = None
        for message in batch.appended:
            if not self._dedupe.takes(message):
                earlier = self._safe_again(message) or earlier
            elif is_topic(message.address):
                self._publish_when_safe(message, self._bindings.copies(message), group)
            else:
                self._append_when_safe(message, group)
        self._queues.wake_for(batch)
        return both_safe(earlier, group.when_safe())

    def _is_to_be_made_safe(self, batch: Batch) -> bool:
        for message, outcome in batch.settled:
            if outcome is not Outcome.RELEASED and message.is_persistent:
                return True
        for message in batch.appended:
            if message.is_persistent:
                return True
        return any(self._emptying.takes_a_group(name) for name in batch.emptied)

    def _commit_in_memory(self, batch: Batch) -> Safe:
        self._queues.settle_all(batch.settled)
        for name in batch.emptied:
            self._queues.empty(name)
        full = None
        for message in batch.appended:
            safe = self.publish(message) if is_topic(message.address) else self.append(message)
            full = full or safe
        self._queues.wake_for(batch)
        return full

    def _append_when_safe(self, message: Message, group: Group) -> None:
        """With the rest of the group, whether it has a row or not."""
        to_lane(message)
        if message.is_persistent:
            self._rows.add(message, group)
        else:
            message.position = self._storage.last_position
            group.effects.append((self._append_now, message))
            group.coming.setdefault(base_of(message.address), []).append(message)
            self._rows.note_name(message, group)

    def _append_now(self, message: Message) -> None:
        if not self._bindings.is_of_the_past(message):
            self._append_in_memory(message)

    def consume(self, queue: str, taker: Callable[[Message], bool]) -> IClaim:
        return self._queues.consume(queue, taker)

    def queues(self) -> Sequence[str]:
        return self._queues.names()

    def browse(self, queue: str, after: int = 0) -> Iterator[list[Message]]:
        return self._queues.browse(queue, after)

    def oldest(self, queue: str) -> Message | None:
        return self._queues.oldest(queue)

    def withdraw(self, message: Message, instead: Sequence[Message] = ()) -> Safe:
        taken = self._queues.take_out(message)
        if taken is None:
            return None
        lane, found = taken
        safe = self.commit(Batch(list(instead), [(found, Outcome.ACCEPTED)]))
        self._queues.forget_if_idle(lane)
        return safe

    def delete(self, queue: str) -> Safe:
        lanes = self._queues.lanes_of(queue)
        if not lanes or any(lane.topic is not None for lane in lanes):
            return None  # (it is bound: ``unbind``)
        self._purge(queue)
        return self._journal.pending()

    def _purge(self, queue: str) -> None:
        """Drop all that waits, and what the file has of it."""
        lanes = self._queues.lanes_of(queue)
        self._queues.purge(queue)
        for lane in lanes:
            if lane.number:
                self._rows.drop(lane)

    def depth(self, queue: str) -> tuple[int, int]:
        return self._queues.depth(queue)

    def expire(self, now: int, judge: Judge) -> bool:
        self._dedupe.tidy()
        there_is_more = self._queues.expire(now, lambda over: self._bury(over, judge))
        there_is_more |= self._storage.expiring_rows.expire(now, lambda over: self._bury(over, judge))
        if not self._storage.is_stopping:
            self._intake.sweep()
            there_is_more |= self._room.wake_some()
        self._journal.retry()
        self._page_reader.sweep()
        if self._names.are_old():
            group = self._journal.group()
            self._names.tidy(group.changes)
            group.failed.append(self._names.come)
        return there_is_more

    def _bury(self, over: list[Message], judge: Judge) -> None:
        for message in over:
            # (When it fails the message is back where it was, and expires again.)
            self.commit(Batch(list(judge(message)), [(message, Outcome.ACCEPTED)]))

    def next_expiry(self, queue: str) -> int:
        lane = self._lanes.get(queue)
        if lane is None:
            return 0
        times = (
            lane.waiting.next_expiry(),
            self._storage.expiring_rows.next_of(lane),
            self._journal.next_expiry(lane),
        )
        return min((time for time in times if time), default=0)

    # -- room ---------------------------------------------------------------------------------------------

    def limit(self, limits_of: Callable[[str], tuple[int, int]] | None) -> None:
        self._room.limits_of = limits_of
        self._queues.forget_limits()
        self._room.wake_some()

    @property
    def full(self) -> Mapping[str, object]:
        return self._room.lines

    def notice(self, octets: int) -> None:
        self._room.notice(octets)
        self._total_octets = min(self.limits.total_octets, octets)

    @property
    def is_short(self) -> bool:
        return self._room.is_short

    def is_full(self, queue: str, message: Message | None = None) -> bool:
        if self._room.is_roomy:
            return False
        return self._room.find_full(self._where(queue, message))

    def is_full_itself(self, queue: str, message: Message | None = None) -> bool:
        return self._room.find_full_itself(self._where(queue, message))

    def room(self, queue: str, message: Message, is_next: bool = False) -> Deferred[None] | None:
        return self._room.wait(self._where(queue, message), message.owner, is_next)

    def _where(self, address: str, message: Message | None) -> Iterable[str]:
        """The queues in which a message to that address is kept; None: any message."""
        return self._bindings.wanting(address, message) if is_topic(address) else (address,)

    def caught_up(self) -> Deferred[None] | None:
        return self._journal.caught_up()

    # -- topics -------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> Safe:
        if message.keeping is not None or self.bindings:
            return self._publish_kept(message)
        topics, topic = self._topics, message.address
        for heard in topics.known.get(topic) or (topics.of(topic) if topics.has_patterns else ()):
            heard(message)
        return None

    def _publish_kept(self, message: Message) -> Safe:
        """The same where it asks for some keeping, or some queue may be bound to its topic."""
        if not self._dedupe.takes(message):
            return self._safe_again(message)
        copies = self._bindings.copies(message)
        keeping = message.keeping
        if keeping is None or not keeping.persistent:
            full = None
            for copy in copies:
                full = self._append_first(copy) or full
            self._hear(message)
            return full
        if not copies and keeping.dedupe is None and self._is_in_order(message):
            self._hear(message)  # nobody will ever ask the file for it
            return None
        becomes_rows = bool(copies) or keeping.dedupe is not None
        group = self._rows.group_for_published(message, becomes_rows)
        self._publish_when_safe(message, copies, group)
        return group.when_safe()

    def _is_in_order(self, message: Message) -> bool:
        """May it be heard now: is none of its topic on its way to the disk?"""
        return self._journal.is_idle or not self._bindings.of(message.address)

    def _publish_when_safe(self, message: Message, copies: list[Message], group: Group) -> None:
        self._rows.note_name(message, group)
        for copy in copies:
            self._append_when_safe(copy, group)
        group.effects.append((self._hear, message))

    def _hear(self, message: Message) -> None:
        for heard in self._topics.of(message.address):
            heard(message)

    def listen(self, topic: str, heard: Callable[[Message], None]) -> Callable[[], None]:
        self._topics.add(topic, heard)
        return lambda: self._topics.remove(topic, heard)

    def bind(self, queue: str, topic: str, selector: str | None = None) -> Safe:
        if not is_shared(queue):
            return self._stored_bindings.bind(queue, topic, selector)
        is_new = self._bindings.bind(queue, topic, self._storage.last_position)
        if is_new:
            self._storage.last_position += 1
        if selector is not None and selector != self.selectors.get(queue):
            self._bindings.selectors.say(queue, selector, is_new)
        return None

    def has_bound(self, topic: str) -> bool:
        return self._bindings.has_bound(topic)

    def unbind(self, queue: str) -> Safe:
        self._unbind(queue)
        return self._journal.pending()

    def _unbind(self, queue: str) -> None:
        lane = self._lanes.get(queue)
        if lane is not None:
            lane.topic = None
        self._bindings.unbind(queue)
        self._purge(queue)

    def select(self, test_of: Callable[[str, str], Test | None] | None) -> None:
        self._bindings.selectors.judge_by(test_of)

    @property
    def selector_characters(self) -> int:
        return self._bindings.selectors.characters

    def sifted(self, queue: str) -> Safe:
        if queue in self.unsifted and not is_shared(queue):
            return self._stored_bindings.sifted(queue)
        self.unsifted.pop(queue, None)
        return None


classImplements(SQLiteEngine, IEngine)
