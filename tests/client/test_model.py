"""Two services, a broker and a bad network, for some minutes of their time: what is true afterwards.

Nothing that was sent is lost, or there twice, or out of its producer's order; nothing that was to be worked
on is lost; whoever waited was answered; and at the end nothing is left of it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from stomp_tx.client import ConnectionLost, Message, ReplyTimeout, Retry, StompClientService, Subscription
from stomp_tx.testing import Faults, MemoryBroker

LOG, WORK, QUESTIONS = "/queue/log", "/queue/work", "/queue/questions"
EXPECTED = (ConnectionLost, CancelledError, ReplyTimeout)
"""What may be answered where the network is bad."""


class Producer:
    """One service, and what it has sent."""

    def __init__(self, story: Story, name: str) -> None:
        self.name = name
        self.sent: list[str] = []
        self.subscriptions: list[Subscription] = []
        random = story.random
        self.service: StompClientService = story.broker.service(
            faults=story.faults,
            heart_beat_ms=random.choice(((1000, 1000), (200, 500))),
            connect_timeout=5,
            disconnect_timeout=2,
            retry=Retry(initial=0.05, maximum=1),
            window=random.choice((100, 1000)),
            random=Random(random.random()),
        )

    def next(self) -> str:
        self.sent.append(f"{self.name}-{len(self.sent)}")
        return self.sent[-1]


class Story:
    """What happens, by chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.broker = MemoryBroker(attempts=0)
        self.is_healed = False
        self.waiting: list[tuple[str, list[Any]]] = []
        self.work: set[str] = set()
        self.worked_on: set[str] = set()
        self.producers = [Producer(self, name) for name in "ab"]

    def faults(self) -> Faults:
        delay = self.random.choice((0, 0, 0.001, 0.02))
        kinds = ("cut_after_sent", "cut_after_received", "drop_after_sent", "drop_after_received", None, None)
        kind = self.random.choice(kinds)
        if self.is_healed or kind is None:
            return Faults(delay=delay)
        return Faults(delay=delay, **{kind: self.random.randrange(1, 3000)})

    def asks(self, what: str, answer: Deferred[Any]) -> None:
        results: list[Any] = []
        answer.addBoth(results.append)
        self.waiting.append((what, results))

    # -- what may happen ----------------------------------------------------------------------------------

    def sends(self, who: Producer) -> None:
        for _ in range(self.random.randrange(1, 12)):
            body, receipt = who.next(), self.random.random() < 0.4
            self.asks(f"send {body}", who.service.send(LOG, body, receipt=receipt))

    def sends_all_or_nothing(self, who: Producer) -> None:
        transaction = who.service.replayed_transaction()
        for _ in range(self.random.randrange(1, 4)):
            transaction.send(LOG, who.next())
        self.asks("commit", transaction.commit())

    def gives_work(self, who: Producer) -> None:
        for _ in range(4):
            body = f"{who.name}{len(self.work)}"
            self.work.add(body)
            self.asks(f"give {body}", who.service.send(WORK, body, receipt=True))

    def subscribes(self, who: Producer) -> None:
        if len(who.subscriptions) < 4:
            # In mode client an ACK covers those before it, which must not be at work still.
            ack, concurrency = self.random.choice(
                (
                    ("client", 1),
                    ("client-individual", 1),
                    ("client-individual", 3),
                    ("client-individual", None),
                )
            )
            made = who.service.subscribe(
                WORK,
                self.handler(),
                ack=ack,
                concurrency=concurrency,
                prefetch=self.random.choice((None, 5)),
            )
            self.asks("subscribe", made.addCallback(who.subscriptions.append))

    def handler(self) -> Callable[[Message], Any]:
        fails = self.random.random() < 0.2

        async def works(message: Message) -> None:
            async with message:
                await deferLater(self.broker.clock, self.random.random() * 0.3)
                if fails and self.random.random() < 0.3:
                    raise ZeroDivisionError
                self.worked_on.add(message.text())

        return works

    def unsubscribes(self, who: Producer) -> None:
        if who.subscriptions:
            subscription = who.subscriptions.pop(self.random.randrange(len(who.subscriptions)))
            self.asks("unsubscribe", subscription.unsubscribe(receipt=self.random.random() < 0.7))

    def requests(self, who: Producer) -> None:
        asking = who.service.request(QUESTIONS, "?", timeout=self.random.choice((1, None)))
        self.asks("request", asking)
        if self.random.random() < 0.3:
            asking.cancel()

    def transacts(self, who: Producer) -> None:
        async def transact() -> None:
            async with who.service.transaction() as transaction:
                await transaction.send("/queue/other", "x")
                await deferLater(self.broker.clock, self.random.random() * 0.3)

        self.asks("transaction", Deferred.fromCoroutine(transact()))

    def cuts(self, who: Producer) -> None:
        self.broker.cut()

    def comes_and_goes(self, who: Producer) -> None:
        self.broker.is_down = not self.broker.is_down

    def ends_sessions(self, who: Producer) -> None:
        """As a broker that is stopped does: an ERROR about nothing that was sent."""
        for session in list(self.broker.factory.sessions)[: self.random.randrange(1, 4)]:
            session.shut_down()

    # -- and what is true then ----------------------------------------------------------------------------

    def run(self) -> None:
        for who in self.producers:
            who.service.startService()
        for _ in range(self.random.randrange(40, 120)):
            (happens,) = self.random.choices(*zip(*CHANCES.items(), strict=True))
            happens(self, self.random.choice(self.producers))
            self.broker.advance(self.random.choice((0, 0, 0.01, 0.05, 0.3, 1, 4)))
        self.is_healed, self.broker.is_down = True, False
        self.broker.cut()
        self.broker.advance(200)
        for who in self.producers:
            assert who.service.connected and who.service.unconfirmed == 0
            for subscription in who.subscriptions:
                assert not subscription.ended, subscription
                self.asks("unsubscribe", subscription.unsubscribe())
        self.broker.advance(60)
        for who in self.producers:
            self.asks("stop", who.service.stopService())
        self.broker.advance(60)
        self.check()

    def check(self) -> None:
        arrived = [body.decode() for body in self.broker.waiting(LOG)]
        for who in self.producers:
            assert [body for body in arrived if body.startswith(f"{who.name}-")] == who.sent
        left = {body.decode() for body in self.broker.waiting(WORK)}
        assert self.work <= left | self.worked_on
        for what, results in self.waiting:
            assert results, f"{what}: never answered"
            if isinstance(results[0], Failure):
                assert results[0].check(*EXPECTED), f"{what}: {results[0]}"
        assert self.broker.links == []
        self.broker.factory.stopFactory()
        assert self.broker.clock.getDelayedCalls() == []


CHANCES = {
    Story.sends: 45,
    Story.sends_all_or_nothing: 5,
    Story.gives_work: 8,
    Story.subscribes: 6,
    Story.unsubscribes: 3,
    Story.requests: 3,
    Story.transacts: 3,
    Story.cuts: 4,
    Story.comes_and_goes: 2,
    Story.ends_sessions: 3,
}


@pytest.mark.parametrize("seed", range(15))
def test_what_is_true_afterwards(seed: int) -> None:
    logged: list[dict[str, Any]] = []

    def see(event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        expected = failure is not None and failure.check(ConnectionLost, ZeroDivisionError)
        if event["log_level"] >= LogLevel.error and not expected:
            logged.append(event)

    globalLogPublisher.addObserver(see)
    try:
        Story(seed).run()
        gc.collect()  # errors in Deferreds that nobody has
    finally:
        globalLogPublisher.removeObserver(see)
    assert logged == []
