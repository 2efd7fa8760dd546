"""What has expired by the time it arrives: nobody gets it, and that is told."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations.expiry import EVERY
from stomp_tx.broker.events import Dropped, ExpiredOnArrival, Sent
from stomp_tx.broker.policy import Policy
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client

SECONDS = "1700000000"
"""What PHP's time() gives, where milliseconds are asked for."""


class Expiry(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.open()

    def open(self, **settings: Any) -> None:
        """A broker, in whose time ``SECONDS`` is now."""
        self.logged: list[Any] = []
        self.told: list[ExpiredOnArrival] = []
        self.dropped: list[str] = []
        self.sent: list[bytes] = []
        log = Logger(namespace="test", observer=self.logged.append)
        self.watch(self.make_broker(factory={"log": log}, **settings))
        self.broker.clock.advance(1_700_000_000 - self.broker.now())
        self.broker.factory.startFactory()
        self.addCleanup(self.broker.factory.stopFactory)

    def watch(self, broker: Any) -> None:
        self.broker = broker
        observe = broker.factory.events.observe
        observe(ExpiredOnArrival, self.told.append)
        observe(Dropped, lambda event: self.dropped.append(event.message.address))
        observe(Sent, lambda event: self.sent.append(event.message.body))
        self.ann: Client = broker.connect()

    def ms(self, seconds: float) -> str:
        return str(int((self.broker.now() + seconds) * 1000))

    def send(self, *bodies: str, destination: str = "/queue/a", **headers: str) -> None:
        """Send them, which are receipted."""
        for body in bodies:
            said = {"persistent": self.persistent, "receipt": body, **headers}
            send(self.ann, destination, body, **said)
            self.assertEqual(self.ann.hears("RECEIPT").headers["receipt-id"], body)

    def say(self, body: str, headers: dict[str, str]) -> None:
        """The same by the very names of the headers."""
        said = {"destination": "/queue/a", "persistent": self.persistent, "receipt": body, **headers}
        self.ann.says("SEND", said, body.encode())
        self.ann.hears("RECEIPT")

    def lines(self) -> list[str]:
        """What the log says of them, which is no more than a line each."""
        found = [formatEvent(event) for event in self.logged]
        found = [text for text in found if "had expired when it arrived" in text]
        for text in found:
            self.assertTrue(text.isprintable(), ascii(text))
        return found

    def line(self) -> str:
        (found,) = self.lines()
        return found

    def waits_in(self, queue: str) -> list[bytes]:
        self.broker.clock.advance(0)
        return list(self.broker.waiting(queue))

    def is_told(self, destination: str, header: str = "expires", value: str = SECONDS) -> None:
        """One event, for what was sent there."""
        (event,) = self.told
        self.assertEqual((event.message.destination, event.header, event.value), (destination, header, value))
        self.told.clear()

    # -- how it is told -----------------------------------------------------------------------------------

    def test_seconds_instead_of_milliseconds(self) -> None:
        self.send("1", expires=SECONDS)
        self.is_told("/queue/a")
        text = self.line()
        self.assertIn("/queue/a", text)
        self.assertIn("was dropped", text)
        self.assertIn(f"expires:{SECONDS} is 1970-01-20 16:13:20 UTC", text)
        self.assertIn("milliseconds since 1970", text)
        self.assertIn("time() * 1000", text)
        self.assertEqual(self.dropped, ["/queue/a"])
        self.assertEqual(self.sent, [])

    def test_more_than_a_day_ago(self) -> None:
        expires = self.ms(-25 * 3600)
        self.send("1", expires=expires)
        self.assertIn(f"expires:{expires} is 2023-11-13 21:13:20 UTC", self.line())
        self.assertNotIn("time()", self.line())

    def test_moments_ago(self) -> None:
        self.send("1", expires=self.ms(-2.5))
        self.assertIn("2.5 seconds before it came", self.line())
        self.assertIn("clocks", self.line())
        self.assertEqual(self.told[0].late, 2500)

    def test_at_once(self) -> None:
        self.send("1", expiration="0")
        self.is_told("/queue/a", "expiration", "0")
        self.assertIn("expiration:0 is at once", self.line())

    def test_a_policy_that_leaves_no_time(self) -> None:
        self.open(patterns={"/queue/a": Policy(ttl_max=0.0001)})
        self.send("1", ttl="60000")
        self.is_told("/queue/a", "", "")
        self.assertIn("less than a millisecond", self.line())

    def test_a_policy_s_bound_makes_nothing_of_what_is_past(self) -> None:
        self.open(ttl=60.0, ttl_max=3600.0)
        self.send("1", expires=SECONDS)
        self.is_told("/queue/a")
        self.send("2", expires="9" * 15)
        self.send("3", expires="0")
        self.assertEqual((self.told, self.waits_in("/queue/a")), ([], [b"2", b"3"]))

    def test_names_are_shown_so_that_they_end_no_line_and_are_short(self) -> None:
        self.open(expired="dead-letter", composite=100)
        self.send(
            "1", destination=",".join(f"/queue/\u2028{number}" for number in range(99)), expires=SECONDS
        )
        self.assertIn("/queue/\\u20280", self.line())
        self.assertLess(len(self.line()), 1000)

    def test_the_log_has_one_line_in_a_while_that_counts_the_others(self) -> None:
        self.send("1", "2", "3", expires=SECONDS)
        other = self.broker.connect()
        send(other, "/queue/b", "4", expires=SECONDS)
        self.assertEqual((len(self.lines()), len(self.told)), (1, 4))
        self.broker.clock.pump([1.0] * int(EVERY + 1))
        self.send("5", expires=SECONDS)
        self.assertIn("3 more since", self.lines()[1])
        self.broker.clock.pump([1.0] * int(EVERY + 1))
        self.send("6", expires=SECONDS)
        self.assertNotIn("more since", self.lines()[2])

    def test_what_is_wrong_is_told_among_what_is_only_late(self) -> None:
        self.send("1", expires=self.ms(-1))
        self.send("2", expires=SECONDS)
        self.assertIn("clocks", self.lines()[0])
        self.assertIn("looks like seconds", self.lines()[1])

    def test_what_expires_later_is_not_told_so(self) -> None:
        self.send("1", expires=self.ms(1))
        self.send("2", ttl="1000")
        self.broker.clock.pump([0.5] * 6)
        self.assertEqual((self.told, self.lines(), self.dropped), ([], [], ["/queue/a"] * 2))

    # -- wherever it goes ---------------------------------------------------------------------------------

    def test_a_topic_and_who_listens_or_comes_later(self) -> None:
        bob, cid = self.broker.connect(), self.broker.connect()
        bob.subscribes("/topic/t")
        cid.subscribes("/topic/t", durable_subscription="d")
        self.send("1", destination="/topic/t", expires=SECONDS, retain="set")
        self.is_told("/topic/t")
        self.assertTrue(bob.hears_nothing() and cid.hears_nothing())
        self.assertEqual(self.waits_in("/retained/t"), [])

    def test_what_is_retained_is_removed_all_the_same(self) -> None:
        for more in ({}, {"transaction": "t"}):
            self.send("1", destination="/topic/t", retain="set")
            self.assertEqual(self.waits_in("/retained/t"), [b"1"])
            if more:
                self.ann.says("BEGIN", transaction="t")
            self.send("2", destination="/topic/t", retain="remove", expires=SECONDS, **more)
            if more:
                self.assertEqual(self.waits_in("/retained/t"), [b"1"])
                self.ann.says("COMMIT", transaction="t")
            self.is_told("/topic/t")
            self.assertEqual(self.waits_in("/retained/t"), [])

    def test_several_destinations(self) -> None:
        self.open(patterns={"/queue/b": Policy(expired="dead-letter")})
        self.send("1", destination="/queue/a,/queue/b,/topic/t", expires=SECONDS)
        self.is_told("/queue/a,/queue/b,/topic/t")
        self.assertEqual(self.dropped, ["/queue/a", "/topic/t"])
        self.assertEqual(self.waits_in("/queue/DLQ.b"), [b"1"])
        self.assertEqual((self.waits_in("/queue/a"), self.waits_in("/queue/b")), ([], []))

    def test_a_dead_letter_as_of_those_that_expire_later(self) -> None:
        self.open(expired="dead-letter")
        self.send("1", expires=SECONDS, x="y")
        self.send("2", expires=self.ms(1), x="y")
        self.broker.clock.pump([0.5] * 6)
        self.assertIn("a dead letter in /queue/DLQ.a", self.line())
        self.assertEqual(self.told[0].dead_letters, ("/queue/DLQ.a",))
        self.assertEqual(self.dropped, [])
        bob = self.broker.connect()
        bob.subscribes("/queue/DLQ.a")
        early, late = bob.everything()
        self.assertEqual((early.body, late.body), (b"1", b"2"))
        self.assertEqual(set(early.headers), set(late.headers))
        for letter, expires in ((early, SECONDS), (late, late.headers["original-expires"])):
            self.assertEqual(letter.headers["dead-letter-reason"], "expired")
            self.assertEqual(letter.headers["original-expires"], expires)
            self.assertNotIn("expires", letter.headers)

    def test_a_dead_letter_that_is_sent_again_with_its_old_time(self) -> None:
        self.open(expired="dead-letter")
        self.send("1", expires=SECONDS, dead_letter_reason="expired")
        self.assertEqual(self.waits_in("/queue/DLQ.a"), [b"1"])
        self.assertEqual(len(self.told), 1)

    def test_another_s_temporary_queue(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/temp-queue/x")
        send(bob, "/queue/q", "?", **{"reply-to": "/temp-queue/x"})
        self.ann.subscribes("/queue/q")
        reply_to = self.ann.hears("MESSAGE").headers["reply-to"]
        self.send("1", destination=reply_to, expires=SECONDS)
        self.is_told(reply_to)
        self.assertTrue(bob.hears_nothing())

    # -- in a transaction ---------------------------------------------------------------------------------

    def test_in_a_transaction_it_is_told_at_commit(self) -> None:
        self.open(expired="dead-letter")
        self.ann.says("BEGIN", transaction="t")
        self.send("1", expires=SECONDS, transaction="t")
        self.send("2", transaction="t")
        self.send("3", destination="/queue/a,/queue/b", expires=SECONDS, transaction="t")
        self.assertEqual((self.told, self.waits_in("/queue/DLQ.a")), ([], []))
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.hears("RECEIPT")
        self.assertEqual([event.message.body for event in self.told], [b"1", b"3"])
        self.assertEqual(self.sent, [b"2"])
        self.assertEqual(self.waits_in("/queue/a"), [b"2"])
        self.assertEqual(self.waits_in("/queue/DLQ.a"), [b"1", b"3"])
        self.assertEqual(self.waits_in("/queue/DLQ.b"), [b"3"])

    def test_which_header_it_was_is_known_then(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("1", expiration="0", transaction="t")
        self.broker.clock.advance(5)
        self.ann.says("COMMIT", transaction="t")
        self.is_told("/queue/a", "expiration", "0")

    def test_what_an_abort_drops_is_not_told(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("1", expires=SECONDS, transaction="t")
        self.ann.says("ABORT", transaction="t", receipt="a")
        self.ann.hears("RECEIPT")
        self.ann.says("BEGIN", transaction="u")
        self.send("2", expires=SECONDS, transaction="u")
        self.ann.hangs_up()
        self.assertEqual((self.told, self.dropped, self.lines()), ([], [], []))

    def test_it_counts_for_the_bounds_of_a_transaction(self) -> None:
        self.open(transaction_octets=10_000)
        self.ann.says("BEGIN", transaction="t")
        for _ in range(100):
            self.ann.says("SEND", {"destination": "/queue/a", "transaction": "t", "expires": SECONDS})
        self.ann.fails("transactions too large")

    # -- delivered later ----------------------------------------------------------------------------------

    def test_delivered_later_it_need_not_wait_for_that(self) -> None:
        for headers in ({"delay": "60000"}, {"AMQ_SCHEDULED_CRON": "* * * * *"}):
            self.open(expired="dead-letter")
            self.say("1", {"expires": SECONDS, **headers})
            self.is_told("/queue/a")
            self.assertEqual(self.broker.engine.depth("/later/messages")[0], 0)
            self.broker.clock.pump([1.0] * 130)
            self.assertEqual(self.waits_in("/queue/DLQ.a"), [b"1"])

    def test_nor_where_its_time_ends_before_it_is_due(self) -> None:
        expires = self.ms(30)
        self.send("1", expires=expires, delay="60000")
        self.is_told("/queue/a", "expires", expires)
        self.assertIn("30 seconds before it is due", self.line())
        self.assertNotIn("clocks", self.line())
        self.assertEqual(self.broker.engine.depth("/later/messages")[0], 0)

    def test_what_counts_from_then_on_does(self) -> None:
        self.send("1", ttl="1000", delay="60000")
        self.send("2", expires=self.ms(90), delay="60000")
        self.say("3", {"AMQ_SCHEDULED_PERIOD": "60000", "AMQ_SCHEDULED_REPEAT": "5", "expires": self.ms(90)})
        self.assertEqual(self.told, [])
        self.broker.clock.pump([0.5] * 121)
        self.assertEqual(sorted(self.waits_in("/queue/a")), [b"1", b"2", b"3", b"3"])

    def test_in_a_transaction_too(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("1", expires=self.ms(30), delay="60000", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.hears("RECEIPT")
        self.assertEqual(self.told[0].message.destination, "/queue/a")
        self.assertEqual(self.broker.engine.depth("/later/messages")[0], 0)
        self.broker.clock.pump([1.0] * 70)
        self.assertEqual(self.waits_in("/queue/a"), [])


class OverdueOnFile(OnFile, Expiry):
    persistent = "true"

    def test_a_receipted_one_is_a_dead_letter_after_a_kill(self) -> None:
        self.open(expired="dead-letter")
        self.send("1", expires=SECONDS)
        self.ann.says("BEGIN", transaction="t")
        self.send("2", expires=SECONDS, transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.hears("RECEIPT")
        self.ann.says("BEGIN", transaction="u")
        self.send("3", expires=SECONDS, transaction="u")
        self.broker.factory.stopFactory()
        self.broker = self.restart(self.broker)
        self.assertEqual(self.waits_in("/queue/DLQ.a"), [b"1", b"2"])

    def test_who_sends_waits_for_room_for_the_dead_letters(self) -> None:
        self.open(patterns={"/queue/a": Policy(expired="dead-letter"), "/queue/DLQ.a": Policy(length=2)})
        self.send("1", "2", expires=SECONDS)
        late = {"destination": "/queue/a", "persistent": "true", "expires": SECONDS}
        self.ann.says("SEND", {**late, "receipt": "r"}, b"3")
        self.assertTrue(self.ann.hears_nothing())
        bob = self.broker.connect()
        bob.subscribes("/queue/DLQ.a")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3"])
        self.broker.clock.pump([0.0] * 3)
        self.ann.hears("RECEIPT")
