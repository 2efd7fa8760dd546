"""Workload: clients that do what clients do, at random, until their connection ends."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from functools import partial
from random import Random

from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame
from tests.torture.connection import Connection, Gone
from tests.torture.ledger import Copy, Ledger, Place, Sending

KIB = 1024


class Client:
    """One of them.  ``run`` ends with its broker."""

    comes_back = True

    def __init__(self, who: str, ledger: Ledger, random: Random) -> None:
        self.who = who
        self.ledger = ledger
        self.random = random
        self._count = 0

    async def run(self, port: int) -> None:
        while True:
            try:
                connection = await Connection.open(port, self.ledger.faults, self.who)
            except Gone:
                return
            try:
                await self.work(connection)
            except Gone:
                await asyncio.sleep(0.1)  # and see whether its broker is
            finally:
                await connection.close()
            if not self.comes_back:
                return

    async def work(self, connection: Connection) -> None:
        raise NotImplementedError

    def next_number(self) -> int:
        self._count += 1
        return self._count

    def may(self, chance: float) -> bool:
        return self.random.random() < chance

    def message(self, destination: str, chance_of_more: float = 0.0) -> Sending:
        """A new one, persistent; by chance not so, or with a name, or with an end."""
        number = self.next_number()
        sending = Sending(f"{self.who}-{number}", destination, self.who, number)
        sending.size = self.random.choice((0, 10, 100, 1000))
        if self.may(0.03):
            sending.size = self.random.choice((60 * KIB, 70 * KIB, 200 * KIB))
        elif self.may(0.003):
            sending.size = KIB * KIB
        if self.may(chance_of_more):
            kind = self.random.choice(("transient", "dedupe", "dedupe", "expires"))
            sending.persistent = kind != "transient"
            sending.dedupe = kind == "dedupe"
            sending.expires = kind == "expires"
        return sending

    def frame(self, sending: Sending) -> Frame:
        headers = {"persistent": "true"} if sending.persistent else {}
        if sending.dedupe:
            headers["message-dedupe-id"] = sending.uid
        if sending.expires:
            headers["ttl"] = str(self.random.randint(1, 2000))
        return frames.send(sending.destination, sending.body, headers=headers)

    def send(self, connection: Connection, sending: Sending, receipt: bool = True) -> None:
        frame = self.frame(sending)
        self.ledger.sends(sending)
        connection.send(frame, (lambda: self.ledger.send_receipted(sending)) if receipt else None)


class Producer(Client):
    """Sends to one destination, and again what it had no receipt for."""

    def __init__(
        self, who: str, ledger: Ledger, random: Random, destination: str, *, plain: bool = False
    ) -> None:
        """``plain``: nothing but persistent messages, each of them once."""
        super().__init__(who, ledger, random)
        self._destination = destination
        self._plain = plain

    async def work(self, connection: Connection) -> None:
        if not self._plain:
            for sending in self.ledger.unreceipted(self.who, self._destination):
                if sending.dedupe or self.may(0.2):
                    self.send(connection, sending)
        ahead = self.random.choice((0, 5, 50, 500))
        pause = self.random.choice((0.0, 0.001, 0.02))
        while True:
            for _ in range(self.random.choice((1, 1, 5, 50))):
                sending = self.message(self._destination, 0.0 if self._plain else 0.3)
                self.send(connection, sending, receipt=self.may(0.9))
                if sending.dedupe and self.may(0.2):
                    self.send(connection, sending)
            await connection.drain(ahead)
            await asyncio.sleep(pause)


class Way(enum.Enum):
    """How a consumer leaves."""

    CUT = "it is just gone"
    DISCONNECT = "with DISCONNECT, and its RECEIPT"
    UNSUBSCRIBE = "with UNSUBSCRIBE, and its RECEIPT; a durable subscription ends for good"


class Consumer(Client):
    """Takes from one place, acknowledges some, refuses some, forgets some; leaves, and comes back."""

    def __init__(
        self,
        who: str,
        ledger: Ledger,
        random: Random,
        place: Place,
        ways: tuple[Way, ...],
        *,
        refuses: float = 0.0,
    ) -> None:
        """
        ways -- in which it leaves, to come back; none: it stays while the broker lives
        refuses -- how much of what it gets, from 0 to 1
        """
        super().__init__(who, ledger, random)
        self.place = place
        self._ways = ways
        self._refuses = refuses

    async def work(self, connection: Connection) -> None:
        """Until the broker is gone (raises Gone), or it leaves."""
        self._connection = connection
        self._held: list[tuple[Frame, Copy]] = []
        self._listening = True
        self._mode = "auto" if self.place.lossy else self.random.choice(("client", "client-individual"))
        self._prefetch = self.random.choice((1, 5, 50, 1000))
        self._patience = self.random.choice((1, 10, 100))
        connection.heard = self._hear
        headers = {"prefetch-count": str(self._prefetch)} | self.place.headers
        frame = frames.subscribe("s", self.place.destination, ack=self._mode, headers=headers)
        await connection.ask(frame, lambda: self.ledger.subscribed(self.place))
        try:
            await asyncio.wait_for(
                asyncio.shield(connection.over), self.random.uniform(0.01, 0.5) if self._ways else None
            )
        except asyncio.TimeoutError:
            await self._leave(connection)
        else:
            raise Gone

    async def _leave(self, connection: Connection) -> None:
        way = self.random.choice(self._ways)
        if way is Way.CUT:
            return
        self._listening = False
        if way is Way.DISCONNECT:
            await connection.ask(frames.disconnect())
        elif self.place.durable is None:
            await connection.ask(frames.unsubscribe("s"))
        else:
            ended = self.ledger.unsubscribes(self.place)
            await connection.ask(frames.unsubscribe("s", headers=self.place.headers), ended)

    # -- what it does with messages -----------------------------------------------------------------------

    def _hear(self, frame: Frame) -> None:
        if not self._listening:
            return  # it was on its way, and may be another's by now
        copy = self.ledger.delivered(self.place, frame, self.who)
        if copy is None:
            return
        if self._mode == "auto":
            self.ledger.acks([copy])
            return
        self._held.append((frame, copy))
        if len(self._held) >= min(self._prefetch, self._patience) or self.may(0.3):
            self.decide()

    def decide(self) -> None:
        """Acknowledge something of what it holds, or refuse it."""
        if self.may(self._refuses):
            frame, copies = self._take()
            self.ledger.refuses(copies)
            self._connection.send(frames.nack(frame), lambda: None)
        else:
            frame, copies = self._take()
            self.ledger.acks(copies)
            told = self.may(0.8)
            self._connection.send(
                frames.ack(frame), (lambda: self.ledger.ack_receipted(copies)) if told else None
            )

    def _take(self) -> tuple[Frame, list[Copy]]:
        """One that it holds, and the copies that an ACK of it covers."""
        place = self.random.randrange(len(self._held))
        frame = self._held[place][0]
        if self._mode == "client":
            taken, self._held = self._held[: place + 1], self._held[place + 1 :]
        else:
            taken = [self._held.pop(place)]
        return frame, [copy for _, copy in taken]


class Clerk(Consumer):
    """Takes from one queue and sends to others, in transactions."""

    def __init__(
        self,
        who: str,
        ledger: Ledger,
        random: Random,
        place: Place,
        ways: tuple[Way, ...],
        destinations: tuple[str, ...],
    ) -> None:
        super().__init__(who, ledger, random, place, ways)
        self._destinations = destinations

    def decide(self) -> None:
        transaction = self.ledger.begins(f"{self.who}-{self.next_number()}")
        name = transaction.name
        send = self._connection.send
        send(frames.begin(name))
        aborts = self.may(0.1)
        before = list(self._held)
        for _ in range(self.random.randint(1, min(3, len(self._held)))):
            if self._held:
                frame, copies = self._take()
                send(frames.ack(frame, transaction=name))
                transaction.acks += copies
        for _ in range(self.random.randint(0 if transaction.acks else 1, 4)):
            sending = self.message(self.random.choice(self._destinations))
            sending.persistent = self.may(0.9)
            sending.transaction = transaction
            frame = self.frame(sending)
            frame.headers["transaction"] = name
            self.ledger.sends(sending)
            send(frame)
        if aborts:
            send(frames.abort(name))
            self._held = before
            transaction.acks.clear()
        elif self.may(0.99):  # else it is left open
            self.ledger.commits(transaction)
            told: Callable[[], None] | None = lambda: self.ledger.commit_receipted(transaction)  # noqa: E731
            send(frames.commit(name), told if self.may(0.8) else None)


class Drain(Client):
    """Takes and acknowledges everything that waits at one destination, up to a last message of its own."""

    comes_back = False

    def __init__(self, who: str, ledger: Ledger, random: Random, places: list[Place]) -> None:
        """``places``: all those of the destination."""
        super().__init__(who, ledger, random)
        self._places = places
        self.done = False

    async def work(self, connection: Connection) -> None:
        destination = self._places[0].destination
        last = Sending(self.who, destination, self.who, 1)
        missing = set(self._places)
        found: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def hear(frame: Frame) -> None:
            place = self._places[int(frame.headers["subscription"])]
            copy = self.ledger.delivered(place, frame, self.who)
            if copy is not None:
                self.ledger.acks([copy])
                connection.send(frames.ack(frame), lambda: self.ledger.ack_receipted([copy]))
                if copy.sending is last:
                    missing.discard(place)
                    if not missing:
                        found.set_result(None)

        connection.heard = hear
        for number, place in enumerate(self._places):
            headers = {"prefetch-count": "0"} | place.headers
            frame = frames.subscribe(str(number), destination, ack="client-individual", headers=headers)
            await connection.ask(frame, partial(self.ledger.subscribed, place))
        self.send(connection, last)
        await asyncio.wait([found, connection.over], return_when=asyncio.FIRST_COMPLETED)
        await connection.drain(0)
        self.done = found.done()
