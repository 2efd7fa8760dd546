"""MessageRows: which group of the journal says that messages come to the file, and go."""

from __future__ import annotations

from stomp_tx.address import base_of, is_bound, is_topic
from stomp_tx.engine.bindings import Bindings
from stomp_tx.engine.dedupe import DedupeNames
from stomp_tx.engine.queues import Queues
from stomp_tx.engine.sqlite.dedupe_names import StoredNames
from stomp_tx.engine.sqlite.group import Group
from stomp_tx.engine.sqlite.intake import Intake
from stomp_tx.engine.sqlite.lane import StoredLane
from stomp_tx.engine.sqlite.storage import Storage
from stomp_tx.engine.sqlite.stored import Stored
from stomp_tx.errors import EngineError
from stomp_tx.message import PERSISTENT, Batch, Message, Outcome


class MessageRows:
    """A lane gets its number when the first of its messages becomes a row, and loses it with the last.

    last_number -- that a lane has or had
    """

    def __init__(
        self,
        queues: Queues[StoredLane],
        bindings: Bindings,
        storage: Storage,
        intake: Intake,
        dedupe: DedupeNames,
        names: StoredNames,
    ) -> None:
        self.last_number = 0
        self._queues = queues
        self._lanes = queues.lanes
        self._bindings = bindings
        self._storage = storage
        self._journal = storage.journal
        self._damaged_queues = storage.damaged_queues
        self._intake = intake
        self._dedupe = dedupe
        self._names = names

    # -- coming -------------------------------------------------------------------------------------------

    def numbered(self, address: str) -> StoredLane:
        """The lane, with a number in the file from now on."""
        lane = self._lanes.get(address) or self._queues.add(address)
        if not lane.number:
            self.last_number += 1
            lane.number = self.last_number
            lane.since = self._storage.last_position
            if self._damaged_queues.takes_no_new:
                self._damaged_queues.keeps_out(lane)
        return lane

    def add(self, message: Message, group: Group | None = None) -> Group:
        """Append it when it is safe: when the group is; None: when what comes now is."""
        lane = self._lanes.get(message.address)
        if lane is None or not lane.number:
            lane = self.numbered(message.address)
        self._storage.last_position = message.position = self._storage.last_position + 1
        if group is None:
            group = self._intake.group() if lane.can_add else self.refused(lane)
        group.add(lane, message, lane.arrives)
        if message.keeping is not PERSISTENT:
            self.note_name(message, group)
        return group

    def spill(self, message: Message) -> tuple[StoredLane, Group]:
        """The same for one that does not persist, for which there is no memory."""
        lane = self.numbered(message.address)
        lane.spilling += 1
        self._storage.last_position = message.position = self._storage.last_position + 1
        group = self._intake.group() if lane.can_add else self.refused(lane)
        group.add(lane, message, lane.spilled)
        return lane, group

    def note_name(self, message: Message, group: Group) -> None:
        """Its name has been taken note of: make that as safe as itself."""
        keeping = message.keeping
        if keeping is None or keeping.dedupe is None or is_bound(base_of(message.address)):
            return
        address, name = base_of(message.address), keeping.dedupe
        group.names.add((address, name))
        group.failed.append(lambda: self._dedupe.discard(address, name))
        if keeping.persistent:
            self._names.note(group.changes, address, name)

    # -- going --------------------------------------------------------------------------------------------

    def settle(self, message: Message, outcome: Outcome, group: Group) -> None:
        """What becomes of a persistent message's row; what becomes of itself is the memory's business."""
        lane = self._lanes.get(message.address)
        if lane is None or message.position <= lane.since or not lane.number:
            return  # it was dropped meanwhile
        if outcome is Outcome.ACCEPTED:
            part = group.parts.get(lane) or group.part(lane)
            part.removed.append(message)
            group.accepted.append(message)
        elif outcome is Outcome.REJECTED and not lane.stands:
            group.changes.attempts[lane.number, message.position] = message.attempts + 1

    def forget(self, lane: StoredLane) -> None:
        """It is idle: it goes, as soon as nothing of it is on its way."""
        if lane.number == 0:
            self._queues.remove(lane)
        elif not self._journal.changes(lane):
            self.drop(lane)

    def drop(self, lane: StoredLane) -> None:
        """Its row goes, and all that it has in the file."""
        self._storage.page_reader.forget(lane)
        group = self._journal.group()
        group.parts.pop(lane, None)
        group.changes.selectors.pop(lane.number, None)
        self._journal.leave(lane.number, lane.length_stored > 0 or self._journal.changes(lane))
        room = self._storage.room
        room.stored_octets -= lane.octets_stored
        lane.number = 0
        self._queues.remove(lane)
        if room.lines:
            room.wake(lane.name)

    # -- where damage is in the way -----------------------------------------------------------------------

    def refused(self, lane: Stored) -> Group:
        """A group that fails, for one that would: so do not those of others."""
        return self._journal.refused(damaged(lane.name))

    def group_for(self, batch: Batch) -> Group:
        """Where it is written, or refused."""
        if self._damaged_queues.shut:
            address = self._shut_for(batch)
            if address is not None:
                return self._journal.refused(damaged(address))
        if not self._intake.is_open and any(self._becomes_rows(message) for message in batch.appended):
            return self._intake.group()
        return self._journal.group()

    def group_for_published(self, message: Message, becomes_rows: bool) -> Group:
        """The same for a persistent message to a topic."""
        if self._damaged_queues.shut:
            address = self._shut_to(message)
            if address is not None:
                return self._journal.refused(damaged(address))
        return self._intake.group() if becomes_rows else self._journal.group()

    def _shut_for(self, batch: Batch) -> str | None:
        """A lane of which it would remove, or to which it would add, what can't be."""
        shut = self._damaged_queues.shut
        for message, outcome in batch.settled:
            found = shut.get(message.address) if outcome is Outcome.ACCEPTED else None
            if found is not None and found.stands and message.is_persistent:
                return found.name
        for lane in (lane for name in batch.emptied for lane in self._queues.lanes_of(name)):
            if lane.stands:
                return lane.name
        for message in batch.appended:
            address = self._shut_to(message)
            if address is not None:
                return address
        return None

    def _shut_to(self, message: Message) -> str | None:
        """One where it is to be kept, and can't be."""
        if message.is_persistent:
            names = {base_of(name) for name in self._bindings.of(message.address) or (message.address,)}
            for lane in self._damaged_queues.shut.values():
                if base_of(lane.name) in names and not lane.can_add:
                    return lane.name
        return None

    def _becomes_rows(self, message: Message) -> bool:
        """Needs it room in the file?"""
        keeping = message.keeping
        if keeping is None or not keeping.persistent:
            return False
        bound = not is_topic(message.address) or self._bindings.of(message.address)
        return bool(bound or keeping.dedupe is not None)


def damaged(queue: str) -> EngineError:
    """Why nothing is stored there."""
    return EngineError(
        f"{base_of(queue)} can't be stored: the broker's file is damaged", "the broker's owner must repair it"
    )
