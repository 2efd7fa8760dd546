"""Dead letters: what becomes of messages that nobody will get any more, and what they say of themselves."""

from __future__ import annotations

from stomp_tx.broker.policy import Policy
from tests.broker.destinations.test_destination import send
from tests.broker.destinations.test_nack import Conversations
from tests.broker.on_file import OnFile
from tests.conversation import Client


class Letters(Conversations):
    """What the tests below have in common."""

    def rejected(self, destination: str = "/queue/a", body: str = "1", **headers: str) -> None:
        """A message was sent there, and was refused for good."""
        bob = self.consumer(destination)
        self.send(body, destination=destination, **headers)
        bob.nacks(bob.hears("MESSAGE"), requeue="false", receipt="r")
        bob.hears("RECEIPT")
        bob.hangs_up()


class HeaderTests(Letters):
    """They say why, from where, how often and when."""

    def test_all_of_it(self) -> None:
        self.broker.clock.advance(7)
        self.rejected(colour="red", **{"content-type": "text/plain"})
        (letter,) = self.letters()
        self.assertEqual(letter.body, b"1")
        expected = {
            "destination": "/queue/DLQ.a",
            "dead-letter-reason": "rejected",
            "dead-letter-destination": "/queue/a",
            "dead-letter-attempts": "1",
            "dead-letter-time": str(int(self.broker.now() * 1000)),
            "original-destination": "/queue/a",
            "_AMQ_ORIG_ADDRESS": "a",
            "_AMQ_ORIG_QUEUE": "a",
            "colour": "red",
            "content-type": "text/plain",
        }
        self.assertEqual({name: letter.headers.get(name) for name in expected}, expected)
        self.assertNotIn("redelivered", letter.headers)
        self.assertNotIn("original-expires", letter.headers)

    def test_nobody_else_says_them(self) -> None:
        self.rejected(**{name: "x" for name in ("original-expires", "dead-letter-time")})
        (letter,) = self.letters()
        self.assertNotIn("original-expires", letter.headers)
        self.assertNotIn("x", letter.headers.values())

    def test_the_original_s_message_id(self) -> None:
        bob = self.consumer()
        self.send("1")
        message = bob.hears("MESSAGE")
        bob.nacks(message, requeue="false")
        self.assertEqual(self.letters()[0].headers["_AMQ_ORIG_MESSAGE_ID"], message.headers["message-id"])

    def test_times_are_those_of_the_original(self) -> None:
        expires = str(int((self.broker.now() + 60) * 1000))
        self.rejected(ttl="60000")
        (letter,) = self.letters()
        self.assertEqual(letter.headers["original-expires"], expires)
        for name in ("expires", "ttl", "expiration"):
            self.assertNotIn(name, letter.headers)
        self.broker.clock.advance(1000)
        self.assertEqual(len(self.letters()), 1)

    def test_a_name_without_a_prefix_is_told_as_it_was_written(self) -> None:
        self.rejected("orders")
        (letter,) = self.letters("/queue/DLQ.orders")
        self.assertEqual(letter.headers["dead-letter-destination"], "orders")
        self.assertEqual(letter.headers["_AMQ_ORIG_QUEUE"], "orders")

    def test_what_a_producer_wrote_in_these_headers_is_not_believed(self) -> None:
        self.rejected(
            **{"dead-letter-reason": "love", "dead-letter-attempts": "99", "original-destination": "x"}
        )
        (letter,) = self.letters()
        self.assertEqual(letter.headers["dead-letter-reason"], "rejected")
        self.assertEqual(letter.headers["dead-letter-attempts"], "1")
        self.assertEqual(letter.headers["original-destination"], "/queue/a")

    def test_of_a_durable_subscription_the_topic_is_told(self) -> None:
        bob = self.consumer("/topic/t", durable_subscription="d")
        self.send("1", destination="/topic/t")
        bob.nacks(bob.hears("MESSAGE"), requeue="false")
        (letter,) = self.letters("/queue/DLQ.t")
        self.assertEqual(letter.headers["dead-letter-destination"], "/topic/t")
        self.assertEqual(letter.headers["_AMQ_ORIG_ADDRESS"], "t")


