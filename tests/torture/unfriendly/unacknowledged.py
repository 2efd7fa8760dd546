"""Unacknowledged: very much of it in flight, and those who hold it leave (part of 4f)."""

from __future__ import annotations

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]


class Holding(Case):
    """a connection that holds 190,000 unacknowledged messages sends 1,000 SUBSCRIBE and UNSUBSCRIBE"""

    name = "4f-holding"

    def run(self, load: Load) -> None:
        topic = f"/topic/{USER}.u"
        many, each = 95, self.count(2000)
        [holder] = load.connected([USER])
        for number in range(many):
            holder.says(
                frames.subscribe(
                    number, topic, ack="client-individual", prefetch_count=65_535, receipt=number
                )
            )
        load.until(lambda: len(holder.receipts) == many)
        publishers = load.connected([USER] * 10)
        for publisher in publishers:
            publisher.says(frames.send(topic, b"u") * (each // 10 + 1))
        load.until(lambda: holder.messages >= many * each)
        subscribe = frames.subscribe("more", f"/topic/{USER}.other", ack="client-individual")
        holder.says(
            (subscribe + frames.unsubscribe("more")) * self.count(1000),
            frames.send(f"/topic/{USER}.other", receipt="end"),
        )
        load.receipted(holder, "end")


class Leaving(Case):
    """250,000 messages of a queue are in flight to two connections, and one of them leaves"""

    name = "4f-leaving"

    def run(self, load: Load) -> None:
        queue = f"/queue/{USER}.l"
        many = self.count(250_000)
        consumers = load.connected([USER] * 2)
        for consumer in consumers:
            for number in range(2):
                consumer.says(frames.subscribe(number, queue, ack="client-individual", prefetch_count=65_535))
        producers = load.connected(HOSTILE[:1] * 20)
        message = frames.send(queue, b"l")
        for producer in producers:
            producer.says(message * (many // 20 + 1))
        # So many as come in half of the time: under internet.toml 500 a second of each.
        load.until(lambda: sum(one.messages for one in consumers) >= many, load.left / 2)
        load.leaves(consumers[0])
        load.goes_on(3.0 * min(1, self.scale))
        self.claim(
            "in flight", True, f"{consumers[0].messages}, of which one connection had left with its own"
        )
