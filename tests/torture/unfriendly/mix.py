"""Mix: twenty connections that send legal frames at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.client import Client, ack_of
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.selectors import long_selector
from tests.torture.unfriendly.settings import HOSTILE

BODIES = [b"", b"m" * 10, b"m" * 1000, b"m" * 60_000, b"m" * 500_000]
WEIGHTS = [20, 40, 20, 5, 1]


class Rogue:
    """One connection, which knows what it may say next; some of it together, so that much comes at once."""

    def __init__(self, client: Client, user: str, random: Random, numbers: Iterator[int]) -> None:
        self._client = client
        self._user = user
        self._random = random
        self._numbers = numbers
        self._subscriptions: set[int] = set()
        self._transactions: set[int] = set()
        self._unacknowledged: list[str] = []
        client.heard = self._hear

    def more(self) -> bytes:
        """What it says next."""
        kinds: list[Callable[[], bytes]] = [
            *(self._send, self._send, self._send, self._keep, self._later, self._subscribe),
            *(self._unsubscribe, self._ack, self._ack, self._begin, self._end, self._in_transaction),
        ]
        octets = self._random.choice(kinds)()
        return octets or self._send()

    def receipted(self) -> set[str]:
        """Uids of what is kept, and nobody consumes."""
        return {name[1:].decode() for name in self._client.receipts if name.startswith(b"k")}

    def _hear(self, message: bytes) -> None:
        if b"\nack:" in message and len(self._unacknowledged) < 10_000:
            self._unacknowledged.append(ack_of(message))

    def _destination(self) -> str:
        kind = self._random.choice(("queue", "topic", "topic"))
        return f"/{kind}/{self._user}.m{self._random.randrange(5)}"

    def _body(self) -> bytes:
        return self._random.choices(BODIES, WEIGHTS)[0]

    def _number(self) -> int:
        return next(self._numbers)

    def _send(self) -> bytes:
        body = self._body()
        again = self._random.choice((1, 1, 10, 100)) if len(body) <= 1000 else 1
        more = {"priority": self._random.randrange(10)} if self._random.random() < 0.1 else {}
        return frames.send(self._destination(), body, **more) * again

    def _keep(self) -> bytes:
        uid = f"{self._user}-{self._number()}"
        body = self._random.choices(BODIES[:3], WEIGHTS[:3])[0]
        return frames.send(f"/queue/{self._user}.kept", body, persistent="true", receipt=f"k{uid}", uid=uid)

    def _later(self) -> bytes:
        return frames.send(self._destination(), b"later", delay=self._random.choice((100, 1000, 80_000_000)))

    def _subscribe(self) -> bytes:
        found = b""
        for _ in range(self._random.choice((1, 1, 50))):
            if len(self._subscriptions) >= 90:
                break
            number = self._number()
            self._subscriptions.add(number)
            more: dict[str, object] = {"prefetch_count": self._random.choice((1, 100, 65_535))}
            if self._random.random() < 0.05 and len(self._subscriptions) < 10:
                more["selector"] = long_selector(number, self._random.choice((20, 400, 4000)))
            destination = self._destination()
            if self._random.random() < 0.1:
                destination = f"/topic/{self._user}.*"
            ack = self._random.choice(("auto", "client", "client-individual"))
            found += frames.subscribe(number, destination, ack=ack, **more)
        return found

    def _unsubscribe(self) -> bytes:
        if not self._subscriptions:
            return b""
        number = self._random.choice(sorted(self._subscriptions))
        self._subscriptions.discard(number)
        # Whose ACKs would be about nothing then is not known: it acknowledges none of before.
        self._unacknowledged.clear()
        return frames.unsubscribe(number)

    def _ack(self) -> bytes:
        """The newest one: in mode client that is all before."""
        if not self._unacknowledged:
            return b""
        id = self._unacknowledged.pop()
        self._unacknowledged.clear()
        return self._random.choice((frames.ack, frames.ack, frames.nack))(id)

    def _begin(self) -> bytes:
        if len(self._transactions) >= 4:
            return b""
        number = self._number()
        self._transactions.add(number)
        return frames.begin(number)

    def _in_transaction(self) -> bytes:
        if not self._transactions:
            return b""
        number = self._random.choice(sorted(self._transactions))
        body = self._random.choices(BODIES[:3], WEIGHTS[:3])[0]
        return frames.send(self._destination(), body, transaction=number) * self._random.choice((1, 50))

    def _end(self) -> bytes:
        if not self._transactions:
            return b""
        number = self._random.choice(sorted(self._transactions))
        self._transactions.discard(number)
        return self._random.choice((frames.commit, frames.abort))(number)


class Mix(Case):
    """a seeded random mix of legal frames from 20 connections, each of another user, until the time is up"""

    name = "mix"

    def run(self, load: Load) -> None:
        self.errors = 0
        numbers = count(1)
        rogues: list[tuple[Rogue, Client, str]] = []
        alive: dict[str, Client] = {}
        try:
            while True:
                for user in HOSTILE:
                    client = alive.get(user)
                    if client is not None and not client.is_gone:
                        continue
                    alive[user] = client = load.client(user)
                    rogue = Rogue(client, user, Random(self.random.random()), numbers)
                    client.more = rogue.more
                    client.reads = self.random.random() < 0.9
                    rogues.append((rogue, client, user))
                load.goes_on(0.5)
                if self.random.random() < 0.2:
                    load.leaves(alive.pop(self.random.choice(HOSTILE)))
        finally:
            for rogue, _, user in rogues:
                self.kept[f"/queue/{user}.kept"] |= rogue.receipted()
            errors = sorted({error[:120] for _, client, _ in rogues for error in client.errors})
            self.claim("said", True, f"by {len(rogues)} connections; ERRORs: {len(errors)} {errors[:3]}")
