"""Patterns: one consumer of very many queues (4g)."""

from __future__ import annotations

from collections.abc import Callable

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.client import Client, ack_of
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]


class Patterns(Case):
    """a consumer of /queue/USER.orders.* with 1,500 queues waiting gets all of it, and is not thrown out"""

    name = "4g"

    def run(self, load: Load) -> None:
        many = self.count(1500)
        producers = load.connected([USER] * 20)
        for number in range(many):
            producers[number % 20].says(
                frames.send(f"/queue/{USER}.orders.{number}", b"o" * 2000, receipt=number)
            )
        load.until(lambda: sum(len(one.receipts) for one in producers) >= many)
        got: set[bytes] = set()
        thrown_out = 0
        try:
            while len(got) < many and thrown_out < 5:
                [consumer] = load.connected([USER])
                consumer.heard = self._acks(consumer, got)
                consumer.says(
                    frames.subscribe(
                        "p", f"/queue/{USER}.orders.*", ack="client-individual", prefetch_count=10
                    )
                )
                load.until(lambda: len(got) >= many or consumer.is_gone)  # noqa: B023
                thrown_out += consumer.is_gone
        finally:
            self.claim("got", len(got) >= many, f"{len(got)} of {many}")
            self.claim("thrown out", not thrown_out, f"{thrown_out} times")

    def _acks(self, consumer: Client, got: set[bytes]) -> Callable[[bytes], None]:
        def heard(message: bytes) -> None:
            got.add(message.partition(b"\ndestination:")[2].partition(b"\n")[0])
            consumer.says(frames.ack(ack_of(message)))

        return heard
