"""A broker in memory, and what a network does to it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import ConnectionLost, ErrorReceived, NoConnection, StompClient
from stomp_tx.errors import ConfigurationError
from stomp_tx.testing import Faults, MemoryBroker, Stuck


class MemoryBrokerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()

    def test_run_gives_what_the_story_gives(self) -> None:
        async def story() -> bytes:
            async with self.broker.service() as client:
                await client.send("/queue/a", "hello")
                subscription = await client.subscribe("/queue/a")
                return (await subscription.next()).body

        self.assertEqual(self.broker.run(story()), b"hello")
        self.assertEqual(self.broker.clock.seconds(), 0.0)

    def test_a_setting_that_there_is_not_is_told_with_the_nearest(self) -> None:
        for wrong, right in (("attemps", "attempts"), ("subscription", "subscriptions"), ("engin", "engine")):
            with self.assertRaisesRegex(
                ConfigurationError, f"MemoryBroker has no setting {wrong}: did you mean {right}"
            ):
                MemoryBroker(**{wrong: 1})
        with self.assertRaisesRegex(ConfigurationError, "has no setting loggin: did you mean login"):
            self.broker.client(loggin="ann")

    def test_peers_say_numbers_as_text(self) -> None:
        peer = self.broker.peer()
        peer.says("SEND", {"destination": "/queue/a", "n": 9}, b"x", persistent=True)
        peer.subscribes("/queue/a", prefetch_count=1)
        heard = peer.hears("MESSAGE").headers
        self.assertEqual((heard["n"], heard["persistent"]), ("9", "true"))

    def test_run_raises_what_the_story_raises(self) -> None:
        async def story() -> None:
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            self.broker.run(story())

    def test_time_passes_while_it_waits(self) -> None:
        client = self.broker.client()
        with self.assertRaises(Exception) as raised:
            self.broker.run(client.request("/queue/nobody", "?", timeout=7))
        self.assertIn("7 seconds", str(raised.exception))
        self.assertAlmostEqual(self.broker.clock.seconds(), 7)

    def test_who_waits_for_nothing_is_stuck(self) -> None:
        for story in (Deferred(), self.broker.run(self.broker.client().subscribe("/queue/a")).next()):
            with self.assertRaises(Stuck):
                self.broker.run(story, within=100)

    def test_the_same_story_does_the_same_each_time(self) -> None:
        def story() -> bytes:
            broker = MemoryBroker()
            service = broker.service(faults=Faults(delay=0.05, cut_after_received=400))
            service.startService()
            for number in range(20):
                service.send("/queue/a", f"{number}")
            broker.advance(20)
            return b"".join(broker.waiting("/queue/a")) + str(broker.clock.seconds()).encode()

        self.assertEqual(story(), story())

    def test_its_settings_are_the_broker_s(self) -> None:
        broker = MemoryBroker(attempts=1, dead_letter="/queue/dead", subscriptions=2)
        client = broker.client()

        async def refuse(message: Any) -> None:
            raise ZeroDivisionError

        broker.run(client.subscribe("/queue/a", refuse, ack="client-individual"))
        broker.run(client.send("/queue/a", "x"))
        broker.settle()
        self.assertEqual(broker.waiting("/queue/dead"), [b"x"])
        self.flushLoggedErrors(ZeroDivisionError)
        broker.run(client.subscribe("/queue/b"))
        with self.assertRaises(ErrorReceived):
            broker.run(client.subscribe("/queue/c"))

    def test_what_is_due_happens_at_its_time(self) -> None:
        client = self.broker.client()
        self.broker.run(client.send("/queue/a", "later", headers={"AMQ_SCHEDULED_DELAY": "5000"}))
        self.broker.advance(4.9)
        self.assertEqual(self.broker.waiting("/queue/a"), [])
        self.broker.advance(0.2)
        self.assertEqual(self.broker.waiting("/queue/a"), [b"later"])

    def test_nobody_can_connect_while_it_is_down(self) -> None:
        self.broker.is_down = True
        with self.assertRaises(NoConnection):
            self.broker.client()

    def test_those_who_speak_in_frames_and_clients_meet(self) -> None:
        ann, client = self.broker.peer("1.1"), self.broker.client()
        ann.subscribes("/queue/a")
        self.broker.run(client.send("/queue/a", "hello"))
        self.assertEqual(ann.hears("MESSAGE").body, b"hello")


class FaultTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.broker = MemoryBroker()

    def connects(self, faults: Faults) -> StompClient:
        connecting = self.broker.dial(faults, heart_beat_ms=(1000, 1000))
        self.broker.advance(1)
        return self.successResultOf(connecting)

    def test_delay(self) -> None:
        client = self.connects(Faults(delay=0.25))
        sending = client.send("/queue/a", "x", receipt=True)
        self.broker.advance(0.49)
        self.assertNoResult(sending)
        self.assertEqual(len(self.broker.waiting("/queue/a")), 1)
        self.broker.advance(0.02)
        self.successResultOf(sending)
        leaving = client.disconnect()
        self.broker.advance(1)
        self.successResultOf(leaving)

    def test_cut_after_so_many_octets(self) -> None:
        client = self.connects(Faults(cut_after_sent=200))
        sending = client.send("/queue/a", "x" * 1000, receipt=True)
        self.broker.settle()
        self.failureResultOf(sending, ConnectionLost)
        self.assertEqual(self.broker.waiting("/queue/a"), [])
        client = self.connects(Faults(cut_after_received=200))
        sendings = [client.send("/queue/a", "x", receipt=True) for _ in range(20)]
        self.broker.settle()
        self.failureResultOf(sendings[-1], ConnectionLost)
        self.assertEqual(len(self.broker.waiting("/queue/a")), 20)

    def test_a_pulled_cable_is_only_noticed_by_heart_beats(self) -> None:
        for faults in (Faults(drop_after_sent=200), Faults(drop_after_received=100)):
            client = self.connects(faults)
            sending = client.send("/queue/b", "x" * 200, receipt=True)
            self.broker.settle()
            self.assertNoResult(sending)
            self.assertTrue(client.connected)
            self.broker.advance(10)
            self.failureResultOf(sending, ConnectionLost)
