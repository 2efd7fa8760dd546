"""Expiry: from its time on nobody gets a message, however that was said, and whether or not anyone asks."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Dropped
from stomp_tx.broker.maintenance import EVERY
from stomp_tx.broker.policy import Policy
from stomp_tx.engine.limits import EngineLimits
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Conversations(InMemory, SynchronousTestCase):
    """What the tests below have in common: messages persist, or they don't."""

    persistent = "false"

    def setUp(self) -> None:
        self.open()

    def open(self, upkeep: bool = True, **settings: Any) -> None:
        """A broker with these settings, and ann."""
        self.broker: Any = self.make_broker(**settings)
        if upkeep:
            self.broker.factory.startFactory()
            self.addCleanup(self.broker.factory.stopFactory)
        self.ann = self.broker.connect()
        self.dropped: list[tuple[bytes, str]] = []
        self.broker.factory.events.observe(
            Dropped, lambda event: self.dropped.append((event.message.body, event.why))
        )

    def ms(self, seconds: float) -> int:
        """So many seconds from now, in milliseconds since 1970."""
        return int((self.broker.now() + seconds) * 1000)

    def send(self, *bodies: str, destination: str = "/queue/a", **headers: str) -> None:
        send(self.ann, destination, *bodies, **{"persistent": self.persistent, **headers})

    def consumer(self, destination: str = "/queue/a", ack: str = "auto", **headers: str) -> Client:
        client: Client = self.broker.connect()
        client.subscribes(destination, ack=ack, **headers)
        return client

    def pass_by(self, seconds: float) -> None:
        """Let time pass, as it does: bit by bit."""
        self.broker.clock.pump([0.5] * int(seconds * 2))

    def nothing_is_kept(self) -> None:
        self.broker.clock.advance(0)
        self.assertEqual(self.broker.engine.octets, 0)
        self.assertEqual(self.broker.engine._lanes, {})


class HeaderTests(Conversations):
    """Three brokers' ways to say when."""

    def ways(self, seconds: float) -> list[dict[str, str]]:
        milliseconds = str(int(1000 * seconds))
        return [
            {"expires": str(self.ms(seconds))},
            {"ttl": milliseconds},
            {"expiration": milliseconds},
        ]

    def test_before_its_time_it_is_delivered_and_says_when_it_ends(self) -> None:
        for headers in self.ways(5):
            expires = str(self.ms(5))
            self.send("1", **headers)
            self.pass_by(4.5)
            bob = self.consumer()
            message = bob.hears("MESSAGE")
            self.assertEqual((message.body, message.headers["expires"]), (b"1", expires), headers)
            bob.hangs_up()

    def test_from_its_time_on_nobody_gets_it(self) -> None:
        for headers in self.ways(5):
            self.open(upkeep=False)
            self.send("1", **headers)
            self.send("2")
            self.broker.clock.advance(5)
            self.assertEqual(self.consumer().hears_bodies(), [b"2"], headers)
            self.assertEqual(self.dropped, [(b"1", "expired")])
            self.assertEqual(self.broker.engine.octets, 0)

    def test_the_first_of_them_counts_and_zero_is_never_but_for_expiration(self) -> None:
        for headers in (
            {"expires": "0"},
            {"ttl": "0"},
            {"expires": "0", "ttl": "1", "expiration": "1"},
            {"ttl": "0", "expiration": "1"},
        ):
            self.open()
            self.send("1", **headers)
            self.pass_by(5)
            self.assertEqual(self.consumer().hears_bodies(), [b"1"], headers)
        self.open()
        self.send("1", ttl="60000", expiration="1")
        self.send("2", expires=str(self.ms(60)), ttl="1")
        self.send("3", expiration="0")
        self.pass_by(5)
        self.assertEqual(self.consumer().hears_bodies(), [b"1", b"2"])

    def test_what_is_no_number_is_refused_and_nothing_is_sent(self) -> None:
        for name in ("expires", "ttl", "expiration"):
            for value in ("", "-1", "+1", "1.5", "x", " 1", "1e3", "\u0663", "1" * 16):
                ann = self.broker.connect()
                ann.says("SEND", {"destination": "/queue/a", name: value, "receipt": "r"}, b"1")
                self.assertEqual(ann.fails(f"malformed {name} header").headers["receipt-id"], "r")
        ann = self.broker.connect()
        ann.says("BEGIN", transaction="t")
        send(ann, "/queue/a", "1", transaction="t", ttl="x")
        ann.fails("malformed ttl header")
        self.assertTrue(self.consumer().hears_nothing())

    def test_one_that_is_over_when_it_is_sent_is_receipted_and_dropped(self) -> None:
        bob = self.consumer()
        for headers in ({"expires": "1"}, {"expires": str(self.ms(0))}, {"expiration": "0"}):
            self.send("1", receipt="r", **headers)
            self.ann.hears("RECEIPT")
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.dropped, [(b"1", "expired")] * 3)
        bob.hangs_up()
        self.nothing_is_kept()

    def test_each_queue_and_topic_is_the_same_in_this(self) -> None:
        bob, cid = self.consumer("/topic/t", durable_subscription="d"), self.consumer("/topic/t")
        self.send("1", destination="/topic/t", expires="1")
        for client in (bob, cid):
            self.assertTrue(client.hears_nothing())
        bob.hangs_up()
        self.send("2", destination="/topic/t", ttl="1000")
        self.assertEqual(cid.hears_bodies(), [b"2"])
        self.pass_by(3)
        self.assertTrue(self.consumer("/topic/t", durable_subscription="d").hears_nothing())
        self.assertEqual(self.broker.engine.octets, 0)


