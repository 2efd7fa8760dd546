"""service.py: how it stops, and what a bad network does to it."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from stomp_tx.client import (
    ConnectionLost,
    NoConnection,
    Retry,
    StompClientService,
)
from stomp_tx.testing import Faults, MemoryBroker
from tests.client.serving import QUEUE, ServiceCase


class StoppingTests(ServiceCase):
    def test_it_leaves_in_order(self) -> None:
        service = self.starts()
        works: list[Deferred[None]] = []

        async def handle(message: Any) -> None:
            works.append(Deferred())
            await works[-1]
            await service.send("/queue/done", message.body)

        self.got(service.subscribe(QUEUE, handle))
        service.send(QUEUE, "1")
        self.broker.settle()
        sending = service.send("/queue/b", "2", receipt=True)
        stopping = service.stopService()
        self.broker.settle()
        self.assertNoResult(stopping)
        self.got(sending)
        works[0].callback(None)
        self.got(stopping)
        self.assertEqual(self.happened[-1], None)
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])

    def test_it_waits_no_longer_than_it_was_told(self) -> None:
        service = self.starts(disconnect_timeout=2, heart_beat_ms=(0, 0))
        self.got(service.subscribe(QUEUE, lambda message: Deferred()))
        service.send(QUEUE, "1")
        self.broker.settle()
        stopping = service.stopService()
        self.broker.advance(10)
        self.successResultOf(stopping)

    def test_what_was_not_confirmed_fails(self) -> None:
        self.broker.is_down = True
        service = self.starts(window=1)
        sending = [service.send(QUEUE, "1", receipt=True), service.send(QUEUE, "2"), service.subscribe(QUEUE)]
        asking, waiting = service.request(QUEUE, "?"), service.whenConnected()
        self.got(service.stopService())
        for one in sending:
            self.failureResultOf(one, ConnectionLost)
        self.failureResultOf(asking, ConnectionLost)
        self.failureResultOf(waiting, ConnectionLost)
        self.got(service.stopService())
        self.failureResultOf(service.whenConnected(), ConnectionLost)
        self.failureResultOf(service.subscribe(QUEUE), ConnectionLost)

    def test_stopped_while_it_connects(self) -> None:
        service = self.broker.service()
        service.startService()
        service.startService()
        self.got(service.stopService())
        self.broker.advance(10)
        self.assertEqual(self.broker.links, [])

    def test_it_can_be_started_again(self) -> None:
        service = self.starts()
        self.got(service.stopService())
        service.startService()
        self.broker.advance(1)
        self.got(service.send(QUEUE, "again", receipt=True))
        self.assertEqual(self.broker.waiting(QUEUE), [b"again"])

    def test_stopped_by_who_is_told_of_the_loss(self) -> None:
        """The last connection is the last one, though the next attempt was due."""
        service = self.broker.service(on_lost=lambda reason: stopping.append(service.stopService()))
        stopping: list[Deferred[None]] = []
        service.startService()
        self.broker.settle()
        self.cut()
        self.got(stopping[0])
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])
        self.assertEqual(len(stopping), 1)

    def test_started_again_while_it_leaves(self) -> None:
        service = self.starts()
        self.got(service.subscribe(QUEUE, lambda message: Deferred()))
        service.send(QUEUE, "1")
        self.broker.settle()
        stopping = [service.stopService(), service.stopService()]
        service.startService()
        self.assertNoResult(stopping[1])
        self.broker.advance(5)
        for one in stopping:
            self.successResultOf(one)
        self.broker.advance(5)
        self.assertTrue(service.connected)
        self.assertEqual(len(self.broker.links), 1)
        self.got(service.send(QUEUE, "2", receipt=True))

    def test_a_block_that_can_not_begin_leaves_nothing_behind(self) -> None:
        async def story(service: StompClientService) -> None:
            async with service:
                self.fail("there is no broker")

        self.broker.is_down = True
        service = self.broker.service(retry=Retry(attempts=2))
        with self.assertRaises(NoConnection):
            self.broker.run(story(service))
        service = self.broker.service()
        beginning = Deferred.fromCoroutine(story(service))
        self.broker.advance(1)
        beginning.cancel()
        self.failureResultOf(beginning, CancelledError)
        self.assertFalse(service.running)
        self.broker.is_down = False
        self.broker.advance(100)
        self.assertEqual(self.broker.links, [])

    def test_as_a_block(self) -> None:
        async def story() -> None:
            async with self.broker.service() as client:
                await client.send(QUEUE, "hello")

        self.broker.run(story())
        self.assertEqual(self.broker.waiting(QUEUE), [b"hello"])
        self.assertEqual(self.broker.links, [])


class NothingIsLostTests(ServiceCase):
    """A network that cuts the connection anywhere, a hundred times."""

    def test_nothing_lost_nothing_twice_and_the_order_kept(self) -> None:
        for seed in range(5):
            self.broker = MemoryBroker()
            sent = self.broker.run(self.send_through_cuts(Random(seed)))
            self.assertGreater(sent, 300)
            self.assertEqual(self.broker.waiting(QUEUE), [b"%d" % number for number in range(sent)])

    async def send_through_cuts(self, random: Random) -> int:
        """How many messages it took."""
        cuts = 100

        def faults() -> Faults:
            nonlocal cuts
            cuts -= 1
            after = random.randrange(150, 3000)
            if cuts < 0:
                return Faults()
            return random.choice((Faults(cut_after_sent=after), Faults(cut_after_received=after)))

        sent = 0
        retry = Retry(initial=0.1, maximum=0.1)
        async with self.broker.service(faults=faults, window=20, retry=retry) as service:
            while cuts >= 0:
                await service.send(QUEUE, f"{sent}")
                sent += 1
            await service.send(QUEUE, f"{sent}", receipt=True)
        return sent + 1


class ReprTests(ServiceCase):
    def test_it_tells_where_it_is_what_it_has_and_no_secrets(self) -> None:
        service = self.broker.service(login="ann", passcode="open-sesame")
        place = service._connecting.places
        counts = "subscriptions: 0, unconfirmed: 0"
        self.assertEqual(repr(service), f"<StompClientService {place}, has not been started, {counts}>")
        service.startService()
        self.got(service.subscribe(QUEUE))
        peer = service._session.status.peer
        service.send(QUEUE, "1")
        there = "subscriptions: 1, unconfirmed: 1"
        self.assertEqual(repr(service), f"<StompClientService {place}, connected to {peer}, {there}>")
        self.broker.is_down = True
        self.broker.cut()
        self.broker.advance(1)
        self.assertRegex(repr(service), r", connecting: .*refused.*, subscriptions: 1, unconfirmed: 1>$")
        self.got(service.stopService())
        self.assertRegex(repr(service), r", was stopped, or has given up, subscriptions: 0, unconfirmed: 0>$")
