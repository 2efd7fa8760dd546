"""Group: what becomes safe together."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.engine.sqlite.changes import Changes, Part
from stomp_tx.engine.sqlite.stored import Stored
from stomp_tx.interfaces import Safe
from stomp_tx.message import Message


class Group:
    """What becomes safe together, and what is to happen then.

    parts -- what changes in which lane
    changes -- what else is written, and in the end all of it
    effects -- what to call when it is safe, and with which message
    coming -- those without a row that wait until then, by queue; one that is to be emptied is there, too
    accepted -- messages that are put back if it can't be made safe
    failed -- what else to undo then
    names -- what is known already and not safe yet: (address, name for de-duplication), (bound lane, topic)
    octets -- of the messages that are new
    safe -- fires then, if somebody wants to know
    """

    __slots__ = ("accepted", "changes", "coming", "effects", "failed", "names", "octets", "parts", "safe")

    def __init__(self) -> None:
        self.changes = Changes()
        self.parts: dict[Stored, Part] = {}
        self.effects: list[tuple[Callable[[Message], object], Message]] = []
        self.coming: dict[str, list[Message]] = {}
        self.accepted: list[Message] = []
        self.failed: list[Callable[[], None]] = []
        self.names: set[tuple[str, str]] = set()
        self.octets = 0
        self.safe: Deferred[None] | None = None

    def part(self, lane: Stored) -> Part:
        """Something about the lane changes."""
        part = self.parts.get(lane)
        if part is None:
            part = self.parts[lane] = Part()
        return part

    def add(self, lane: Stored, message: Message, effect: Callable[[Message], object]) -> None:
        """A row for a new message, and what happens when it is safe."""
        part = self.parts.get(lane) or self.part(lane)
        part.added.append(message)
        self.effects.append((effect, message))
        self.octets += message.size

    def remove(self, lane: Stored, message: Message) -> None:
        """The row of a message that is done with."""
        part = self.parts.get(lane) or self.part(lane)
        part.removed.append(message)

    def when_safe(self) -> Deferred[None]:
        """The one Deferred of all that belongs to it."""
        safe = self.safe
        if safe is None:
            safe = self.safe = Deferred()
        return safe


def both_safe(earlier: Safe, later: Deferred[None]) -> Deferred[None]:
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
