"""DamagedQueues: queues that stand still where the file is damaged, and how their owner hears of it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stomp_tx.address import base_of, priority_of
from stomp_tx.engine.sqlite.damage import Damage
from stomp_tx.engine.sqlite.stored import Stored
from stomp_tx.printable import printable

AGAIN = 60.0
"""Seconds from one look at the damage to the next: what was read wrong may be read right."""

REMIND = 3600.0
"""Seconds from one line in the log about a queue that stands still to the next."""

_WHAT_TO_DO = (
    "`stomp-tx check {path}` tells what is lost; to go on without that, stop the broker and use"
    " `stomp-tx repair {path}`"
)


def _name(queue: str) -> str:
    """As its owner knows it."""
    priority = priority_of(queue)
    return printable(base_of(queue)) + ("" if priority is None else f" (priority {priority})")


class _Since:
    """When what was done for one of them."""

    __slots__ = ("looked", "told")

    def __init__(self, now: float) -> None:
        self.looked = self.told = now


class DamagedQueues:
    """Each is told of, and again every hour: others go on, and nothing else shows it.

    shut -- those to which nothing can be added, or of which nothing can be removed, by name
    takes_no_new -- nothing can be added to queues that are new: they would stand where it is damaged
    """

    log = Logger()

    def __init__(
        self, clock: IReactorTime, path: Callable[[], str], damaged: Callable[[str, int, str], None]
    ) -> None:
        """
        path -- gives the file's
        damaged -- called with the name of each, the position after which it stands still, and why
        """
        self._clock = clock
        self._path = path
        self._damaged = damaged
        self._queues: dict[Stored, _Since] = {}
        self._miscounted: set[str] = set()
        self.shut: dict[str, Stored] = {}
        self.takes_no_new = False

    def found(self, queue: Stored, damage: Damage) -> None:
        """It can't be read any further."""
        queue.damage = damage
        self._begins(queue, damage.after, damage.why)

    def shuts(self, queue: Stored, why: str, adding: bool, removing: bool) -> None:
        """Nothing can be added any more; or what is removed would come again, so nothing is handed out."""
        queue.shut(adding, removing)
        self.shut[queue.name] = queue
        if adding and not queue.length_stored and not self.takes_no_new:
            self.takes_no_new = True
            self._say("no new queue can be stored in {path}, which is damaged where it would be")
        self._begins(queue, 0 if queue.damage is None else queue.damage.after, why)

    def keeps_out(self, queue: Stored) -> None:
        """It is new, where those take no messages."""
        queue.shut(adding=True, removing=False)
        self.shut[queue.name] = queue

    def leaves_rest(self) -> None:
        """Messages of queues that are no more can't be removed."""
        self._say("what is left of queues that are no more can't be removed from {path}, which is damaged")

    def astray(self, number: int) -> None:
        """A queue's own row is lost, and its name with it."""
        what = "{path} is damaged: the name of a queue (number {number}) with messages is lost"
        self._say(what, number=number)

    def _say(self, what: str, **facts: object) -> None:
        self.log.critical(what + ". " + _WHAT_TO_DO, path=self._path(), **facts)

    def _begins(self, queue: Stored, after: int, why: str) -> None:
        self._queues[queue] = _Since(self._clock.seconds())
        self._tell(queue)
        self._damaged(base_of(queue.name), after, why)

    def ends_in_damage(self, queue: str) -> None:
        """Which position comes last can't be read."""
        self._say("{queue} will stand still: {path} is damaged at the end of it", queue=_name(queue))

    def selector_lost(self, queue: str) -> None:
        """What is there is no text."""
        self._say(
            "the selector of {queue} can't be read in {path}, which is damaged: it keeps all messages until"
            " its subscriber comes",
            queue=_name(queue),
        )

    def miscounted(self, queue: Stored) -> None:
        """It has more messages than it says, and goes on."""
        if queue.name not in self._miscounted:
            self._miscounted.add(queue.name)
            self.log.warn(
                "{queue} has more messages in {path} than it says, and goes on with them;"
                " `stomp-tx check` tells of more",
                queue=_name(queue.name),
                path=self._path(),
            )

    def forget(self, queue: Stored) -> None:
        """It is no more."""
        self._queues.pop(queue, None)
        self._miscounted.discard(queue.name)
        if self.shut.get(queue.name) is queue:
            del self.shut[queue.name]

    def to_be_read(self) -> list[Stored]:
        """Those that are to be looked at again; and a word about those that stand still for long."""
        now = self._clock.seconds()
        found = []
        for queue, since in self._queues.items():
            if now - since.told >= REMIND:
                since.told = now
                self._tell(queue)
            if queue.damage is not None and not queue.damage.missing and now - since.looked >= AGAIN:
                since.looked = now
                found.append(queue)
        return found

    def readable(self, queue: Stored) -> None:
        """It was read wrong, and now right."""
        self.log.info("{queue} can be read again", queue=_name(queue.name))
        self.emptied(queue)

    def emptied(self, queue: Stored) -> None:
        """Nothing of it is left where it could not be read."""
        queue.damage = None
        if queue.name not in self.shut:
            del self._queues[queue]

    def _tell(self, queue: Stored) -> None:
        facts = []
        damage = queue.damage
        if queue.stands:
            facts.append("what is acknowledged can't be removed from it")
        elif damage is not None and damage.missing:
            facts.append(f"{damage.missing:,} of its messages are missing, up to position {damage.after}")
        elif damage is not None:
            facts.append(f"it can't be read behind position {damage.after} ({damage.why})")
        if not queue.can_add:
            facts.append("nothing can be added to it")
        self.log.critical(
            "{queue} {stands}: {path} is damaged: {facts}; other queues go on. " + _WHAT_TO_DO,
            queue=_name(queue.name),
            stands="stands still" if queue.stands or damage is not None else "takes no messages",
            path=self._path(),
            facts="; ".join(facts),
            position=0 if damage is None else damage.after,
        )