class PolicyTests(Conversations):
    """What a destination adds."""

    def test_a_default_for_those_who_do_not_say(self) -> None:
        self.open(ttl=10.0)
        self.send("1")
        self.send("2", ttl="60000")
        expires = str(self.ms(10))
        bob = self.consumer(ack="client")
        self.assertEqual(bob.hears("MESSAGE").headers["expires"], expires)
        bob.hangs_up()
        self.pass_by(11)
        self.assertEqual(self.consumer().hears_bodies(), [b"2"])

    def test_a_bound_for_those_who_want_more_or_for_ever(self) -> None:
        self.open(ttl_max=10.0)
        for headers in ({}, {"expires": "0"}, {"ttl": "11000"}, {"expires": str(self.ms(1000))}):
            self.send("x", **headers)
        self.send("5", ttl="5000")
        heard = self.consumer(ack="client").everything()
        self.assertEqual([frame.headers["expires"] for frame in heard[:4]], [str(self.ms(10))] * 4)
        self.assertEqual(heard[4].headers["expires"], str(self.ms(5)))

    def test_the_default_is_bounded_too(self) -> None:
        self.open(ttl=60.0, ttl_max=10.0)
        self.send("1")
        self.assertEqual(self.consumer().hears("MESSAGE").headers["expires"], str(self.ms(10)))

    def test_each_destination_has_its_own(self) -> None:
        self.open(patterns={"/queue/short.*": Policy(ttl=1.0), "/topic/>": Policy(ttl=2.0)})
        self.consumer("/topic/t", durable_subscription="d").hangs_up()
        for destination in ("/queue/short.a", "/queue/long", "/topic/t"):
            self.send("1", destination=destination)
        self.pass_by(2)
        self.assertTrue(self.consumer("/queue/short.a").hears_nothing())
        self.assertEqual(self.consumer("/queue/long").hears_bodies(), [b"1"])
        self.pass_by(2)
        self.assertTrue(self.consumer("/topic/t", durable_subscription="d").hears_nothing())

    def test_in_a_transaction_too(self) -> None:
        self.open(ttl=5.0)
        self.ann.says("BEGIN", transaction="t")
        self.send("1", transaction="t")
        self.ann.says("COMMIT", transaction="t")
        self.pass_by(6)
        self.assertTrue(self.consumer().hears_nothing())

    def test_what_is_over_is_a_dead_letter_where_the_policy_says_so(self) -> None:
        self.open(expired="dead-letter")
        expires = self.ms(2)
        self.send("1", ttl="2000", colour="red")
        self.send("2", expires="1")
        self.pass_by(4)
        self.assertEqual(self.dropped, [])
        two, one = self.consumer("/queue/DLQ.a").everything()
        self.assertEqual((one.body, two.body), (b"1", b"2"))
        self.assertEqual(one.headers["dead-letter-reason"], "expired")
        self.assertEqual(one.headers["dead-letter-attempts"], "0")
        self.assertEqual(one.headers["original-expires"], str(expires))
        self.assertEqual(one.headers["colour"], "red")
        self.assertNotIn("expires", one.headers)
        self.assertNotIn("ttl", one.headers)

    def test_so_many_of_them_pause_their_producer(self) -> None:
        self.open(expired="dead-letter", limits=EngineLimits(queue_length=5, stored_octets=500))
        for _ in range(20):
            if self.ann.transport.producerState == "paused":
                break
            self.send("x", expires="1")
            self.broker.clock.advance(0)
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.consumer("/queue/DLQ.a").everything()
        self.broker.clock.advance(0)
        self.assertEqual(self.ann.transport.producerState, "producing")

    def test_dead_letters_live_for_ever(self) -> None:
        self.open(expired="dead-letter")
        self.send("1", ttl="2000")
        self.pass_by(100)
        self.assertEqual(self.consumer("/queue/DLQ.a").hears_bodies(), [b"1"])