class PlaceTests(Letters):
    """Where they go."""

    def test_a_star_is_the_destination_s_name(self) -> None:
        for pattern, destination, queue in (
            ("/queue/DLQ.*", "/queue/a/b.c", "/queue/DLQ.a/b.c"),
            ("/queue/failed", "/queue/a", "/queue/failed"),
            ("/queue/*.failed", "/queue/a", "/queue/a.failed"),
            ("/queue/DLQ.*", "/topic/a", "/queue/DLQ.a"),
        ):
            self.open(dead_letter=pattern)
            self.rejected(destination)
            self.assertEqual([letter.body for letter in self.letters(queue)], [b"1"], pattern)

    def test_each_destination_has_its_own_or_none(self) -> None:
        self.open(
            patterns={
                "/queue/orders.*": Policy(dead_letter="/queue/orders-failed"),
                "/queue/logs": Policy(dead_letter=""),
            }
        )
        for destination in ("/queue/orders.de", "/queue/orders.fr", "/queue/logs", "/queue/rest"):
            self.rejected(destination, body=destination)
        self.assertEqual(
            [letter.body for letter in self.letters("/queue/orders-failed")],
            [b"/queue/orders.de", b"/queue/orders.fr"],
        )
        self.assertEqual(len(self.letters("/queue/DLQ.rest")), 1)
        self.assertEqual(self.letters("/queue/DLQ.logs"), [])
        self.assertEqual(self.dropped, [(b"/queue/logs", "rejected")])

    def test_a_very_long_name_has_a_queue_that_can_be_subscribed_to(self) -> None:
        name = "x" * 1017
        self.rejected(f"/queue/{name}")
        (queue,) = [name for name in self.broker.engine._lanes if "DLQ" in name]
        self.assertEqual(len(self.letters(queue)), 1)

    def test_who_waits_there_gets_it_at_once(self) -> None:
        dan = self.consumer("/queue/DLQ.a")
        self.rejected()
        self.assertEqual(dan.hears("MESSAGE").body, b"1")

    def test_one_message_may_make_several_and_each_is_its_own(self) -> None:
        for version in ("1.1", "1.2"):
            self.open()
            bob, cid = self.two_durable_ones()
            self.send("x", destination="/topic/t")
            for client in (bob, cid):
                client.nacks(client.hears("MESSAGE"), requeue="false")
            dan = self.consumer("/queue/DLQ.t", version=version)
            letters = dan.everything()
            self.assertEqual(len({letter.headers["message-id"] for letter in letters}), 2)
            for letter in letters:
                dan.nacks(letter)
            self.broker.clock.advance(1)
            letters = dan.everything()
            self.assertEqual([letter.body for letter in letters], [b"x", b"x"])
            for letter in letters:
                dan.acks(letter)
            dan.hangs_up()
            self.assertEqual(self.letters("/queue/DLQ.t"), [])
            self.assertEqual(self.broker.engine.octets, 0)

    def two_durable_ones(self) -> tuple[Client, Client]:
        return (
            self.consumer("/topic/t", durable_subscription="b"),
            self.consumer("/topic/t", durable_subscription="c"),
        )


class NoLoopTests(Letters):
    """A dead letter has nowhere to go."""

    def test_refused_it_comes_back_for_ever(self) -> None:
        self.open(attempts=2)
        self.rejected()
        dan = self.consumer("/queue/DLQ.a")
        self.assertEqual(self.refuse(dan, 30), 30)
        self.assertEqual(list(self.broker.engine._lanes), ["/queue/DLQ.a"])

    def test_whatever_the_policy_of_its_queue_says(self) -> None:
        for policy in (
            Policy(attempts=1, nack="dead-letter", dead_letter="/queue/DLQ.*"),
            Policy(nack="drop"),
            Policy(attempts_lost=1, dead_letter="/queue/a"),
        ):
            self.open(patterns={"/queue/DLQ.>": policy})
            self.rejected()
            dan = self.consumer("/queue/DLQ.a")
            self.assertEqual(self.refuse(dan, 3), 3, policy)
            dan.hangs_up()
            self.assertEqual(len(self.letters()), 1)

    def test_a_queue_that_is_its_own_is_no_loop(self) -> None:
        self.open(dead_letter="/queue/a", attempts=2)
        bob = self.consumer()
        self.send("1")
        self.assertEqual(self.refuse(bob, 10), 10)
        bob.hangs_up()
        (letter,) = self.letters("/queue/a")
        self.assertEqual(letter.headers["dead-letter-attempts"], "2")

    def test_requeue_false_ends_it(self) -> None:
        self.rejected()
        dan = self.consumer("/queue/DLQ.a")
        dan.nacks(dan.hears("MESSAGE"), requeue="false")
        self.assertEqual(self.letters(), [])
        self.assertEqual(self.dropped, [(b"1", "rejected")])

    def test_sent_again_with_all_its_headers_it_is_a_message_like_any_other(self) -> None:
        """So tools move them back: the broker's own words of the last time don't count."""
        self.open(attempts=2)
        self.rejected()
        (letter,) = self.letters()
        headers = {**letter.headers, "destination": "/queue/a"}
        self.ann.says("SEND", headers, letter.body)
        bob = self.consumer()
        self.assertEqual(self.refuse(bob, 10), 2)
        self.assertEqual([one.headers["dead-letter-attempts"] for one in self.letters()], ["1", "2"])


