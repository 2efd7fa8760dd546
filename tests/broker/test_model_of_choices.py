"""A queue under random conversations of those who choose: selectors, groups, priorities, exclusive consumers,
patterns, transactions, refusals and lost connections, all at once, in memory and on a file.

Whatever happens, nobody gets what they don't want, no more than they have credit for, or what somebody else
holds; and in the end everything that was sent has come, once, and nothing of it is left.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import demand, message_groups, selecting_consumers
from stomp_tx.engine import waiting
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite import lane as stored
from stomp_tx.engine.sqlite import row_reads
from tests.broker.on_file import BrokerOnFile, OnFile
from tests.conversation import Broker, Client

QUEUES = ("/queue/a.x", "/queue/a.y")
PLACES = ("/queue/a.x", "/queue/a.x", "/queue/a.y", "/queue/a.*", "/queue/a.x,/queue/a.y")
COLOURS = ("red", "blue")


class Consumer:
    """One connection with one subscription, and what it holds."""

    def __init__(self, client: Client, place: str, colour: str, prefetch: int, exclusive: bool) -> None:
        self.client = client
        self.place = place
        self.colour = colour
        self.prefetch = prefetch
        self.exclusive = exclusive
        self.holds: list[Any] = []

    def reads(self, destination: str) -> bool:
        return "*" in self.place or destination in self.place


class Life:
    def __init__(self, broker: Any) -> None:
        self.broker = broker
        self.ann = broker.connect()
        self.consumers: list[Consumer] = []
        self.sent: dict[bytes, tuple[str, str]] = {}
        self.done: set[bytes] = set()
        self.numbers = 0

    def send(self, destination: str, colour: str, group: str, priority: str, persistent: bool) -> None:
        self.numbers += 1
        body = b"%d" % self.numbers
        self.sent[body] = destination, colour
        headers = {"destination": destination, "colour": colour}
        if group:
            headers["JMSXGroupID"] = group
        if priority:
            headers["priority"] = priority
        if persistent:
            headers["persistent"] = "true"
        self.ann.says("SEND", headers, body)

    def subscribe(self, place: str, colour: str, prefetch: int, exclusive: bool, cumulative: bool) -> None:
        if len(self.consumers) >= 5:
            return
        headers = {"prefetch-count": str(prefetch)}
        if colour:
            headers["selector"] = f"colour = '{colour}'"
        if exclusive:
            headers["exclusive"] = "true"
        client = self.broker.connect()
        ack = "client" if cumulative else "client-individual"
        client.says("SUBSCRIBE", {"id": "1", "destination": place, "ack": ack, **headers})
        self.consumers.append(Consumer(client, place, colour, prefetch, exclusive))

    def listen(self) -> None:
        for _ in range(3):
            self.broker.clock.advance(0)
            for consumer in self.consumers:
                for message in consumer.client.everything():
                    assert message.command == "MESSAGE", (message, message.body)
                    self.received(consumer, message)

    def received(self, consumer: Consumer, message: Any) -> None:
        destination, colour = self.sent[message.body]
        assert consumer.reads(destination), f"{message.body!r} of {destination} at {consumer.place}"
        assert consumer.colour in ("", colour), f"{message.body!r} is {colour}, not {consumer.colour}"
        assert message.body not in self.done, f"{message.body!r} was acknowledged, and comes again"
        holders = [one for one in self.consumers if any(m.body == message.body for m in one.holds)]
        assert not holders, f"{message.body!r} is held by another"
        consumer.holds.append(message)
        assert len(consumer.holds) <= consumer.prefetch, "more than it has credit for"

    def ack(self, which: int, command: str, transaction: str) -> None:
        self.listen()
        holding = [one for one in self.consumers if one.holds]
        if not holding:
            return
        consumer = holding[which % len(holding)]
        message = consumer.holds[0]  # so that a cumulative one covers no other
        if transaction:
            consumer.client.says("BEGIN", transaction="t")
            consumer.client.acks(message, command, transaction="t")
            consumer.client.says(transaction, transaction="t")
        else:
            consumer.client.acks(message, command)
        if transaction == "ABORT":
            consumer.prefetch += 1  # it was given another one meanwhile
        else:
            consumer.holds.pop(0)
            if command == "ACK":
                self.done.add(message.body)

    def leave(self, which: int, politely: bool) -> None:
        self.listen()
        if self.consumers:
            consumer = self.consumers.pop(which % len(self.consumers))
            if politely:
                consumer.client.says("UNSUBSCRIBE", id="1")
            consumer.client.hangs_up()

    def wait(self, seconds: float) -> None:
        self.listen()
        self.broker.clock.advance(seconds)
        self.listen()

    def finish(self) -> None:
        """Everybody leaves, and one who wants all takes what is left."""
        while self.consumers:
            self.leave(0, True)
        self.broker.clock.advance(0)
        self.subscribe("/queue/a.x,/queue/a.y", "", 1000, False, False)
        for _ in range(60):
            self.broker.clock.advance(1)
            self.listen()
            while any(one.holds for one in self.consumers):
                self.ack(0, "ACK", "")
        missing = set(self.sent) - self.done
        assert not missing, f"{missing} never came"
        self.leave(0, True)
        self.broker.clock.advance(40)
        engine = self.broker.engine
        assert engine.octets == 0, engine.octets
        assert not any(owner.octets for owner in self.broker.factory.broker.account.owners)
        assert engine.queues() == [], engine.queues()


places, colours = st.sampled_from(PLACES), st.sampled_from(COLOURS)
sends = st.tuples(
    st.just("send"),
    st.sampled_from(QUEUES),
    colours,
    st.sampled_from(["", "", "1", "2"]),
    st.sampled_from(["", "", "9", "0"]),
    st.booleans(),
)
subscribes = st.tuples(
    st.just("subscribe"),
    places,
    st.sampled_from(["", "", *COLOURS]),
    st.integers(1, 4),
    st.sampled_from([False, False, False, True]),
    st.booleans(),
)
acks = st.tuples(
    st.just("ack"),
    st.integers(0, 9),
    st.sampled_from(["ACK", "ACK", "NACK"]),
    st.sampled_from(["", "", "COMMIT", "ABORT"]),
)
STEPS = st.one_of(
    sends,
    sends,
    subscribes,
    acks,
    acks,
    st.tuples(st.just("leave"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.2])),
)


class Choices(SynchronousTestCase):
    def setUp(self) -> None:
        for module, name, value in (
            (selecting_consumers, "AT_ONCE", 3),
            (selecting_consumers, "RETURNED", 3),
            (demand, "HELD", 4),
            (message_groups, "GROUPS", 2),
            (waiting, "AT_ONCE", 3),
            (stored, "AT_ONCE", 3),
            (stored, "PAGE", 4),
            (stored, "LOW", 2),
            (row_reads, "PAGE", 4),
        ):
            self.patch(module, name, value)

    def lives(self, broker: Any, steps: list[tuple[Any, ...]]) -> None:
        life = Life(broker)
        for name, *arguments in steps:
            getattr(life, name)(*arguments)
        life.finish()

    @settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=10, max_size=50))
    def test_in_memory(self, steps: list[tuple[Any, ...]]) -> None:
        self.lives(Broker(attempts=0), steps)


class ChoicesOnFile(OnFile, SynchronousTestCase):
    setUp = Choices.setUp
    lives = Choices.lives

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=10, max_size=50))
    def test_on_a_file(self, steps: list[tuple[Any, ...]]) -> None:
        broker = BrokerOnFile(self.mktemp(), EngineLimits(window_length=3), attempts=0)
        try:
            self.lives(broker, steps)
        finally:
            broker.dies()
