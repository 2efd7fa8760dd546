"""Emptying: what waits in a queue goes with a group, and what is on its way there; what comes later stays."""

from __future__ import annotations

from functools import partial

from stomp_tx.engine.queues import Queues
from stomp_tx.engine.sqlite.group import Group
from stomp_tx.engine.sqlite.lane import StoredLane
from stomp_tx.engine.sqlite.storage import Storage
from stomp_tx.message import Message


class Emptying:
    """See ``Batch.emptied``."""

    def __init__(self, queues: Queues[StoredLane], storage: Storage) -> None:
        self._queues = queues
        self._storage = storage
        self._journal = storage.journal

    def takes_a_group(self, name: str) -> bool:
        """Is something of that queue in the file, or on its way to wherever?"""
        return any(lane.number for lane in self._queues.lanes_of(name)) or self._journal.is_coming(name)

    def add(self, name: str, group: Group) -> None:
        """It is emptied when the group is safe."""
        position = self._storage.last_position
        coming = {id(message): message for message in self._journal.take_coming(name)}
        for lane in self._queues.lanes_of(name):
            if lane.number:
                group.part(lane).cut = position
        mark = Message("", name, name, {}, b"", 0)
        group.effects.append((partial(self._empty, position, coming), mark))

    def _empty(self, position: int, coming: dict[int, Message], mark: Message) -> None:
        for lane in self._queues.lanes_of(mark.address):
            lane.drop_up_to(position)
            self._journal.has_cut(lane, position)
        self._queues.empty(
            mark.address, lambda message: message.position <= position or id(message) in coming
        )
