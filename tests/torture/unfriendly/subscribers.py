"""Subscribers: to topics, with much in flight, with very many subscriptions, or deaf (4a, 4b, part of 4e)."""

from __future__ import annotations

from itertools import cycle

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]
BODY = b"b" * 60_000


class NoAcks(Case):
    """a subscriber to a topic reads all and never ACKs, while five clients publish 60 KB bodies to it"""

    name = "4a"

    def run(self, load: Load) -> None:
        topic = f"/topic/{USER}.a"
        subscriber, *publishers = load.connected([USER] * 6)
        many = self.count(50)
        for number in range(many):
            subscribe = frames.subscribe(
                number, topic, ack="client", prefetch_count=65_535, receipt=f"s{number}"
            )
            subscriber.says(subscribe)
        load.until(lambda: len(subscriber.receipts) == many or subscriber.is_gone)
        message = frames.send(topic, BODY)
        for publisher in publishers:
            publisher.more = lambda: message
        load.goes_on(load.left if self.scale == 1 else 0.1)


class ManySubscriptions(Case):
    """four connections (under internet.toml 60) have all the subscriptions they may, to one topic; two SENDs
    of 60 KB; one subscribes and unsubscribes, then all but three leave, which stay for SIGTERM"""

    name = "4b"

    def run(self, load: Load) -> None:
        topic = f"/topic/{USER}.b"
        each = self.count(100 if self.is_internet else 10_000)
        clients = load.connected(([USER] * 60) if self.is_internet else [USER] * 4)
        for client in clients:
            client.says(
                b"".join(frames.subscribe(number, topic) for number in range(each - 1)),
                frames.subscribe("last", topic, receipt="last"),
            )
        load.until(lambda: all(b"last" in one.receipts for one in clients))
        [publisher] = load.connected([HOSTILE[0]])
        for receipt in ("1", "2"):
            publisher.says(frames.send(topic, BODY, receipt=receipt))
            load.receipted(publisher, receipt)
        ends = frames.unsubscribe("last")
        again = frames.subscribe("last", topic)
        first, *rest = clients
        first.says((ends + again) * self.count(500), frames.send(topic, b"", receipt="end"))
        load.receipted(first, "end")
        for client in [first, *rest[3:]]:  # three are left
            load.leaves(client)
        load.goes_on(2.0 * min(1, self.scale))


class Deaf(Case):
    """50 clients SUBSCRIBE to five topics and read nothing, while five others publish 60 KB bodies"""

    name = "4e-readers"

    def run(self, load: Load) -> None:
        topics = [f"/topic/{USER}.c{number}" for number in range(5)]
        deaf = load.connected([USER] * self.count(50))
        for client, topic in zip(deaf, cycle(topics), strict=False):
            client.says(frames.subscribe("d", topic, receipt="s"))
        load.until(lambda: all(one.receipts for one in deaf))
        for client in deaf:
            client.reads = False
        messages = [frames.send(topic, BODY) for topic in topics]
        for publisher, message in zip(load.connected([USER] * 5), messages, strict=True):
            publisher.more = lambda message=message: message
        load.goes_on(10.0 * min(1, self.scale))