class UpkeepTests(Conversations):
    """Whether or not anyone consumes."""

    def test_within_a_second_it_is_gone(self) -> None:
        for number in range(10):
            self.send(str(number), destination=f"/queue/{number}", ttl="1000")
        self.send("x", destination="/queue/never")
        self.broker.clock.advance(1)
        self.broker.clock.advance(EVERY)
        self.assertEqual([body for body, _ in self.dropped], [b"%d" % number for number in range(10)])
        self.assertEqual(list(self.broker.engine._lanes), ["/queue/never"])

    def test_in_the_middle_of_a_queue_and_the_others_keep_their_order(self) -> None:
        for number in range(10):
            self.send(str(number), **({"ttl": "1000"} if number in (0, 3, 4, 9) else {}))
        self.pass_by(3)
        self.assertEqual(len(self.dropped), 4)
        self.assertEqual(self.consumer().hears_bodies(), [b"1", b"2", b"5", b"6", b"7", b"8"])

    def test_it_goes_on_after_a_failure(self) -> None:
        patched = self.patch(self.broker.engine, "expire", lambda now, judge: 1 / 0)
        self.send("1", ttl="1000")
        self.pass_by(3)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        patched.restore()
        self.pass_by(1)
        self.nothing_is_kept()

    def test_it_ends_with_the_last_port(self) -> None:
        self.broker.factory.stopFactory()
        self.ann.hangs_up()
        self.broker.clock.advance(20)
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_who_waits_for_room_goes_on(self) -> None:
        self.open(limits=EngineLimits(queue_length=5, stored_octets=500))
        for _ in range(20):
            if self.ann.transport.producerState == "paused":
                break
            self.send("x", ttl="1000")
            self.broker.clock.advance(0)
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.pass_by(4)
        self.assertEqual(self.ann.transport.producerState, "producing")

    def test_what_has_expired_uses_nobody_s_credit(self) -> None:
        self.open(upkeep=False)
        self.send("1", "2", "3", ttl="1000")
        self.send("4", "5")
        self.broker.clock.advance(2)
        bob = self.consumer(ack="client", prefetch_count="1")
        message = bob.hears("MESSAGE")
        self.assertEqual(message.body, b"4")
        bob.acks(message)
        self.assertEqual(bob.hears_bodies(), [b"5"])


class InFlightTests(Conversations):
    """A message that somebody has."""

    def setUp(self) -> None:
        self.open()
        self.bob = self.consumer(ack="client-individual")
        self.send("1", ttl="1000")
        self.message = self.bob.hears("MESSAGE")

    def test_it_can_be_acknowledged_after_its_time(self) -> None:
        self.pass_by(5)
        self.assertEqual(self.dropped, [])
        self.bob.acks(self.message, receipt="r")
        self.bob.hears("RECEIPT")
        self.bob.hangs_up()
        self.nothing_is_kept()
        self.assertEqual(self.dropped, [])

    def test_refused_after_its_time_it_goes_to_nobody(self) -> None:
        cid = self.consumer(ack="client-individual")
        self.pass_by(5)
        self.bob.nacks(self.message)
        self.pass_by(5)
        self.assertTrue(cid.hears_nothing())
        self.assertTrue(self.bob.hears_nothing())
        self.assertEqual(self.dropped, [(b"1", "expired")])

    def test_given_back_after_its_time_it_goes_to_nobody(self) -> None:
        cid = self.consumer(ack="client-individual")
        self.pass_by(5)
        self.bob.hangs_up()
        self.pass_by(2)
        self.assertTrue(cid.hears_nothing())
        self.assertEqual(self.dropped, [(b"1", "expired")])

    def test_so_it_is_when_it_was_in_a_transaction(self) -> None:
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(self.message, transaction="t")
        self.pass_by(5)
        self.bob.says("ABORT", transaction="t")
        self.assertEqual(self.dropped, [])
        self.bob.hangs_up()
        self.pass_by(2)
        self.assertEqual(self.dropped, [(b"1", "expired")])
        self.nothing_is_kept()

    def test_while_it_waits_for_its_next_delivery_it_expires(self) -> None:
        self.open(redelivery_delay=3.0)
        bob = self.consumer(ack="client-individual")
        self.send("1", ttl="1000")
        bob.nacks(bob.hears("MESSAGE"))
        self.pass_by(5)
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.dropped, [(b"1", "expired")])
        bob.hangs_up()
        self.nothing_is_kept()


