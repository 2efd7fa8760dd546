"""A client that connects again: brokers that are killed, networks that fail; real processes and sockets."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from stomp_tx.client import Message, Retry, StompClientService
from stomp_tx.testing import run_broker
from tests.scratch import scratch

COUNT = 100_000
QUEUE = "/queue/a"
PERSISTENT = {"persistent": "true"}
QUICK = Retry(initial=0.05, maximum=0.2)


class Cutter(Protocol):
    """One side of a connection through the proxy, which is cut after some octets, in the midst of a frame."""

    def __init__(self, proxy: Proxy, budget: list[int], other: Cutter | None = None) -> None:
        self.proxy = proxy
        self.budget = budget
        self.other = other

    def connectionMade(self) -> None:
        self.proxy.open.add(self)
        if self.other is not None:
            self.other.joined(self)
            return
        self.transport.pauseProducing()
        there = Factory.forProtocol(lambda: Cutter(self.proxy, self.budget, self))
        there.noisy = False
        connecting = TCP4ClientEndpoint(reactor, "127.0.0.1", self.proxy.port).connect(there)
        connecting.addErrback(lambda _: self.transport.loseConnection())

    def joined(self, there: Cutter) -> None:
        self.other = there
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        assert self.other is not None
        self.budget[0] -= len(data)
        if self.budget[0] > 0:
            self.other.transport.write(data)
        else:
            self.other.transport.write(data[: self.budget[0]])
            self.proxy.cuts += 1
            self.transport.loseConnection()

    def connectionLost(self, reason: object = None) -> None:
        self.proxy.open.discard(self)
        if self.other is not None:
            self.other.transport.loseConnection()


class Proxy(Factory):
    """Cuts each connection at random, ``most`` times."""

    noisy = False

    def __init__(self, port: int, random: Random, most: int) -> None:
        self.port = port
        self.random = random
        self.most = most
        self.cuts = 0
        self.open: set[Cutter] = set()

    def buildProtocol(self, addr: object) -> Cutter:
        budget = self.random.randrange(2_000, 200_000) if self.cuts < self.most else 1 << 62
        return Cutter(self, [budget])


class ResumingTests(TestCase):
    timeout = 180

    def received(self, numbers: list[int]) -> Callable[[Message], Any]:
        """A handler that takes them down, and acknowledges."""

        def handle(message: Message) -> Any:
            number = int(message.body)
            # What comes again was not acknowledged: it was written down before.
            if not message.redelivered or number not in self.seen:
                self.seen.add(number)
                numbers.append(number)
            return message.ack().addErrback(lambda failure: None)

        self.seen: set[int] = set()
        return handle

    async def produces(self, client: StompClientService, count: int, then: Callable[[int], Any]) -> None:
        for number in range(count):
            await client.send(QUEUE, f"{number}", headers=PERSISTENT)
            then(number)
        await client.send("/queue/last", "", receipt=True)

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():
            await later(0.05)

    async def test_a_broker_that_is_killed_in_the_middle_of_a_hundred_thousand_messages(self) -> None:
        folder = scratch(self)
        arguments = ["--port", "tcp:0:interface=127.0.0.1", "--engine", f"sqlite:{folder / 'stomp.db'}"]
        first = run_broker(*arguments, folder=Path(folder))
        broker = first.__enter__()
        self.addCleanup(first.__exit__, None, None, None)
        arguments[1] = f"tcp:{broker.port()}:interface=127.0.0.1"
        numbers: list[int] = []
        killed: list[bool] = []

        def then(number: int) -> None:
            if number == COUNT // 2:
                broker.stop(signal.SIGKILL)
                second = run_broker(*arguments, folder=Path(folder))
                second.__enter__()
                self.addCleanup(second.__exit__, None, None, None)
                killed.append(True)

        lost: list[object] = []
        async with StompClientService(broker.endpoint, retry=QUICK, on_lost=lost.append) as client:
            await client.subscribe(QUEUE, self.received(numbers), ack="client-individual", prefetch=1000)
            await self.produces(client, COUNT, then)
            await self.until(lambda: len(numbers) >= COUNT)
        self.assertEqual(killed, [True])
        self.assertGreaterEqual(len(lost), 1)
        self.assertEqual(sorted(numbers), list(range(COUNT)))

    async def test_a_network_that_cuts_the_connection_a_hundred_times(self) -> None:
        running = run_broker(folder=Path(scratch(self)))
        broker = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        proxy = Proxy(broker.port(), Random(1), 100)
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(proxy)
        self.addCleanup(port.stopListening)
        sent = 0
        retry = Retry(initial=0.01, maximum=0.02)
        async with StompClientService(f"tcp:127.0.0.1:{port.getHost().port}", retry=retry) as client:
            while proxy.cuts < proxy.most:
                await client.send(QUEUE, f"{sent}")
                sent += 1
            await client.send(QUEUE, f"{sent}", receipt=True)
        self.assertGreater(sent, 5_000)
        async with StompClientService(broker.endpoint) as client:
            subscription = await client.subscribe(QUEUE, prefetch=1000)
            for number in range(sent + 1):
                message = await subscription.next()
                self.assertEqual(int(message.body), number)  # each once, and in their order
            nothing = subscription.next()
            await later(0.3)
            self.assertNoResult(nothing)
            nothing.addErrback(lambda _: None).cancel()
        await self.until(lambda: not proxy.open)


def later(seconds: float) -> Deferred[None]:
    clock: IReactorTime = reactor  # type: ignore[assignment]
    return deferLater(clock, seconds, lambda: None)