class TransactionTests(Letters):
    def test_with_what_is_sent_and_acknowledged_all_or_nothing(self) -> None:
        bob, cid = self.consumer(), self.consumer("/queue/out")
        self.send("1", "2", "3")
        one, two, three = bob.everything()
        for ending in ("ABORT", "COMMIT"):
            self.assertEqual(self.letters(), [])
            self.assertTrue(cid.hears_nothing())
            bob.says("BEGIN", transaction="t")
            bob.acks(one, transaction="t")
            bob.nacks(two, transaction="t", requeue="false")
            send(bob, "/queue/out", "done", transaction="t", persistent="true")
            bob.nacks(three, transaction="t", requeue="false")
            bob.says(ending, transaction="t", receipt=ending)
            self.assertEqual(bob.hears("RECEIPT").headers["receipt-id"], ending)
        self.assertEqual([letter.body for letter in self.letters()], [b"2", b"3"])
        self.assertEqual(cid.hears_bodies(), [b"done"])


class HeaderOnFileTests(OnFile, HeaderTests):
    """The same with an engine that stores."""


class PlaceOnFileTests(OnFile, PlaceTests):
    """The same with an engine that stores."""


class NoLoopOnFileTests(OnFile, NoLoopTests):
    """The same with an engine that stores."""


class TransactionOnFileTests(OnFile, TransactionTests):
    """The same with an engine that stores."""


class DurabilityTests(OnFile, Letters):
    """Persistent it stays persistent, and is never in two places, nor in none."""

    def test_of_a_persistent_message_it_is_persistent_and_of_another_not(self) -> None:
        self.rejected()
        self.rejected("/queue/b", persistent="false")
        self.broker = self.restart(self.broker)
        self.assertEqual(len(self.letters()), 1)
        self.assertEqual(self.letters("/queue/DLQ.b"), [])

    def test_it_moves_in_one_commit(self) -> None:
        for done in (False, True):
            self.open()
            bob, dan = self.consumer(), self.consumer("/queue/DLQ.a")
            self.send("1")
            message = bob.hears("MESSAGE")
            self.broker.disk.held = True
            bob.nacks(message, requeue="false", receipt="r")
            self.assertTrue(bob.hears_nothing() and dan.hears_nothing())
            if done:
                self.broker.disk.goes_on()
                self.assertEqual((bob.hears("RECEIPT").command, dan.hears_bodies()), ("RECEIPT", [b"1"]))
            self.broker = self.restart(self.broker)
            self.assertEqual(self.broker.rows(), 1)
            self.assertEqual(len(self.letters()), 1 if done else 0)
            self.assertEqual(len(self.letters("/queue/a")), 0 if done else 1)

    def test_one_that_could_not_be_written_is_none_and_the_message_comes_again(self) -> None:
        bob, dan = self.consumer(), self.consumer("/queue/DLQ.a")
        self.send("1")
        message = bob.hears("MESSAGE")
        self.broker.disk.full = True
        bob.nacks(message, requeue="false", receipt="r")
        errors = [frame for frame in bob.everything() if frame.command == "ERROR"]
        self.assertEqual([error.headers["receipt-id"] for error in errors], ["r"])
        self.broker.disk.full = False
        bob.hangs_up()
        self.assertTrue(dan.hears_nothing())
        again = self.consumer().hears("MESSAGE")
        self.assertEqual((again.body, again.headers["redelivered"]), (b"1", "true"))