class TopicTests(Conversations):
    def test_what_waits_for_a_slow_listener_is_passed_over(self) -> None:
        bob = self.consumer("/topic/t", ack="client-individual", prefetch_count="1")
        self.send("1", destination="/topic/t")
        self.send("2", destination="/topic/t", ttl="1000")
        self.send("3", destination="/topic/t")
        self.pass_by(5)
        bob.acks(bob.hears("MESSAGE"))
        self.assertEqual(bob.hears_bodies(), [b"3"])

    def test_so_is_what_was_refused(self) -> None:
        self.open(nack_delay=5.0)
        bob = self.consumer("/topic/t", ack="client-individual", prefetch_count="1")
        self.send("1", destination="/topic/t", ttl="1000")
        bob.nacks(bob.hears("MESSAGE"))
        self.pass_by(10)
        self.assertTrue(bob.hears_nothing())
        self.send("2", destination="/topic/t")
        self.assertEqual(bob.hears_bodies(), [b"2"])


class TransactionTests(Conversations):
    def test_what_is_over_by_commit_is_not_delivered(self) -> None:
        bob, listener = self.consumer(), self.consumer("/topic/t")
        self.ann.says("BEGIN", transaction="t")
        for destination in ("/queue/a", "/topic/t"):
            self.send("1", destination=destination, ttl="1000", transaction="t")
            self.send("2", destination=destination, transaction="t")
        self.pass_by(5)
        self.ann.says("COMMIT", transaction="t")
        self.assertEqual((bob.hears_bodies(), listener.hears_bodies()), ([b"2"], [b"2"]))


class OnFileTests(OnFile):
    """The same with an engine that stores, and messages that persist."""

    persistent = "true"
    broker: Any

    def tearDown(self) -> None:
        self.broker.clock.advance(0)
        if not self.broker.engine._lanes:
            assert self.broker.engine.stored_octets == 0


class HeaderOnFileTests(OnFileTests, HeaderTests):
    pass


class PolicyOnFileTests(OnFileTests, PolicyTests):
    pass


class UpkeepOnFileTests(OnFileTests, UpkeepTests):
    pass


class InFlightOnFileTests(OnFileTests, InFlightTests):
    pass


class TransactionOnFileTests(OnFileTests, TransactionTests):
    pass


class RestartTests(OnFile, Conversations):
    persistent = "true"

    def test_they_expire_while_the_broker_is_down(self) -> None:
        self.send("1", ttl="5000")
        self.send("2", ttl="60000")
        self.ann.everything()
        expires = str(self.ms(60))
        self.broker.factory.stopFactory()
        self.broker.dies()
        self.broker.clock.advance(10)
        self.broker = self.broker.again()
        self.addCleanup(self.broker.dies)
        bob = self.consumer()
        message = bob.hears("MESSAGE")
        self.assertEqual((message.body, message.headers["expires"]), (b"2", expires))
        self.assertTrue(bob.hears_nothing())

    def test_they_expire_in_a_file_that_nobody_reads(self) -> None:
        self.send(*map(str, range(20)), ttl="5000")
        self.ann.everything()
        self.broker.factory.stopFactory()
        self.broker = self.restart(self.broker)
        self.broker.factory.startFactory()
        self.pass_by(7)
        self.nothing_is_kept()
        self.assertEqual((self.broker.rows(), self.broker.rows("queue")), (0, 0))
        self.assertEqual(self.broker.engine.stored_octets, 0)

    def test_as_a_dead_letter_it_is_there_after_a_kill(self) -> None:
        self.open(expired="dead-letter")
        self.send("1", ttl="1000")
        self.pass_by(3)
        self.broker.factory.stopFactory()
        self.broker = self.restart(self.broker)
        self.assertTrue(self.consumer().hears_nothing())
        self.assertEqual(self.consumer("/queue/DLQ.a").hears_bodies(), [b"1"])
