"""StoredBindings: bindings that are in the file, and outlive the process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stomp_tx.engine.bindings import Bindings
from stomp_tx.engine.queues import Queues
from stomp_tx.engine.sqlite.intake import Intake
from stomp_tx.engine.sqlite.lane import StoredLane
from stomp_tx.engine.sqlite.message_rows import MessageRows, damaged
from stomp_tx.engine.sqlite.storage import Storage
from stomp_tx.interfaces import Safe


class StoredBindings:
    """Has those of Bindings written, each with its selector."""

    def __init__(
        self,
        bindings: Bindings,
        queues: Queues[StoredLane],
        rows: MessageRows,
        storage: Storage,
        intake: Intake,
        unbind: Callable[[str], None],
    ) -> None:
        """``unbind`` undoes one that could not be made safe."""
        self._bindings = bindings
        self._selectors = bindings.selectors
        self._lanes = queues.lanes
        self._rows = rows
        self._storage = storage
        self._journal = storage.journal
        self._intake = intake
        self._unbind = unbind

    def bind(self, queue: str, topic: str, selector: str | None) -> Safe:
        """See IEngine."""
        if self._storage.damaged_queues.takes_no_new and queue not in self._lanes:
            raise damaged(queue)  # what is published to its topic would fail for it
        is_new = self._bindings.bind(queue, topic, self._storage.last_position)
        if is_new:
            self._storage.last_position += 1  # nothing of an earlier one of this name is above that
        changes = selector is not None and selector != self._selectors.texts.get(queue)
        if not is_new and not changes:
            return self._journal.pending_of(queue, topic)
        lane = self._rows.numbered(queue)
        adds = is_new or self._journal.refuses(queue, topic)
        group = self._intake.group() if adds else self._journal.group()
        group.names.add((queue, topic))
        if is_new:
            lane.topic = topic
            group.part(lane)
            group.failed.append(partial(self._undo, queue, lane))
        if selector is not None and changes:
            change = self._selectors.change(queue, selector, is_new)
            group.changes.selectors[lane.number] = selector, change.is_unsifted
            group.failed.append(partial(self._selectors.undo, queue, change))
            group.when_safe().addCallback(lambda _: self._selectors.confirm(queue, change))
        return group.when_safe()

    def _undo(self, queue: str, lane: StoredLane) -> None:
        if self._lanes.get(queue) is lane:
            self._unbind(queue)

    def sifted(self, queue: str) -> Safe:
        """See IEngine."""
        text, lane = self._selectors.texts[queue], self._lanes[queue]
        self._selectors.sift(queue)
        group = self._journal.group()
        group.changes.selectors[lane.number] = text, False
        group.failed.append(partial(self._selectors.undo_sift, queue, text))
        return group.when_safe()
