"""One-shots: producers that connect, send once and leave, as web requests do (1)."""

from __future__ import annotations

import time
from functools import partial

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import MIB, Case
from tests.torture.unfriendly.client import Client
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

AT_A_TIME = 40
PATIENCE = 0.5
"""Seconds that each of them waits for its RECEIPT."""


class OneShots(Case):
    """Base of those."""

    producers = 1000
    body = b"x"

    def destination(self, user: str) -> str:
        return f"/queue/{user}.once"

    def run(self, load: Load) -> None:
        users = self.users()
        self.receipted = 0
        numbers = iter(range(self.count(self.producers)))
        alive: dict[Client, float] = {}
        while True:
            while len(alive) < AT_A_TIME and (number := next(numbers, None)) is not None:
                client = load.client(user := users[number % len(users)])
                frame = frames.send(self.destination(user), self.body, receipt="r", uid=number)
                client.more = partial(next, iter([frame]), b"")
                alive[client] = time.monotonic()
            if not alive:
                return
            load.goes_on(0.01)
            for client, began in list(alive.items()):
                if client.receipts or client.is_gone or time.monotonic() > began + self.patience():
                    self.receipted += bool(client.receipts)
                    load.leaves(client)
                    del alive[client]

    def users(self) -> tuple[str, ...]:
        return HOSTILE

    def patience(self) -> float:
        return PATIENCE


class Length(OneShots):
    """1,000 producers send one message each to a queue of length 1 that pauses producers, and leave"""

    name = "1-length"
    toml = '[policy."/queue/eve0.once"]\nlength = 1\noctets = 0\noverflow = "pause"'

    def users(self) -> tuple[str, ...]:
        return HOSTILE[:1]

    def patience(self) -> float:
        return 0.2

    def look(self, load: Load) -> None:
        [client] = load.connected([HOSTILE[0]])
        client.says(frames.subscribe("s", "/queue/eve0.once", ack="client"))
        load.goes_on(1.0)
        found = f"{self.receipted} of {self.count(self.producers)} receipted, of a queue of 1"
        self.claim("RECEIPTs", self.receipted <= 1, found)
        self.claim("receipted is kept", client.messages >= self.receipted, f"{client.messages} are there")


class Total(OneShots):
    """1,000 producers send 100 KB each to twenty queues where total_octets is 1 MiB, and leave"""

    name = "1-total"
    body = b"x" * 100_000
    assignments = ("engine_limits.total_octets=1MiB",)
    holds_others = True

    def look(self, load: Load) -> None:
        octets = self.receipted * len(self.body)
        most = MIB + len(self.body)
        self.claim("RECEIPTs", octets <= most, f"of {octets / MIB:.1f} MiB, where there is room for 1 MiB")


class Memory(OneShots):
    """1,000 producers send 1 MiB each to twenty queues with the limits that there are, and leave"""

    name = "1-memory"
    body = b"x" * MIB

    def patience(self) -> float:
        return 8.0 if self.is_internet else 2.0

    def look(self, load: Load) -> None:
        self.claim("receipted", True, f"{self.receipted} MiB")
