"""Redelivery: when a message that was refused, or lost with its consumer, comes again, and how often."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Dropped
from stomp_tx.broker.policy import Policy
from stomp_tx.wire.frame import Frame
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Conversations(InMemory, SynchronousTestCase):
    """What the tests below have in common."""

    def setUp(self) -> None:
        self.open()

    def open(self, **settings: Any) -> None:
        """A broker with these settings, and ann."""
        self.broker: Any = self.make_broker(**settings)
        self.ann = self.broker.connect()
        self.dropped: list[tuple[bytes, str]] = []
        self.broker.factory.events.observe(
            Dropped, lambda event: self.dropped.append((event.message.body, event.why))
        )

    def send(self, *bodies: str, destination: str = "/queue/a", **headers: str) -> None:
        send(self.ann, destination, *bodies, **{"persistent": "true", **headers})

    def consumer(
        self,
        destination: str = "/queue/a",
        ack: str = "client-individual",
        version: str = "1.2",
        **headers: str,
    ) -> Client:
        client: Client = self.broker.connect(version)
        client.subscribes(destination, ack=ack, **headers)
        return client

    def letters(self, queue: str = "/queue/DLQ.a") -> list[Frame]:
        """What is in the queue of dead letters; it stays there."""
        client = self.broker.connect()
        client.subscribes(queue, ack="client")
        found: list[Frame] = client.everything()
        client.hangs_up()
        return found

    def refuse(self, client: Client, most: int = 50) -> int:
        """Refuse what comes as often as it comes; gives how often that was."""
        for count in range(most):
            heard = client.everything()
            if not heard:
                return count
            client.nacks(heard[0])
            self.broker.clock.advance(60)
        return most

    def wait_times(self, client: Client, count: int, step: float = 0.25) -> list[float]:
        """Refuse what comes; gives after how many seconds it came again, each time."""
        found = []
        for _ in range(count):
            client.nacks(client.hears("MESSAGE"))
            waited = 0.0
            while client.hears_nothing():
                self.broker.clock.advance(step)
                waited += step
                self.assertLess(waited, 1000, "it does not come again")
            found.append(waited)
        return found


class AttemptsTests(Conversations):
    """After so many deliveries a message that is refused is a dead letter."""

    def test_so_often_and_no_more(self) -> None:
        for attempts in (1, 2, 5):
            self.open(attempts=attempts)
            bob = self.consumer()
            self.send("1")
            self.assertEqual(self.refuse(bob), attempts)
            (letter,) = self.letters()
            self.assertEqual(letter.headers["dead-letter-reason"], "attempts")
            self.assertEqual(letter.headers["dead-letter-attempts"], str(attempts))

    def test_ten_where_nobody_says_otherwise(self) -> None:
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.refuse(bob), 10)

    def test_zero_is_any_number(self) -> None:
        self.open(attempts=0)
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.refuse(bob, 50), 50)
        self.assertEqual(self.letters(), [])

    def test_each_delivery_says_how_many_there_were(self) -> None:
        for version in ("1.1", "1.2"):
            self.open()
            bob = self.consumer(version=version)
            self.send("1")
            told = []
            for _ in range(4):
                message = bob.hears("MESSAGE")
                told.append((message.headers.get("redelivered"), message.headers.get("redelivery-count")))
                bob.nacks(message)
                self.broker.clock.advance(60)
            self.assertEqual(told, [(None, None), ("true", "1"), ("true", "2"), ("true", "3")])

    def test_all_consumers_together(self) -> None:
        self.open(attempts=4)
        bob, cid = self.consumer(), self.consumer()
        self.send("1")
        for client in (bob, cid, bob, cid):
            client.nacks(client.hears("MESSAGE"))
        self.broker.clock.advance(60)
        self.assertTrue(bob.hears_nothing() and cid.hears_nothing())
        self.assertEqual(len(self.letters()), 1)

    def test_a_cumulative_nack_counts_for_all_it_covers(self) -> None:
        self.open(attempts=2)
        bob = self.consumer(ack="client")
        self.send("1", "2", "3")
        bob.nacks(bob.everything()[2])
        self.broker.clock.advance(1)
        again = bob.everything()
        self.assertEqual([frame.headers["redelivery-count"] for frame in again], ["1"] * 3)
        bob.nacks(again[1])
        self.assertEqual([frame.body for frame in self.letters()], [b"1", b"2"])

    def test_each_destination_has_its_own(self) -> None:
        self.open(patterns={"/queue/b.*": Policy(attempts=1)})
        bob = self.consumer("/queue/b.x")
        self.send("1", destination="/queue/b.x")
        self.assertEqual(self.refuse(bob), 1)
        self.assertEqual(len(self.letters("/queue/DLQ.b.x")), 1)

    def test_at_a_topic_too(self) -> None:
        self.open(attempts=3)
        for headers in ({}, {"durable_subscription": "d"}):
            bob = self.consumer("/topic/t", **headers)
            self.send("1", destination="/topic/t")
            self.assertEqual(self.refuse(bob), 3)
            bob.hangs_up()
        letters = self.letters("/queue/DLQ.t")
        self.assertEqual([letter.body for letter in letters], [b"1", b"1"])
        self.assertEqual({letter.headers["dead-letter-destination"] for letter in letters}, {"/topic/t"})

    def test_nothing_is_left_of_it(self) -> None:
        self.open(attempts=2, dead_letter="")
        bob = self.consumer()
        self.send(*map(str, range(20)))
        for _ in range(2):
            for message in bob.everything():
                bob.nacks(message)
            self.broker.clock.advance(60)
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(self.dropped, [(b"%d" % number, "attempts") for number in range(20)])
        bob.hangs_up()
        self.assertEqual(self.broker.engine.octets, 0)
        self.assertEqual(self.broker.engine._lanes, {})


class LostTests(Conversations):
    """A message whose consumer left without a word."""

    def lose(self, most: int = 50, **headers: str) -> int:
        """Consumers come, get it and go; gives how many got it."""
        for count in range(most):
            client = self.consumer(**headers)
            if client.hears_nothing():
                return count
            client.hangs_up()
        return most

    def test_it_comes_at_once_and_for_ever(self) -> None:
        self.send("1")
        self.assertEqual(self.lose(50), 50)
        self.assertEqual(self.consumer().hears("MESSAGE").headers["redelivery-count"], "50")

    def test_or_as_often_as_the_policy_says(self) -> None:
        self.open(attempts_lost=3)
        self.send("1")
        self.assertEqual(self.lose(), 3)
        (letter,) = self.letters()
        self.assertEqual(letter.headers["dead-letter-reason"], "attempts")
        self.assertEqual(letter.headers["dead-letter-attempts"], "3")

    def test_unsubscribing_is_leaving(self) -> None:
        self.open(attempts_lost=2)
        self.send("1")
        bob = self.broker.connect()
        for _ in range(2):
            bob.subscribes("/queue/a", ack="client")
            bob.hears("MESSAGE")
            bob.says("UNSUBSCRIBE", id="1")
        self.assertEqual(len(self.letters()), 1)

    def test_in_1_0_that_has_no_nack_it_is_the_only_way(self) -> None:
        self.open(attempts_lost=2)
        self.send("1")
        self.assertEqual(self.lose(version="1.0", ack="client"), 2)

    def test_lost_ones_count_when_it_is_refused(self) -> None:
        self.open(attempts=5)
        self.send("1")
        self.assertEqual(self.lose(7), 7)
        bob = self.consumer()
        self.assertEqual(self.refuse(bob), 1)
        self.assertEqual(self.letters()[0].headers["dead-letter-attempts"], "8")

    def test_what_reached_nobody_does_not_count(self) -> None:
        """It was on its way to one whose connection was full, or had gone."""
        bob = self.consumer(prefetch_count="1")
        self.send("1", "2", "3")
        bob.hears("MESSAGE")
        bob.hangs_up()
        counts = [frame.headers.get("redelivery-count") for frame in self.consumer().everything()]
        self.assertEqual(counts, ["1", None, None])

    def test_they_come_in_their_order_before_newer_ones(self) -> None:
        bob = self.consumer(prefetch_count="2")
        self.send("1", "2", "3", "4")
        _, two = bob.everything()
        bob.nacks(two)
        bob.hangs_up()
        self.assertEqual([frame.body for frame in self.consumer().everything()], [b"1", b"2", b"3", b"4"])


class DelayTests(Conversations):
    """How long it waits."""

    def test_nobody_gets_it_before_and_each_time_it_takes_longer(self) -> None:
        self.open(redelivery_delay=1.0, redelivery_multiplier=3.0, redelivery_delay_max=10.0, attempts=0)
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.wait_times(bob, 5), [1.0, 3.0, 9.0, 10.0, 10.0])

    def test_another_one_does_not_get_it_either(self) -> None:
        self.open(redelivery_delay=5.0)
        bob, cid = self.consumer(), self.consumer()
        self.send("1")
        bob.nacks(bob.hears("MESSAGE"))
        dan = self.consumer()
        self.broker.clock.advance(4.9)
        for client in (bob, cid, dan):
            self.assertTrue(client.hears_nothing())
        self.broker.clock.advance(0.2)
        self.assertEqual(sum(len(client.everything()) for client in (bob, cid, dan)), 1)

    def test_nor_one_who_comes_when_the_only_one_has_left(self) -> None:
        self.open(redelivery_delay=5.0)
        bob = self.consumer()
        self.send("1")
        bob.nacks(bob.hears("MESSAGE"))
        bob.hangs_up()
        cid = self.consumer()
        self.assertTrue(cid.hears_nothing())
        self.broker.clock.advance(4.9)
        self.assertTrue(cid.hears_nothing())
        self.broker.clock.advance(0.2)
        self.assertEqual(cid.hears_bodies(), [b"1"])

    def test_a_delay_that_nobody_waits_for_ends(self) -> None:
        self.open(redelivery_delay=5.0)
        bob = self.consumer()
        self.send("1")
        bob.nacks(bob.hears("MESSAGE"))
        bob.hangs_up()
        self.ann.hangs_up()
        self.broker.clock.advance(60)
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])
        self.ann = self.broker.connect()
        self.send("2")
        self.assertEqual([frame.body for frame in self.consumer().everything()], [b"1", b"2"])

    def test_nack_delay_is_for_who_refused_it(self) -> None:
        self.open(nack_delay=2.0, redelivery_multiplier=1.0)
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.wait_times(bob, 2), [2.0, 2.0])
        bob.nacks(bob.hears("MESSAGE"))
        self.assertEqual(self.consumer().hears("MESSAGE").headers["redelivery-count"], "3")

    def test_others_are_delivered_meanwhile_and_then_it_comes_first(self) -> None:
        self.open(redelivery_delay=5.0)
        bob = self.consumer(prefetch_count="1")
        self.send("1", "2", "3", "4")
        bob.nacks(bob.hears("MESSAGE"))
        two = bob.hears("MESSAGE")
        self.broker.clock.advance(6)
        bob.acks(two)
        heard = []
        while not bob.hears_nothing():
            message = bob.hears("MESSAGE")
            heard.append(message.body)
            bob.acks(message)
        self.assertEqual(heard, [b"1", b"3", b"4"])

    def test_those_that_are_due_come_in_their_order(self) -> None:
        self.open(redelivery_delay=5.0)
        bob = self.consumer()
        self.send("1", "2", "3")
        for message in reversed(bob.everything()):
            bob.nacks(message)
        self.broker.clock.advance(6)
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3"])

    def test_each_waits_its_own_time(self) -> None:
        self.open(redelivery_delay=4.0)
        bob = self.consumer()
        self.send("1", "2")
        one, two = bob.everything()
        bob.nacks(two)
        self.broker.clock.advance(2)
        bob.nacks(one)
        self.broker.clock.advance(2.1)
        self.assertEqual(bob.hears_bodies(), [b"2"])
        self.broker.clock.advance(2)
        self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_a_consumer_who_refuses_everything_starves_nobody(self) -> None:
        bob, cid = self.consumer(prefetch_count="1"), self.consumer()
        self.send(*map(str, range(10)))
        for _ in range(20):
            for message in bob.everything():
                bob.nacks(message)
        bob.hangs_up()
        bodies = sorted(frame.body for frame in cid.everything())
        self.assertEqual(bodies, [b"%d" % number for number in range(10)])


class TermsTests(Conversations):
    """What a SUBSCRIBE asks for, within the bounds of the policy."""

    def test_fewer_attempts(self) -> None:
        self.send("1")
        self.assertEqual(self.refuse(self.consumer(redelivery_attempts="3")), 3)

    def test_but_not_more_and_not_any_number(self) -> None:
        for wanted in ("0", "20"):
            self.open(attempts=4)
            self.send("1")
            self.assertEqual(self.refuse(self.consumer(redelivery_attempts=wanted)), 4, wanted)

    def test_any_number_may_be_bounded(self) -> None:
        self.open(attempts=0)
        self.send("1")
        self.assertEqual(self.refuse(self.consumer(redelivery_attempts="12")), 12)

    def test_a_delay_of_its_own(self) -> None:
        self.open(redelivery_delay_max=30.0)
        self.send("1")
        bob = self.consumer(redelivery_delay="2000", redelivery_multiplier="2", redelivery_delay_max="5000")
        self.assertEqual(self.wait_times(bob, 4), [2.0, 4.0, 5.0, 5.0])

    def test_up_to_the_most_there_is(self) -> None:
        self.open(redelivery_delay_max=3.0)
        self.send("1")
        bob = self.consumer(redelivery_delay="60000", redelivery_delay_max="600000")
        self.assertEqual(self.wait_times(bob, 2), [3.0, 3.0])

    def test_each_subscription_has_its_own(self) -> None:
        bob, cid = self.consumer(redelivery_attempts="1"), self.consumer(redelivery_attempts="9")
        self.send("1", "2")
        bob.nacks(bob.hears("MESSAGE"))
        cid.nacks(cid.hears("MESSAGE"))
        self.assertEqual([frame.body for frame in self.letters()], [b"1"])
        self.assertEqual(bob.hears_bodies(), [b"2"])

    def test_what_is_no_number_is_refused(self) -> None:
        for name in (
            "redelivery-attempts",
            "redelivery-delay",
            "redelivery-multiplier",
            "redelivery-delay-max",
        ):
            for value in ("", "-1", "1.5", "x"):
                bob = self.broker.connect()
                bob.subscribes("/queue/a", **{name: value})
                bob.fails(f"malformed {name} header")


class NackTests(Conversations):
    """What NACK does, by policy and by its own header."""

    def test_a_dead_letter_at_once(self) -> None:
        self.open(nack="dead-letter")
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.refuse(bob), 1)
        self.assertEqual(self.letters()[0].headers["dead-letter-reason"], "rejected")

    def test_or_gone_at_once(self) -> None:
        self.open(nack="drop")
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.refuse(bob), 1)
        self.assertEqual(self.letters(), [])
        self.assertEqual(self.dropped, [(b"1", "rejected")])

    def test_requeue_false_is_a_dead_letter_at_once(self) -> None:
        for version in ("1.1", "1.2"):
            self.open()
            bob = self.consumer(version=version)
            self.send("1", "2")
            one, two = bob.everything()
            bob.nacks(one, requeue="false", receipt="r")
            bob.hears("RECEIPT")
            bob.nacks(two, requeue="true")
            (letter,) = self.letters()
            self.assertEqual((letter.body, letter.headers["dead-letter-reason"]), (b"1", "rejected"))
            self.assertEqual(letter.headers["dead-letter-attempts"], "1")

    def test_in_a_transaction_it_counts_from_commit_on(self) -> None:
        for nack, letters in (("dead-letter", 2), ("drop", 0)):
            self.open(nack=nack)
            bob = self.consumer()
            self.send("1", "2")
            messages = bob.everything()
            for ending in ("ABORT", "COMMIT"):
                self.assertEqual((self.letters(), self.dropped), ([], []))
                bob.says("BEGIN", transaction="t")
                for message in messages:
                    bob.nacks(message, transaction="t")
                bob.says(ending, transaction="t", receipt=ending)
                bob.hears("RECEIPT")
            self.assertEqual((len(self.letters()), len(self.dropped)), (letters, 2 - letters))

    def test_a_lost_consumer_is_no_nack(self) -> None:
        self.open(nack="drop")
        self.send("1")
        bob = self.consumer()
        bob.hears("MESSAGE")
        bob.hangs_up()
        self.assertEqual(self.consumer().hears("MESSAGE").body, b"1")


class AttemptsOnFileTests(OnFile, AttemptsTests):
    """The same with an engine that stores."""


class LostOnFileTests(OnFile, LostTests):
    """The same with an engine that stores."""


class DelayOnFileTests(OnFile, DelayTests):
    """The same with an engine that stores."""


class NackOnFileTests(OnFile, NackTests):
    """The same with an engine that stores."""


class RestartTests(OnFile, Conversations):
    def test_counts_outlive_the_broker(self) -> None:
        self.open(attempts=6)
        bob = self.consumer()
        self.send("1")
        for _ in range(3):
            bob.nacks(bob.hears("MESSAGE"), receipt="r")
            bob.hears("RECEIPT")
            self.broker.clock.advance(60)
        bob.everything()
        self.broker = self.restart(self.broker)
        bob = self.consumer()
        message = bob.hears("MESSAGE")
        self.assertEqual(message.headers["redelivery-count"], "3")
        bob.nacks(message)
        self.broker.clock.advance(60)
        self.assertEqual(self.refuse(bob), 2)
        self.assertEqual(self.letters()[0].headers["dead-letter-attempts"], "6")

    def test_who_subscribes_while_it_is_written_gets_it_when_the_file_says_so(self) -> None:
        """Killed after that, it comes with redelivered:true."""
        for steps in range(1, 5):
            self.open()
            self.broker.disk.held = True
            self.send("1")
            self.broker.turn()
            bob = self.consumer()
            for _ in range(steps):
                self.broker.turn()
                self.broker.disk.step()
            heard = bob.hears_bodies()
            self.assertEqual(heard, [b"1"] if steps > 1 else [])
            self.broker = self.restart(self.broker)
            again = self.consumer().hears("MESSAGE")
            self.assertEqual(again.headers.get("redelivered"), "true" if heard else None, steps)

    def test_so_they_do_in_an_orderly_stop(self) -> None:
        bob = self.consumer(prefetch_count="1")
        self.send("1", "2", "3")
        bob.nacks(bob.hears("MESSAGE"))
        self.broker.stops()
        self.broker = self.broker.again()
        self.addCleanup(self.broker.dies)
        counts = [frame.headers.get("redelivery-count") for frame in self.consumer().everything()]
        self.assertEqual(counts, ["1", "1", None])

    def test_so_they_do_though_the_disk_was_full(self) -> None:
        """What may have been delivered before comes with redelivered:true (docs/durability.md)."""
        for command in ("ACK", "NACK", "nothing"):
            self.open()
            bob = self.consumer()
            self.send("1")
            message = bob.hears("MESSAGE")
            self.broker.disk.full = True
            if command == "nothing":
                bob.hangs_up()
            else:
                bob.acks(message, command)
                while (frame := bob.everything().pop()).command != "ERROR":
                    self.assertEqual(frame.body, b"1")
                bob.hangs_up()
            self.broker.turn()
            self.broker.disk.full = False
            self.broker.stops()
            self.broker = self.broker.again()
            self.addCleanup(self.broker.dies)
            self.assertEqual(self.consumer().hears("MESSAGE").headers.get("redelivered"), "true", command)
