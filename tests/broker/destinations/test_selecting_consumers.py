"""``selector`` on SUBSCRIBE: some of a destination's messages, and not the others."""

from __future__ import annotations

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import selecting_consumers
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class QueueSelectors(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker = self.make_broker()
        self.ann = self.broker.connect()

    def send(self, *messages: tuple[str, str]) -> None:
        for body, colour in messages:
            send(self.ann, "/queue/a", body, colour=colour, persistent=self.persistent)
        self.assertTrue(self.ann.hears_nothing())

    def wants(self, selector: str, ack: str = "auto", **headers: str) -> Client:
        client = self.broker.connect()
        client.subscribes("/queue/a", ack=ack, selector=selector, **headers)
        return client

    def test_it_gets_what_matches_and_the_rest_waits_for_others(self) -> None:
        self.send(("1", "red"), ("2", "blue"), ("3", "red"))
        bob = self.wants("colour = 'red'")
        self.assertEqual(bob.hears_bodies(), [b"1", b"3"])
        self.send(("4", "blue"), ("5", "red"))
        self.assertEqual(bob.hears_bodies(), [b"5"])
        cat = self.broker.connect()
        cat.subscribes("/queue/a")
        self.assertEqual(cat.hears_bodies(), [b"2", b"4"])

    def test_each_gets_its_own_in_order(self) -> None:
        red, blue = self.wants("colour = 'red'"), self.wants("colour = 'blue'")
        self.send(*[(str(number), ("red", "blue", "green")[number % 3]) for number in range(30)])
        self.assertEqual(red.hears_bodies(), [b"%d" % number for number in range(0, 30, 3)])
        self.assertEqual(blue.hears_bodies(), [b"%d" % number for number in range(1, 30, 3)])

    def test_those_who_want_the_same_take_turns(self) -> None:
        bob, cat = self.wants("colour = 'red'"), self.wants("colour = 'red'")
        self.send(*[(str(number), "red") for number in range(10)])
        heard = [bob.hears_bodies(), cat.hears_bodies()]
        self.assertEqual([len(bodies) for bodies in heard], [5, 5])
        self.assertEqual(sorted(heard[0] + heard[1]), [b"%d" % number for number in range(10)])

    def test_who_wants_some_and_who_wants_all_take_turns(self) -> None:
        bob = self.wants("colour = 'red'")
        cat = self.broker.connect()
        cat.subscribes("/queue/a")
        self.send(*[(str(number), "red") for number in range(10)])
        heard = [bob.hears_bodies(), cat.hears_bodies()]
        self.assertEqual([len(bodies) for bodies in heard], [5, 5])

    def test_it_is_given_no_more_than_it_has_credit_for(self) -> None:
        bob = self.wants("colour = 'red'", ack="client-individual", prefetch_count="2")
        self.send(*[(str(number), ("red", "blue")[number % 2]) for number in range(20)])
        heard = []
        for _ in range(10):
            messages = bob.everything()
            self.assertLessEqual(len(messages), 2)
            for message in messages:
                heard.append(message.body)
                bob.acks(message)
        self.assertEqual(heard, [b"%d" % number for number in range(0, 20, 2)])
        self.assertTrue(bob.hears_nothing())

    def test_what_it_refuses_comes_again_to_it_later_and_to_others_at_once(self) -> None:
        bob = self.wants("colour = 'red'", ack="client-individual")
        self.send(("1", "red"))
        bob.nacks(bob.hears("MESSAGE"))
        self.assertTrue(bob.hears_nothing())
        self.broker.clock.advance(0.2)
        again = bob.hears("MESSAGE")
        self.assertEqual((again.body, again.headers["redelivered"]), (b"1", "true"))
        cat = self.wants("colour = 'red'", ack="client-individual")
        bob.nacks(again)
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(cat.hears("MESSAGE").body, b"1")

    def test_what_it_held_goes_to_others_who_want_it(self) -> None:
        bob = self.wants("colour = 'red'", ack="client")
        cat = self.wants("colour = 'red' OR colour = 'blue'", ack="client", prefetch_count="1")
        self.send(("1", "red"), ("2", "blue"), ("3", "red"), ("4", "red"))
        first = cat.hears("MESSAGE")
        self.assertEqual(len(bob.everything()), 3)
        bob.hangs_up()
        heard = [first.body]
        cat.acks(first)
        for _ in range(3):
            message = cat.hears("MESSAGE")
            heard.append(message.body)
            cat.acks(message)
        self.assertEqual(sorted(heard), [b"1", b"2", b"3", b"4"])
        self.assertTrue(cat.hears_nothing())

    def test_a_message_is_looked_at_once(self) -> None:
        self.patch(selecting_consumers, "AT_ONCE", 10)
        looked = 0
        self.send(*[(str(number), "blue") for number in range(100)])
        bob = self.wants("colour = 'red'", ack="client-individual", prefetch_count="1")
        for _ in range(20):
            self.broker.clock.advance(0)
        (subscription,) = next(iter(self.broker.factory.registry)).subscriptions
        wants = subscription.wants
        assert wants is not None

        def counting(message: object) -> bool:
            nonlocal looked
            looked += 1
            return wants(message)  # type: ignore[arg-type]

        subscription.wants = counting
        for number in range(50):
            self.send((str(number), "red"))
            bob.acks(bob.hears("MESSAGE"))
        self.assertLess(looked, 150)

    def test_a_long_queue_is_searched_bit_by_bit(self) -> None:
        self.patch(selecting_consumers, "AT_ONCE", 10)
        self.send(*[(str(number), "blue") for number in range(95)], ("x", "red"))
        bob = self.wants("colour = 'red'")
        if not isinstance(self, OnFile):
            self.assertTrue(bob.hears_nothing())
        for _ in range(20):
            self.broker.clock.advance(0)
        self.assertEqual(bob.hears_bodies(), [b"x"])

    def test_a_selector_that_is_malformed_is_refused_with_the_place(self) -> None:
        for selector in ("colour ==", ") foo = 'bar' (", "colour = 'red"):
            client = self.broker.connect()
            client.says("SUBSCRIBE", id="1", destination="/queue/a", selector=selector, receipt="r")
            frame = client.fails("selector")
            self.assertIn(b"column", frame.body)
            self.assertEqual(frame.headers["receipt-id"], "r")
        for selector in ("", "  "):
            client = self.broker.connect()
            client.says("SUBSCRIBE", id="1", destination="/queue/a", selector=selector)
            client.fails("empty selector")

    def test_selectors_are_bounded(self) -> None:
        broker = self.make_broker(selectors=2, selector_length=20)
        client = broker.connect()
        for id in "12":
            client.subscribes("/queue/a", id=id, selector="a = 1")
        client.subscribes("/queue/a", id="3")
        self.assertTrue(client.hears_nothing())
        client.subscribes("/queue/a", id="4", selector="a = 1")
        client.fails("too many selectors")
        client = broker.connect()
        client.subscribes("/queue/a", selector="a = 1 AND " * 2 + "a = 1")
        self.assertIn(b"20 characters", client.fails("malformed selector").body)

    def test_own_messages_can_be_left_out(self) -> None:
        for header in ("no-local", "activemq.noLocal"):
            bob = self.broker.connect()
            bob.subscribes("/queue/b", **{header.replace("-", "_"): "true"})
            send(bob, "/queue/b", "own", persistent=self.persistent)
            send(self.ann, "/queue/b", "other", persistent=self.persistent)
            self.assertTrue(self.ann.hears_nothing())
            self.assertEqual(bob.hears_bodies(), [b"other"])
            bob.hangs_up()
            cat = self.broker.connect()
            cat.subscribes("/queue/b")
            self.assertEqual(cat.hears_bodies(), [b"own"])
            cat.hangs_up()

    def shared(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Ways to name a queue of a topic's messages that several share: destination and headers."""
        yield "/topic/t::q", {}
        yield "/topic/t", {"durable": "true", "x_queue_name": "q"}
        yield "/topic/t", {"x_queue_name": "q"}
        yield "/topic/t", {"shared_subscription": "q"}
        yield "/queue/Consumer.A.VirtualTopic.t", {}

    def test_what_one_does_not_want_stays_for_the_others_of_a_shared_queue(self) -> None:
        for destination, headers in self.shared():
            for first in ("colour = 'red'", None):
                self.broker = self.make_broker()
                self.ann = self.broker.connect()
                topic = "/topic/VirtualTopic.t" if destination.startswith("/queue") else "/topic/t"
                bob, cat = self.broker.connect(), self.broker.connect()
                if first is None:  # it is there already, with something in it
                    cat.subscribes(destination, ack="client", **headers)
                    cat.hears_nothing()
                bob.subscribes(destination, selector="colour = 'red'", **headers)
                bob.hears_nothing()
                if first is None:
                    cat.says("UNSUBSCRIBE", id="1")
                for body, colour in (("1", "red"), ("2", "blue"), ("3", "red"), ("4", "blue")):
                    send(self.ann, topic, body, colour=colour, persistent=self.persistent)
                self.assertTrue(self.ann.hears_nothing())
                self.assertEqual(bob.hears_bodies(), [b"1", b"3"], destination)
                cat.subscribes(destination, id="2", selector="colour = 'blue'", **headers)
                self.assertEqual(cat.hears_bodies(), [b"2", b"4"], destination)

    def test_own_messages_that_one_does_not_want_stay_for_the_others_too(self) -> None:
        for destination, headers in self.shared():
            self.broker = self.make_broker()
            topic = "/topic/VirtualTopic.t" if destination.startswith("/queue") else "/topic/t"
            bob, cat = self.broker.connect(), self.broker.connect()
            bob.subscribes(destination, no_local="true", **headers)
            self.assertTrue(bob.hears_nothing())
            send(bob, topic, "own", persistent=self.persistent)
            self.assertTrue(bob.hears_nothing())
            cat.subscribes(destination, **headers)
            self.assertEqual(cat.hears_bodies(), [b"own"], destination)

    def test_a_durable_subscription_keeps_nothing_that_it_does_not_want(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/topic/t", durable_subscription="d", selector="colour = 'red'")
        for colour in ("red", "blue", "red"):
            send(self.ann, "/topic/t", colour, colour=colour, persistent=self.persistent)
        self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(bob.hears_bodies(), [b"red", b"red"])
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.broker.engine.octets, 0)


class QueueSelectorsOnFile(OnFile, QueueSelectors):
    persistent = "true"

    def test_it_finds_what_is_only_in_the_file(self) -> None:
        from stomp_tx.engine.limits import EngineLimits

        broker = self.make_broker(limits=EngineLimits(window_length=5))
        self.broker, self.ann = broker, broker.connect()
        self.send(*[(str(number), "blue") for number in range(50)], ("x", "red"), ("y", "red"))
        bob = self.wants("colour = 'red'", ack="client-individual")
        messages = bob.everything()
        self.assertEqual([message.body for message in messages], [b"x", b"y"])
        bob.acks(messages[0])
        bob.nacks(messages[1], requeue="false")
        self.assertTrue(bob.hears_nothing())
        broker = self.restart(broker, limits=EngineLimits(window_length=5))
        cat = broker.connect()
        cat.subscribes("/queue/a")
        self.assertEqual(cat.hears_bodies(), [b"%d" % number for number in range(50)])
