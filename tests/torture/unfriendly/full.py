"""Full: open transactions, and queues that are full (rest of 4e)."""

from __future__ import annotations

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import MIB, Case
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE


class Transactions(Case):
    """12 connections (under internet.toml 90) fill one transaction each, as far as they may, and leave it"""

    name = "4e-transactions"

    def run(self, load: Load) -> None:
        many, octets = (90, 7 * MIB) if self.is_internet else (12, 250 * MIB)
        clients = load.connected([HOSTILE[0]] * many)
        body = b"t" * (MIB // 2)
        message = frames.send(f"/queue/{HOSTILE[0]}.t", body, transaction="t")
        count = self.count(octets // len(body))
        for client in clients:
            last = frames.send(f"/queue/{HOSTILE[0]}.t", transaction="t", receipt="last")
            client.says(frames.begin("t"), *[message] * count, last)
        load.until(lambda: all(one.receipts or one.errors for one in clients))
        load.goes_on(1.0 * min(1, self.scale))


class Queues(Case):
    """four queues are filled (queue_octets 16 MiB, total_octets 64 MiB): others' queues are empty"""

    name = "4e-queues"
    assignments = ("engine_limits.queue_octets=16MiB", "engine_limits.total_octets=64MiB")

    def run(self, load: Load) -> None:
        fillers = load.connected(HOSTILE[:4] * 4)
        for number, client in enumerate(fillers):
            message = frames.send(f"/queue/{HOSTILE[number % 4]}.full", b"f" * 50_000)
            client.says(*[message] * self.count(100))
        load.goes_on(12.0 * min(1, self.scale))
