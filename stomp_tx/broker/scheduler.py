"""Scheduler: messages that wait until they are due.

They wait in one queue that no client can name, and expire there when they are due: what the engine then puts
in their place, all or nothing, is the message itself, and its next round.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stomp_tx.address import QUEUE, TOPIC, split
from stomp_tx.broker.bounds import Put
from stomp_tx.broker.dialect.scheduling import JOB, SCHEDULING, Schedule
from stomp_tx.broker.dialect.sending import keeping_of, tell_keeping
from stomp_tx.broker.dialect.values import number
from stomp_tx.broker.policy import Policies
from stomp_tx.errors import LimitExceeded, ProtocolViolation, StompError
from stomp_tx.interfaces import IEngine, Safe
from stomp_tx.message import OVERHEAD, Keeping, Message

LATER = "/later/messages"
"""The queue in which they wait."""

MANAGEMENT = "ActiveMQ.Scheduler.Management"
"""Who sends to a destination of this name, looks at what waits, or takes it out (ActiveMQ)."""

_PLAN = "\x01plan"  # the header of a waiting message that says what becomes of it; clients' are written over
_ACTION = "AMQ_SCHEDULER_ACTION"


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
        if self._engine.depth(LATER)[0] >= self._most:
            raise LimitExceeded("too many scheduled messages", f"the broker keeps {self._most}")
        job = message.headers.get(JOB) or message.id
        waiting = self._waiting(message, message.address, message.is_persistent, job, schedule)
        dedupe = None if message.keeping is None else message.keeping.dedupe
        if dedupe is not None:
            assert waiting.keeping is not None
            waiting.keeping = waiting.keeping._replace(dedupe=f"{message.address} {dedupe}")
        return waiting

    def _waiting(
        self, message: Message, address: str, persistent: bool, job: str, schedule: Schedule
    ) -> Message:
        plan = json.dumps([address, job, schedule])
        headers = {**message.headers, _PLAN: plan}
        size = message.size - OVERHEAD + len(_PLAN) + len(plan)
        waiting = Message(self._new_id(), message.destination, LATER, headers, message.body, size)
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
        return _plan(message)[0] if self.is_waiting(message) else message.address

    def due(self, waiting: Message) -> list[Message]:
        """What is appended in place of one that is due."""
        addresses, job, schedule = _plan(waiting)
        now = self._now()
        found = []
        if schedule.delivers:
            found += [self._delivered(waiting, one, job, now) for one in addresses.split(",")]
        try:
            rounds = schedule.after(now)
        except ProtocolViolation:
            rounds = []  # its crontab fires no more
        for later in rounds:
            found.append(self._waiting(waiting, addresses, waiting.is_persistent, job, later))
        return found

    def _delivered(self, waiting: Message, address: str, job: str, now: int) -> Message:
        headers = {name: value for name, value in waiting.headers.items() if name not in SCHEDULING}
        plan = headers.pop(_PLAN)
        headers[JOB] = job
        size = waiting.size - OVERHEAD - len(_PLAN) - len(plan)
        message = Message(self._new_id(), waiting.destination, address, headers, waiting.body, size)
        policy = self._policies.of(address)
        keeping = keeping_of(headers, policy, lambda: now)
        if keeping is not None:
            message.keeping = keeping._replace(dedupe=None)  # that was asked when it was sent
        tell_keeping(message, policy)
        return message

    def next_due(self) -> int:
        """When the next one is due, in milliseconds since 1970; 0: none waits."""
        due: int = self._engine.next_expiry(LATER)
        return due

    # -- ActiveMQ's management ----------------------------------------------------------------------------

    def manages(self, address: str) -> bool:
        """Is what is sent there for us?"""
        return split(address)[2] == MANAGEMENT

    def manage(
        self, message: Message, may: Callable[[str], bool], way_to: Callable[[str], tuple[str, Put]]
    ) -> Safe:
        """``AMQ_SCHEDULER_ACTION``: REMOVE one, REMOVEALL, or BROWSE them (to ``reply-to``), bit by bit.

        The last two may be limited to what is due from ``ACTION_START_TIME`` to ``ACTION_END_TIME``.  It is
        about the messages of one virtual host, and of them about those that this user may manage.

        may -- says whether they may, at an address
        way_to -- gives the address that a name stands for, and how a message gets there

        Raises StompError.
        """
        headers = message.headers
        action, job = headers.get(_ACTION), headers.get(JOB)
        if action not in ("REMOVE", "REMOVEALL", "BROWSE"):
            raise ProtocolViolation(f"malformed {_ACTION} header", "it is REMOVE, REMOVEALL or BROWSE")
        if action == "REMOVE" and not job:
            raise ProtocolViolation(f"{JOB} header missing", "REMOVE names the message by it")
        host = split(message.address)[0]
        start, end = number(headers, "ACTION_START_TIME") or 0, number(headers, "ACTION_END_TIME")
        reply = None
        if action == "BROWSE":
            if not headers.get("reply-to"):
                raise ProtocolViolation("reply-to header missing", "BROWSE sends what it finds there")
            reply = way_to(headers["reply-to"])

        def concerns(waiting: Message) -> bool:
            addresses, its_job, schedule = _plan(waiting)
            if split(addresses.partition(",")[0])[0] != host or (action == "REMOVE" and its_job != job):
                return False
            if schedule.due < start or (end is not None and schedule.due > end):
                return False
            return all(map(may, addresses.split(",")))

        found = (one for page in self._engine.browse(LATER) for one in _pause_after(page))
        self._go_on(found, concerns, reply)
        return None

    def _go_on(
        self,
        found: Iterator[Message | None],
        concerns: Callable[[Message], bool],
        reply: tuple[str, Put] | None,
    ) -> None:
        for waiting in found:
            if waiting is None:
                self._clock.callLater(0, self._go_on_later, found, concerns, reply)
                return
            if concerns(waiting):
                if reply is None:
                    self._engine.withdraw(waiting)
                else:
                    self._tell(waiting, *reply)

    def _go_on_later(
        self,
        found: Iterator[Message | None],
        concerns: Callable[[Message], bool],
        reply: tuple[str, Put] | None,
    ) -> None:
        try:
            self._go_on(found, concerns, reply)
        except StompError as error:  # whoever has asked was answered long ago
            self.log.warn("browsing scheduled messages ends: {error}", error=error)

    def _tell(self, waiting: Message, address: str, put: Put) -> None:
        _, job, _ = _plan(waiting)
        headers = {name: value for name, value in waiting.headers.items() if name != _PLAN}
        headers[JOB] = job
        put(Message(self._new_id(), waiting.destination, address, headers, waiting.body, waiting.size))


def _plan(waiting: Message) -> tuple[str, str, Schedule]:
    addresses, job, schedule = json.loads(waiting.headers[_PLAN])
    return addresses, job, Schedule(*schedule)


def _pause_after(page: list[Message]) -> Iterator[Message | None]:
    """What is on a page, and None at its end: it is others' turn."""
    yield from page
    yield None
