"""Scheduler: messages that wait until they are due.

They wait in one queue that no client can name, and expire there when they are due: what the engine then puts
in their place, all or nothing, is the message itself, and its next round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stomp_tx.address import QUEUE, TOPIC, split
from stomp_tx.broker.destinations.retained import Retained
from stomp_tx.broker.headers.scheduling import JOB, SCHEDULING, Schedule
from stomp_tx.broker.headers.send import keeping_of, tell_keeping
from stomp_tx.broker.policy import Policies
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import OVERHEAD, Batch, Keeping, Message

LATER = "/later/messages"
"""The queue in which they wait."""

Plan = tuple[str, str, Schedule]
"""Where a message goes when it is due (several addresses with commas between), its job's name, and when."""

_PLAN = "\x01plan"  # the header of a waiting message that says what becomes of it; clients' are written over


class Scheduler:
    """Makes waiting messages, and of those the ones that are delivered."""

    log = Logger()

    def __init__(
        self,
        engine: IEngine,
        policies: Policies,
        clock: IReactorTime,
        now: Callable[[], int],
        new_id: Callable[[], str],
        most: int,
        retained: Retained,
    ) -> None:
        """
        now -- gives the milliseconds since 1970
        new_id -- gives the id of a message
        most -- messages that may wait at a time
        """
        self._engine = engine
        self._policies = policies
        self._clock = clock
        self._now = now
        self._new_id = new_id
        self._most = most
        self._retained = retained
        self.due_at: Callable[[int], None] = lambda due: None
        """Called with the time at which one that was appended will be due."""

    def later(self, message: Message, schedule: Schedule) -> Message:
        """What is appended now, for a message that is to be delivered later.  Raises StompError."""
        for address in message.address.split(","):
            if split(address)[1] not in (QUEUE, TOPIC):
                raise ProtocolViolation(
                    "can't be delivered later",
                    "only queues and topics are still there then",
                )
        self._must_have_room(1)
        job = message.headers.get(JOB) or message.id
        waiting = self._waiting(message, message.address, message.is_persistent, job, schedule)
        dedupe = None if message.keeping is None else message.keeping.dedupe
        if dedupe is not None:
            assert waiting.keeping is not None
            waiting.keeping = waiting.keeping._replace(dedupe=f"{message.address} {dedupe}")
        return waiting

    def must_have_room(self, messages: Iterable[Message]) -> None:
        """Raises LimitExceeded when those of these that wait are too many together."""
        count = sum(map(self.is_waiting, messages))
        if count:
            self._must_have_room(count)

    def _must_have_room(self, count: int) -> None:
        if self._engine.depth(LATER)[0] + count > self._most:
            raise LimitExceeded("too many scheduled messages", f"the broker keeps {self._most}")
        if self._engine.is_full(LATER):  # room comes there with time alone: nobody waits for it
            raise LimitExceeded(
                "too many scheduled messages", "they take all the room that there is: send later"
            )

    def _waiting(
        self, message: Message, address: str, persistent: bool, job: str, schedule: Schedule
    ) -> Message:
        plan = json.dumps([address, job, schedule])
        headers = {**message.headers, _PLAN: plan}
        size = message.size - OVERHEAD + len(_PLAN) + len(plan)
        owner = message.owner
        waiting = Message(self._new_id(), message.destination, LATER, headers, message.body, size, owner)
        waiting.keeping = Keeping(persistent, schedule.due)
        return waiting

    def append(self, waiting: Message) -> Safe:
        """Append one that is to be delivered later."""
        safe: Safe = self._engine.append(waiting)
        self.are_appended([waiting], safe)
        return safe

    def are_appended(self, messages: Iterable[Message], safe: Safe) -> None:
        """These have been: of those that wait, the first is looked for when it is due, once it is safe."""
        due = min(
            (one.keeping.expires for one in messages if self.is_waiting(one) and one.keeping), default=0
        )
        if due and safe is None:
            self.due_at(due)
        elif due and safe is not None:
            safe.addCallback(lambda _: self.due_at(due))

    def is_waiting(self, message: Message) -> bool:
        """Is it one of those?"""
        return message.address == LATER

    def addresses_of(self, message: Message) -> str:
        """Where a message goes to, now or when it is due: several with commas between."""
        return plan_of(message)[0] if self.is_waiting(message) else message.address

    def due(self, waiting: Message) -> list[Message]:
        """What is appended in place of one that is due."""
        addresses, job, schedule = plan_of(waiting)
        now = self._now()
        found = []
        if schedule.delivers:
            for address in addresses.split(","):
                found += self._delivered(waiting, address, job, now)
        try:
            rounds = schedule.after(now)
        except ProtocolViolation:
            rounds = []  # its crontab fires no more
        for later in rounds:
            found.append(self._waiting(waiting, addresses, waiting.is_persistent, job, later))
        return found

    def _delivered(self, waiting: Message, address: str, job: str, now: int) -> list[Message]:
        """It, and what is retained of it."""
        headers = {name: value for name, value in waiting.headers.items() if name not in SCHEDULING}
        plan = headers.pop(_PLAN)
        headers[JOB] = job
        size = waiting.size - OVERHEAD - len(_PLAN) - len(plan)
        message = Message(
            self._new_id(), waiting.destination, address, headers, waiting.body, size, waiting.owner
        )
        policy = self._policies.of(address)
        keeping = keeping_of(headers, policy, lambda: now)
        if keeping is not None:
            message.keeping = keeping._replace(dedupe=None)  # that was asked when it was sent
        tell_keeping(message, policy)
        emptied = self._retained.emptied_by(message)
        if emptied:
            self._engine.commit(Batch(emptied=emptied))
        return self._retained.appended(message, policy)

    def next_due(self) -> int:
        """When the next one is due, in milliseconds since 1970; 0: none waits."""
        due: int = self._engine.next_expiry(LATER)
        return due


def plan_of(waiting: Message) -> Plan:
    """What is planned for one that waits."""
    addresses, job, schedule = json.loads(waiting.headers[_PLAN])
    return addresses, job, Schedule(*schedule)


def without_plan(waiting: Message) -> dict[str, str]:
    """The headers of one that waits, as they are shown."""
    headers = {name: value for name, value in waiting.headers.items() if name != _PLAN}
    headers[JOB] = plan_of(waiting)[1]
    return headers
