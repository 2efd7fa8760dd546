"""Scheduled: messages for later, and looking at them (4c, 4d)."""

from __future__ import annotations

import time

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import MIB, Case
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]
MANAGEMENT = "/topic/ActiveMQ.Scheduler.Management"
LONG = 80_000_000
"""Milliseconds: less than a day, as the manual's file has it for the internet."""


class Browse(Case):
    """300 BROWSE of 20 clients to ActiveMQ.Scheduler.Management, over 10,000 scheduled messages"""

    name = "4c"

    def run(self, load: Load) -> None:
        clients = load.connected([USER] * 20)
        each = self.count(10_000) // 20 + 1
        for client in clients:
            client.says(
                frames.send(f"/queue/{USER}.s", b"s" * 100, delay=LONG) * each,
                frames.send(f"/queue/{USER}.s", b"s" * 100, delay=LONG, receipt="sent"),
            )
        load.until(lambda: all(one.receipts for one in clients))
        browse = frames.send(MANAGEMENT, AMQ_SCHEDULER_ACTION="BROWSE", reply_to=f"/queue/{USER}.replies")
        for client in clients:
            client.says(browse * self.count(15))
        load.goes_on(10.0 * min(1, self.scale))
        self.errors = {error[:100] for client in clients for error in client.errors}
        self.claim("said", True, f"ERRORs: {sorted(self.errors)}")


class Store(Case):
    """one user fills the scheduler (queue_octets 32 MiB) for a day; another's delayed SENDs are answered"""

    name = "4d-store"
    assignments = ("engine_limits.queue_octets=32MiB",)

    def run(self, load: Load) -> None:
        hostile = load.connected([USER] * 20)
        body = b"s" * 60_000
        for client in hostile:
            client.says(frames.send(f"/queue/{USER}.s", body, delay=LONG) * self.count(100))
        load.goes_on(7.0 * min(1, self.scale))  # no RECEIPT says when it is full
        other, answered, many = HOSTILE[1], 0, 3
        how: set[bytes] = set()
        for _ in range(many):
            # The first of a connection may be kept past the limit: who sends two sees whether it goes on.
            [client] = load.connected([other])
            for receipt in ("1", "2"):
                client.says(frames.send(f"/queue/{other}.s", b"x", delay=1000, receipt=receipt))
            load.until(lambda: b"2" in client.receipts or bool(client.errors), 1.0)  # noqa: B023
            answered += b"2" in client.receipts or bool(client.errors)
            how.update(error[:60] for error in client.errors)
        self.claim("others are answered", answered == many, f"{answered} of {many} {sorted(how) or ''}")


class Length(Case):
    """500 SENDs with `delay` to a queue of length 10 that rejects: when they are due, 10 are there"""

    name = "4d-length"
    toml = f'[policy."/queue/{USER}.short"]\nlength = 10\noctets = 0\noverflow = "reject"'

    def run(self, load: Load) -> None:
        [client] = load.connected([USER])
        message = frames.send(f"/queue/{USER}.short", b"x", delay=1500)
        last = frames.send(f"/queue/{USER}.short", b"x", delay=1500, receipt="last")
        client.says(message * (self.count(500) - 1) + last)
        load.receipted(client, "last")
        load.goes_on(4.0 if self.scale == 1 else 0.1)

    def look(self, load: Load) -> None:
        [client] = load.connected([USER])
        client.says(frames.subscribe("s", f"/queue/{USER}.short", ack="client", prefetch_count=1000))
        load.goes_on(1.0)
        self.claim("what is there", client.messages <= 10, f"{client.messages}, in a queue of 10")


class Repeats(Case):
    """persistent messages of 60 KB that repeat each 10 ms, where stored_octets is 2 MiB"""

    name = "4d-repeats"
    assignments = ("engine_limits.stored_octets=2MiB",)
    holds_others = True

    def run(self, load: Load) -> None:
        self.queue = f"/queue/{USER}.repeats"
        clients = load.connected([USER] * 4)
        repeats = frames.send(
            self.queue,
            b"r" * 60_000,
            persistent="true",
            AMQ_SCHEDULED_DELAY=10,
            AMQ_SCHEDULED_PERIOD=10,
            AMQ_SCHEDULED_REPEAT=1000,
        )
        for client in clients:
            client.says(repeats)
        load.goes_on(6.0 * min(1, self.scale))
        for client in clients:
            load.leaves(client)

    def look(self, load: Load) -> None:
        [client] = load.connected([USER])
        client.says(frames.subscribe("s", self.queue, ack="client", prefetch_count=2000))
        seen, end = -1, time.monotonic() + 5.0
        while client.messages != seen and time.monotonic() < end:
            seen = client.messages
            load.goes_on(0.5)
        octets = client.messages * 60_000
        self.claim("what is stored", octets <= 2.5 * MIB, f"{octets / MIB:.1f} MiB, where 2 MiB may be")
