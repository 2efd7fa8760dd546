"""Durables: one publish to very many durable subscriptions (3)."""

from __future__ import annotations

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]
TOPIC = f"/topic/{USER}.news"
EACH = 100


class Durables(Case):
    """one persistent SEND of 1.5 MB to a topic with 1,200 durable subscriptions of one user"""

    name = "3"
    subscriptions = 1200

    def run(self, load: Load) -> None:
        many = self.count(self.subscriptions)
        subscribers = load.connected([USER] * -(-many // EACH))
        for number in range(many):
            subscribe = frames.subscribe(
                number, TOPIC, ack="client", durable_subscription=f"d{number}", receipt=number
            )
            subscribers[number // EACH].says(subscribe)
        load.until(lambda: sum(len(one.receipts) for one in subscribers) >= many)
        for one in subscribers:
            load.leaves(one)
        [publisher] = load.connected([USER])
        publisher.says(frames.send(TOPIC, b"n" * 1_500_000, persistent="true", receipt="p", uid="news"))
        receipted = False
        try:
            receipted = load.receipted(publisher, "p")
        finally:
            # An ERROR is an answer, too: it is not kept then.
            errors = [error[:80] for error in publisher.errors]
            self.claim("answered", receipted or bool(errors), "RECEIPT" if receipted else f"ERRORs: {errors}")
            if receipted:
                for number in (0, many // 2, many - 1):
                    self.kept[f"{TOPIC}::d{number}"].add("news")
