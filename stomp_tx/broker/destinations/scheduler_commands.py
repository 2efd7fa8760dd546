"""SchedulerCommands: ActiveMQ's way to look at messages that wait for their time, and to take them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from stomp_tx.address import split
from stomp_tx.broker.destinations.scheduler import LATER, Plan, plan_of, without_plan
from stomp_tx.broker.headers import values
from stomp_tx.broker.headers.scheduling import JOB
from stomp_tx.broker.slices import Slices
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.interfaces import IEngine, Put, Safe
from stomp_tx.message import OVERHEAD, Message

MANAGEMENT = "ActiveMQ.Scheduler.Management"
"""Who sends to a destination of this name, looks at what waits, or takes it out."""

MOST = 100
"""Commands in one transaction: each waiting message is held against all of them."""

AT_ONCE = 20
"""Waiting messages that are held against a command in one piece, or commands against one: a third of a ms."""

_ACTION = "AMQ_SCHEDULER_ACTION"


def manages(address: str) -> bool:
    """Is what is sent there a command?"""
    return split(address)[2] == MANAGEMENT


class Command:
    """``AMQ_SCHEDULER_ACTION``: REMOVE one, REMOVEALL, or BROWSE them (to ``reply-to``).

    The last two may be limited to what is due from ``ACTION_START_TIME`` to ``ACTION_END_TIME``.  It is about
    the messages of one virtual host, and of them about those that this user may manage.

    message -- the one that it came as
    reply_to -- the name of where copies go; empty: they are taken out
    """

    def __init__(self, message: Message, may: Callable[[str], bool]) -> None:
        """``may`` says whether its user may manage what goes to an address.  Raises ProtocolViolation."""
        headers = message.headers
        action, job = headers.get(_ACTION), headers.get(JOB)
        if action not in ("REMOVE", "REMOVEALL", "BROWSE"):
            raise ProtocolViolation(f"malformed {_ACTION} header", "it is REMOVE, REMOVEALL or BROWSE")
        if action == "REMOVE" and not job:
            raise ProtocolViolation(f"{JOB} header missing", "REMOVE names the message by it")
        if action == "BROWSE" and not headers.get("reply-to"):
            raise ProtocolViolation("reply-to header missing", "BROWSE sends what it finds there")
        self.message = message
        self.reply_to = headers["reply-to"] if action == "BROWSE" else ""
        self._job = job if action == "REMOVE" else None
        self._host = split(message.address)[0]
        self._start = values.number(headers, "ACTION_START_TIME") or 0
        self._end = values.number(headers, "ACTION_END_TIME")
        self._may = may

    def concerns(self, plan: Plan) -> bool:
        """Is it about a message for which this is planned?"""
        addresses, job, schedule = plan
        if split(addresses.partition(",")[0])[0] != self._host or self._job not in (None, job):
            return False
        if schedule.due < self._start or (self._end is not None and schedule.due > self._end):
            return False
        return all(map(self._may, addresses.split(",")))


class Planned(NamedTuple):
    """A command in a transaction.

    reply -- the address of where copies go; empty: it is none that makes any
    after -- so many messages were sent in the transaction before it
    """

    command: Command
    reply: str
    after: int


class Found(NamedTuple):
    """What the commands of a transaction are about.

    withdrawn -- messages that wait, and are to be taken out
    taken_back -- the places of messages of the transaction itself that are not sent after all
    copies -- of what is to be shown
    """

    withdrawn: Sequence[Message] = ()
    taken_back: frozenset[int] = frozenset()
    copies: Sequence[Message] = ()


NOTHING = Found()


class _CarryingOut:
    """What one command has come to.

    last -- when the last that it has changed is safe
    failures -- of what could not be made safe
    """

    def __init__(self) -> None:
        self.last: Safe = None
        self.failures: list[Failure] = []

    def safe_with(self, safe: Safe) -> None:
        """It has changed one more."""
        if safe is not None and safe is not self.last:
            self.last = safe
            safe.addErrback(self._note)

    def _note(self, failure: Failure) -> Failure:
        self.failures.append(failure)
        return failure


class SchedulerCommands:
    """Carries out commands, all of them in one slice of each turn: very many messages may wait."""

    def __init__(
        self, engine: IEngine, clock: IReactorTime, slices: Slices, new_id: Callable[[], str]
    ) -> None:
        """``new_id`` gives the id of a message."""
        self._engine = engine
        self._clock = clock
        self._slices = slices
        self._new_id = new_id

    async def carry_out(self, command: Command, reply: tuple[str, Put] | None, before: Safe) -> None:
        """Done when all that it has changed is safe.

        reply -- the address of where copies go, and the way there; None: it is none that makes any
        before -- fires when what the same client has sent before is safe: it may be about that

        Raises StompError, when there is no room for copies, too.
        """
        await self._has_come(before)
        carrying_out = _CarryingOut()
        await self._sliced(self._carry_out(command, reply, carrying_out))
        await _fired(carrying_out.last)
        if carrying_out.failures:
            carrying_out.failures[0].raiseException()

    def _carry_out(
        self, command: Command, reply: tuple[str, Put] | None, carrying_out: _CarryingOut
    ) -> Iterator[None]:
        for page in self._engine.browse(LATER):
            for number, waiting in enumerate(page):
                if not number % AT_ONCE:
                    yield
                if not command.concerns(plan_of(waiting)):
                    continue
                if reply is None:
                    carrying_out.safe_with(self._engine.withdraw(waiting))
                    continue
                address, put = reply
                copy = self._shown(waiting, address, command)
                if self._engine.is_full(address, copy):
                    raise LimitExceeded("queue full", f"{address} has no room for all that was found")
                carrying_out.safe_with(put(copy))

    async def _sliced(self, pieces: Iterator[None]) -> None:
        done = self._slices.do(pieces)
        if done is not None:
            await done

    async def find(
        self, commands: Sequence[Planned], sent: Sequence[Message], before: Safe, most: int, octets: int
    ) -> Found:
        """What these are about, each as if those before it had been carried out.

        sent -- what was sent in the same transaction
        before -- as above
        most, octets -- messages that there is room for in the transaction, and octets

        Raises LimitExceeded.
        """
        await self._has_come(before)
        withdrawn: list[Message] = []
        copies: list[Message] = []

        def is_taken(waiting: Message, commands: Sequence[Planned]) -> bool:
            nonlocal most, octets
            plan = plan_of(waiting)
            for command, reply, _ in commands:
                if not command.concerns(plan):
                    continue
                most -= 1
                octets -= waiting.size
                if most < 0 or octets < 0:
                    raise LimitExceeded(
                        "scheduler command too large for a transaction",
                        "more messages wait than a transaction may have: SEND the command without one",
                    )
                if not reply:
                    return True
                copies.append(self._shown(waiting, reply, command))
            return False

        def find() -> Iterator[None]:
            for page in self._engine.browse(LATER):
                looks = 0
                for waiting in page:
                    if looks <= 0:
                        yield
                        looks = AT_ONCE
                    looks -= len(commands)
                    if is_taken(waiting, commands):
                        withdrawn.append(waiting)

        await self._sliced(find())
        taken_back = frozenset(
            place
            for place, message in enumerate(sent)
            if message.address == LATER and is_taken(message, [one for one in commands if one.after > place])
        )
        return Found(withdrawn, taken_back, copies)

    async def _has_come(self, before: Safe) -> None:
        if before is not None:
            await _fired(before)
            await deferLater(self._clock, 0)  # what has become safe is put into its place

    def _shown(self, waiting: Message, address: str, command: Command) -> Message:
        headers = without_plan(waiting)
        size = waiting.size - OVERHEAD
        owner = command.message.owner
        return Message(self._new_id(), waiting.destination, address, headers, waiting.body, size, owner)


def _fired(safe: Safe) -> Deferred[None]:
    """Fires when that has fired or failed; who else waits for it gets what it has fired with."""
    mine: Deferred[None] = Deferred()

    def tell(result: object) -> object:
        mine.callback(None)
        return result

    if safe is None:
        mine.callback(None)
    else:
        safe.addBoth(tell)
    return mine
