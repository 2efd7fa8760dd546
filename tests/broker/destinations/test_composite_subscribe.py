"""One subscription to several destinations: patterns of queues, and composites with queues in them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import registry
from stomp_tx.wire.frame import Frame
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Severals(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.begin()

    def begin(self, **settings: Any) -> None:
        self.broker: Any = self.make_broker(**settings)
        self.ann = self.broker.connect()

    def send(self, destination: str, *bodies: str, **headers: str) -> None:
        send(self.ann, destination, *bodies, persistent=self.persistent, **headers)
        self.assertTrue(self.ann.hears_nothing())
        self.broker.clock.advance(0)

    def consumer(self, destination: str, ack: str = "auto", version: str = "1.2", **headers: str) -> Client:
        client: Client = self.broker.connect(version)
        client.subscribes(destination, ack=ack, **headers)
        self.broker.clock.advance(0)
        return client

    def test_a_pattern_gets_what_waits_and_what_comes(self) -> None:
        self.send("/queue/a.b", "1")
        self.send("/queue/b.b", "2")
        bob = self.consumer("/queue/a.*")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.send("/queue/a.b", "3")
        self.send("/queue/a.c", "4")
        self.send("/queue/a.c", "5")
        self.send("/queue/a.c.d", "6")
        messages = bob.everything()
        self.assertEqual([message.body for message in messages], [b"3", b"4", b"5"])
        self.assertEqual(messages[1].headers["destination"], "/queue/a.c")

    def test_what_a_pattern_finds_and_what_is_named_is_one(self) -> None:
        self.send("/queue/a.b", "1")
        bob = self.consumer("/queue/a.*,/queue/a.b", ack="client")
        self.send("/queue/a.b", "2", "3")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3"])
        bob.says("UNSUBSCRIBE", id="1")
        self.assertEqual(self.consumer("/queue/a.b").hears_bodies(), [b"1", b"2", b"3"])
        self.send("/queue/a.b", "4")
        self.assertTrue(bob.hears_nothing())

    def test_it_shares_with_others(self) -> None:
        bob, cat = self.consumer("/queue/a.*"), self.consumer("/queue/a.b")
        self.send("/queue/a.b", "1", "2", "3", "4")
        self.assertEqual((len(bob.hears_bodies()), len(cat.hears_bodies())), (2, 2))

    def test_a_queue_that_somebody_consumes_from_first(self) -> None:
        bob = self.consumer("/queue/a.*")
        cat = self.consumer("/queue/a.x")
        cat.hangs_up()
        self.send("/queue/a.x", "1")
        self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_its_credit_is_one_for_all(self) -> None:
        for version in ("1.0", "1.1", "1.2"):
            for ack in ("client", "client-individual"):
                if version == "1.0" and ack != "client":
                    continue
                bob = self.consumer("/queue/a,/queue/b,/queue/c.*", ack, version, prefetch_count="2")
                for queue in ("a", "b", "c.d"):
                    self.send(f"/queue/{queue}", "1", "2", "3")
                heard = []
                for _ in range(9):
                    messages = bob.everything()
                    self.assertLessEqual(len(messages), 2, (version, ack))
                    for message in messages:
                        bob.acks(message)
                        heard.append((message.headers["destination"], message.body))
                        self.broker.clock.advance(0)
                for queue in ("a", "b", "c.d"):
                    bodies = [body for name, body in heard if name == f"/queue/{queue}"]
                    self.assertEqual(bodies, [b"1", b"2", b"3"], (version, ack, heard))
                self.assertTrue(bob.hears_nothing())
                bob.says("UNSUBSCRIBE", id="1")
                self.assertTrue(bob.hears_nothing())
                bob.hangs_up()
                self.assertEqual(self.broker.engine.octets, 0)

    def test_a_cumulative_ack_covers_all_of_them(self) -> None:
        bob = self.consumer("/queue/a,/queue/b", "client")
        self.send("/queue/a", "1")
        self.send("/queue/b", "2")
        self.send("/queue/a", "3")
        messages = bob.everything()
        bob.acks(messages[1])
        bob.hangs_up()
        self.assertTrue(self.ann.hears_nothing())
        cat = self.consumer("/queue/a,/queue/b")
        self.assertEqual(cat.hears_bodies(), [b"3"])

    def test_auto_goes_on_as_it_is_written(self) -> None:
        self.begin(prefetch=2)
        for queue in "ab":
            self.send(f"/queue/{queue}", *map(str, range(5)))
        bob = self.consumer("/queue/a,/queue/b")
        heard = []
        for _ in range(20):
            heard += bob.hears_bodies()
            self.broker.clock.advance(0)
        self.assertEqual(len(heard), 10)

    def test_what_is_refused_comes_again_and_what_is_held_goes_back(self) -> None:
        bob = self.consumer("/queue/a.*,/queue/b", "client-individual")
        self.send("/queue/a.x", "1")
        self.send("/queue/b", "2")
        first, second = bob.everything()
        bob.nacks(first)
        self.broker.clock.advance(0.2)
        again = bob.hears("MESSAGE")
        self.assertEqual((again.body, again.headers["redelivered"]), (b"1", "true"))
        bob.nacks(second, requeue="false")
        bob.hangs_up()
        self.assertEqual(self.consumer("/queue/a.x").hears_bodies(), [b"1"])
        self.assertEqual(self.consumer("/queue/DLQ.b").hears_bodies(), [b"2"])

    def test_in_a_transaction(self) -> None:
        bob = self.consumer("/queue/a,/queue/b", "client-individual", prefetch_count="1")
        self.send("/queue/a", "1")
        self.send("/queue/b", "2")
        message = bob.hears("MESSAGE")
        bob.says("BEGIN", transaction="t")
        bob.acks(message, transaction="t")
        self.assertEqual(bob.hears("MESSAGE").body, b"2")
        bob.says("ABORT", transaction="t")
        bob.acks(message)
        self.assertTrue(bob.hears_nothing())

    def test_queues_and_topics_in_one(self) -> None:
        bob = self.consumer("/queue/a,/topic/b.*,/topic/c", "client-individual")
        self.send("/queue/a", "1")
        self.send("/topic/b.x", "2")
        self.send("/topic/c", "3")
        messages = bob.everything()
        self.assertEqual([message.body for message in messages], [b"1", b"2", b"3"])
        for message in messages:
            bob.acks(message)
        self.assertTrue(bob.hears_nothing())
        bob.says("UNSUBSCRIBE", id="1", receipt="r")
        bob.hears("RECEIPT")
        self.assertEqual(self.broker.engine._topics.known, {})

    def test_selectors_and_exclusive_ones(self) -> None:
        bob = self.consumer("/queue/a.*", selector="x = 1")
        for number in range(5):
            self.send("/queue/a.b", str(number), x=str(number % 2))
        self.assertEqual(bob.hears_bodies(), [b"1", b"3"])
        cat = self.consumer("/queue/a.*", exclusive="true")
        self.assertEqual(sorted(cat.hears_bodies()), [b"0", b"2", b"4"])

    def test_a_connection_that_does_not_read_pauses_all(self) -> None:
        client = self.broker.connect()
        client.transport.room = 500
        client.subscribes("/queue/a,/queue/b", prefetch_count="100")
        for number in range(20):
            self.send("/queue/a", str(number))
            self.send("/queue/b", str(number))
        self.assertLess(len(client.transport.value()), 3000)
        heard = []
        for _ in range(60):
            heard += client.hears_bodies()
            if client.transport.producer is not None:
                client.transport.producer.resumeProducing()
            self.broker.clock.advance(0)
        self.assertEqual(len(heard), 40)

    def test_the_queues_of_a_pattern_are_bounded(self) -> None:
        self.begin(wildcard_queues=5)
        bob = self.consumer("/queue/a.*")
        for number in range(20):
            self.send(f"/queue/a.{number}", str(number))
        self.assertEqual(len(bob.hears_bodies()), 20)
        self.send("/queue/a.1", "again")
        self.assertEqual(bob.hears_bodies(), [b"again"])
        cat = self.consumer("/queue/b.*", "client", prefetch_count="1")
        for number in range(6):
            self.send(f"/queue/b.{number}", "1", "2")
        for heard in range(12):
            cat.acks(cat.hears("MESSAGE"))
            self.broker.clock.advance(1)
            self.assertLessEqual(self.parts("/queue/b.*"), 5, heard)
        self.assertTrue(cat.hears_nothing())

    def test_a_queue_whose_turn_is_over_goes_on_when_nobody_waits_for_its_place(self) -> None:
        self.begin(wildcard_queues=2)
        self.send("/queue/a.b", "b1")
        self.send("/queue/a.a", "a0", "a1", "a2", "a3", "a4")
        self.send("/queue/a.c", "c1")
        bob = self.consumer("/queue/a.*", "client-individual", prefetch_count="2")
        heard: list[bytes] = []
        for _ in range(20):
            for message in bob.everything():
                heard.append(message.body)
                bob.acks(message)
                self.broker.clock.advance(0.051)
            self.broker.clock.advance(1)
        self.assertEqual(sorted(heard), [b"a0", b"a1", b"a2", b"a3", b"a4", b"b1", b"c1"])

    def test_a_queue_that_has_gone_meanwhile_is_not_made_again(self) -> None:
        """Another one with a pattern would be told of it, and so on for ever where both have no room."""
        self.begin()
        bob = self.consumer("/queue/a.*")
        ann = self.broker.connect("1.2")
        ann.subscribes("/queue/a.1")
        ann.hangs_up()
        self.broker.clock.advance(0)
        self.assertEqual(list(self.broker.factory.engine.queues()), [])
        self.send("/queue/a.1", "hello")
        self.assertEqual(bob.hears_bodies(), [b"hello"])

    def parts(self, address: str) -> int:
        """How many queues the one who has subscribed to a pattern gets messages of now."""
        registry = self.broker.factory.registry
        return sum(address[:-1] in one.address and bool(one.subscriptions) for one in registry)

    def test_queues_that_there_is_no_room_for_wait_their_turn(self) -> None:
        for ack, prefetch in (("auto", "3"), ("client", "1"), ("client-individual", "7")):
            self.begin(wildcard_queues=5)
            for number in range(40):
                self.send(f"/queue/a.{number}", "1", "2", "3")
            bob = self.consumer("/queue/a.*", ack, prefetch_count=prefetch)
            heard: list[str] = []
            for _ in range(300):
                for message in bob.everything():
                    heard.append(message.headers["destination"] + " " + message.body.decode())
                    if ack != "auto":
                        bob.acks(message)
                self.broker.clock.advance(0.1)
                self.assertLessEqual(self.parts("/queue/a.*"), 5)
            self.assertEqual(len(heard), 120)
            for number in range(40):
                mine = [one for one in heard if one.startswith(f"/queue/a.{number} ")]
                self.assertEqual([one[-1] for one in mine], ["1", "2", "3"])

    def test_one_queue_that_is_never_empty_does_not_keep_others_waiting(self) -> None:
        self.begin(wildcard_queues=1)
        self.send("/queue/a.busy", *["x"] * 1000)
        self.send("/queue/a.other", "1")
        bob = self.consumer("/queue/a.*", "client", prefetch_count="1")
        heard = []
        for _ in range(20):
            for message in bob.everything():
                heard.append(message.body)
                bob.acks(message)
            self.broker.clock.advance(0.1)
        self.assertIn(b"1", heard)

    def test_who_acknowledges_many_at_once_gets_them(self) -> None:
        self.begin(wildcard_queues=1)
        self.send("/queue/a.busy", *["x"] * 1000)
        self.send("/queue/a.other", "1")
        bob = self.consumer("/queue/a.*", "client-individual", prefetch_count="10")
        held: list[Frame] = []
        heard = 0
        for _ in range(200):
            held += bob.everything()
            while len(held) >= 6:  # four stay, and six more are waited for
                heard += 1
                bob.acks(held.pop(0))
            self.broker.clock.advance(0.1)
        self.assertGreater(heard, 100)

    def test_what_is_named_and_what_is_held_is_never_left_for_others(self) -> None:
        self.begin(wildcard_queues=5)
        bob = self.consumer("/queue/a.*,/queue/b,/topic/c", "client-individual", prefetch_count="1000")
        self.send("/queue/a.kept", "held")
        held = bob.hears("MESSAGE")
        for number in range(40):
            self.send(f"/queue/a.{number}", str(number))
            bob.acks(bob.hears("MESSAGE"))
        bob.nacks(held)
        for number in range(40):
            self.send(f"/queue/a.{number}", str(number))
            bob.acks(bob.hears("MESSAGE"))
        self.assertTrue(bob.hears_nothing())
        self.send("/queue/b", "named")
        self.send("/topic/c", "topic")
        self.broker.clock.advance(1)
        self.assertEqual(sorted(bob.hears_bodies()), [b"held", b"named", b"topic"])

    def test_so_many_queues_that_they_are_joined_in_turns(self) -> None:
        self.patch(registry, "AT_ONCE", 3)
        for number in range(10):
            self.send(f"/queue/a.{number}", str(number))
        bob = self.broker.connect()
        bob.subscribes("/queue/a.*")
        self.assertEqual(len(list(self.broker.factory.registry)), 3)
        gone = self.broker.connect()
        gone.subscribes("/queue/a.*")
        gone.says("UNSUBSCRIBE", id="1")
        for _ in range(3):
            self.broker.clock.advance(0)
        self.assertEqual(len(bob.hears_bodies()), 10)

    def test_nothing_is_left_behind(self) -> None:
        bob = self.consumer("/queue/a.*,/queue/b,/topic/c")
        self.send("/queue/a.b", "1")
        bob.says("UNSUBSCRIBE", id="1")
        self.assertEqual(len(bob.everything()), 1)
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.factory.registry._patterns, {})
        self.assertEqual(self.broker.engine.queues(), [])

    def test_browsing_is_for_one_queue(self) -> None:
        for name in ("/queue/a,/queue/b", "/queue/a.*", "/queue/a,/topic/b"):
            client = self.broker.connect()
            client.subscribes(name, browser="true")
            client.fails("nothing to browse")


class SeveralsOnFile(OnFile, Severals):
    persistent = "true"

    def test_a_pattern_finds_what_an_earlier_process_left(self) -> None:
        self.send("/queue/a.b", "1")
        self.send("/queue/a.c", "2", priority="9")
        self.broker = self.restart(self.broker)
        bob = self.consumer("/queue/a.*")
        self.assertEqual(sorted(bob.hears_bodies()), [b"1", b"2"])
