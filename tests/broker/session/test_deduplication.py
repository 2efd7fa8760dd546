"""De-duplication: a message that is sent again because its RECEIPT was lost is there once."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Conversations(InMemory, SynchronousTestCase):
    """What the tests below have in common."""

    persistent = "true"

    def setUp(self) -> None:
        self.open()

    def open(self, **settings: Any) -> None:
        """A broker with these settings, and ann."""
        self.broker: Any = self.make_broker(**settings)
        self.ann = self.broker.connect()

    def send(
        self,
        body: str,
        name: str,
        destination: str = "/queue/a",
        by: Client | None = None,
        header: str = "message-dedupe-id",
        **headers: str,
    ) -> None:
        """Send it under this name, and hear the RECEIPT."""
        client = by or self.ann
        client.says(
            "SEND",
            {"destination": destination, header: name, "persistent": self.persistent},
            body.encode(),
            receipt=body,
            **headers,
        )
        self.assertEqual(client.hears("RECEIPT").headers["receipt-id"], body)

    def got(self, destination: str = "/queue/a") -> list[bytes]:
        """All that waits there."""
        client: Client = self.broker.connect()
        client.subscribes(destination)
        bodies = client.hears_bodies()
        client.hangs_up()
        return bodies


class NameTests(Conversations):
    def test_the_second_is_receipted_and_not_stored(self) -> None:
        for header in ("message-dedupe-id", "_AMQ_DUPL_ID"):
            self.open()
            self.send("1", "x", header=header)
            self.send("2", "x", header=header)
            self.send("3", "y", header=header)
            self.assertEqual(self.got(), [b"1", b"3"], header)

    def test_it_is_one_name_in_both_dialects_and_ours_comes_first(self) -> None:
        self.send("1", "x", _AMQ_DUPL_ID="z")
        self.ann.says("SEND", {"destination": "/queue/a", "_AMQ_DUPL_ID": "x"}, b"2")
        self.ann.says("SEND", {"destination": "/queue/a", "_AMQ_DUPL_ID": "z"}, b"3")
        self.assertEqual(sorted(self.got()), [b"1", b"3"])

    def test_whoever_sends_it(self) -> None:
        self.send("1", "x")
        self.ann.hangs_up()
        self.send("2", "x", by=self.broker.connect("1.0"))
        self.assertEqual(self.got(), [b"1"])

    def test_though_the_first_was_consumed_meanwhile(self) -> None:
        self.send("1", "x")
        self.assertEqual(self.got(), [b"1"])
        self.broker.clock.advance(60)
        self.send("2", "x")
        self.assertEqual(self.got(), [])

    def test_each_destination_has_its_own_names(self) -> None:
        for destination in ("/queue/a", "/queue/b", "/topic/a", "a"):
            self.send(destination, "x", destination)
        self.assertEqual((self.got(), self.got("/queue/b")), ([b"/queue/a"], [b"/queue/b"]))

    def test_who_consumes_hears_it_once(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        for body in ("1", "2", "3"):
            self.send(body, "x")
        self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_at_a_topic_listeners_hear_it_once_and_durable_subscriptions_keep_it_once(self) -> None:
        bob, cid = self.broker.connect(), self.broker.connect()
        bob.subscribes("/topic/t")
        for name in ("c", "d"):
            cid.subscribes("/topic/t", id=name, durable_subscription=name)
        cid.everything()
        cid.hangs_up()
        self.send("1", "x", "/topic/t")
        self.send("2", "x", "/topic/t")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        for name in ("c", "d"):
            dan = self.broker.connect()
            dan.subscribes("/topic/t", durable_subscription=name)
            self.assertEqual(dan.hears_bodies(), [b"1"])

    def test_an_empty_name_is_none(self) -> None:
        self.send("1", "")
        self.send("2", "")
        self.assertEqual(self.got(), [b"1", b"2"])

    def test_names_are_bounded_in_length(self) -> None:
        self.send("1", "x" * 1024)
        self.ann.says("SEND", {"destination": "/queue/a", "message-dedupe-id": "x" * 1025})
        self.ann.fails("message-dedupe-id too long")

    def test_odd_names_are_names(self) -> None:
        names = ["a", "a\nb", "a:b", "ü", " ", "a ", "\\", "'; DROP TABLE seen; --"]
        for _ in range(2):
            for name in names:
                self.send(name, name)
        self.assertEqual(self.got(), [name.encode() for name in names])

    def test_what_has_expired_already_takes_no_name(self) -> None:
        self.send("1", "x", expires="1")
        self.send("2", "x")
        self.assertEqual(self.got(), [b"2"])

    def test_a_redelivery_and_a_dead_letter_are_no_duplicates(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/queue/a", ack="client-individual")
        self.send("1", "x")
        for requeue in ("true", "false"):
            bob.nacks(bob.hears("MESSAGE"), requeue=requeue)
            self.broker.clock.advance(1)
        self.assertEqual(self.got("/queue/DLQ.a"), [b"1"])


class WindowTests(Conversations):
    """For how long, and how many."""

    def test_for_ten_minutes_or_as_long_as_the_owner_says(self) -> None:
        for window, limits in ((600, EngineLimits()), (30, EngineLimits(dedupe_window=30.0))):
            self.open(limits=limits)
            self.send("1", "x")
            self.broker.clock.advance(window - 1)
            self.send("2", "x")
            self.broker.clock.advance(2)
            self.send("3", "x")
            self.assertEqual(self.got(), [b"1", b"3"])

    def test_the_time_is_the_first_one_s(self) -> None:
        self.open(limits=EngineLimits(dedupe_window=10.0))
        for body in ("0", "4", "8", "12", "16"):
            self.send(body, "x")
            self.broker.clock.advance(4)
        self.assertEqual(self.got(), [b"0", b"12"])

    def test_of_one_destination_so_many_the_oldest_is_forgotten_first(self) -> None:
        self.open(limits=EngineLimits(dedupe_names=3))
        for name in ("a", "b", "c", "d"):
            self.send(name, name)
        for name in ("d", "c", "b"):
            self.send(f"{name} again", name)
        self.send("a again", "a")
        self.assertEqual(self.got(), [b"a", b"b", b"c", b"d", b"a again"])

    def test_of_all_destinations_so_many(self) -> None:
        self.open(limits=EngineLimits(dedupe_total=3))
        for number in range(10):
            self.send("1", "x", f"/queue/{number}")
            self.send("2", "x", f"/queue/{number}")
        self.assertEqual([self.got(f"/queue/{number}") for number in range(10)], [[b"1"]] * 10)
        self.send("3", "x", "/queue/9")
        self.send("3", "x", "/queue/0")
        self.assertEqual((self.got("/queue/9"), self.got("/queue/0")), ([], [b"3"]))


class TransactionTests(Conversations):
    """A name counts from COMMIT on."""

    def transact(self, ending: str, *messages: tuple[str, str], **headers: str) -> None:
        """Messages and their names, in one transaction."""
        self.ann.says("BEGIN", transaction="t")
        for body, name in messages:
            self.send(body, name, transaction="t", **headers)
        self.ann.says(ending, transaction="t", receipt=ending)
        self.assertEqual(self.ann.hears("RECEIPT").headers["receipt-id"], ending)

    def test_once_in_a_transaction_and_after_it(self) -> None:
        self.transact("COMMIT", ("1", "x"), ("2", "x"), ("3", "y"))
        self.transact("COMMIT", ("4", "x"), ("5", "z"))
        self.send("6", "y")
        self.assertEqual(self.got(), [b"1", b"3", b"5"])

    def test_what_was_aborted_does_not_block_a_later_send(self) -> None:
        self.transact("ABORT", ("1", "x"))
        self.send("2", "x")
        self.assertEqual(self.got(), [b"2"])

    def test_nor_what_was_open_when_the_connection_ended(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("1", "x", transaction="t")
        self.ann.hangs_up()
        self.ann = self.broker.connect()
        self.send("2", "x")
        self.assertEqual(self.got(), [b"2"])

    def test_of_two_open_transactions_the_first_to_commit_has_it(self) -> None:
        bob = self.broker.connect()
        for client in (self.ann, bob):
            client.says("BEGIN", transaction="t")
        self.send("ann", "x", transaction="t")
        self.send("bob", "x", by=bob, transaction="t")
        for client in (bob, self.ann):
            client.says("COMMIT", transaction="t")
        self.assertEqual(self.got(), [b"bob"])

    def test_topics_in_it(self) -> None:
        bob = self.broker.connect()
        bob.subscribes("/topic/t")
        self.transact("COMMIT", ("1", "x"), ("2", "x"), destination="/topic/t")
        self.assertEqual(bob.hears_bodies(), [b"1"])


class NotPersistentTests(NameTests):
    """The same with messages that do not persist."""

    persistent = "false"


class NameOnFileTests(OnFile, NameTests):
    """The same with an engine that stores."""


class NotPersistentOnFileTests(OnFile, NotPersistentTests):
    """The same with an engine that stores, and messages that do not persist."""


class WindowOnFileTests(OnFile, WindowTests):
    """The same with an engine that stores."""


class TransactionOnFileTests(OnFile, TransactionTests):
    """The same with an engine that stores."""


class DurabilityTests(OnFile, Conversations):
    """A name is as safe as its message."""

    def test_it_is_remembered_across_restarts(self) -> None:
        self.send("1", "x")
        self.send("t", "x", "/topic/t")
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        bob = self.broker.connect()
        bob.subscribes("/topic/t")
        self.send("2", "x")
        self.send("u", "x", "/topic/t")
        self.assertEqual((self.got(), bob.hears_bodies()), ([b"1"], []))
        self.broker.clock.advance(500)
        self.broker = self.restart(self.broker)
        self.broker.clock.advance(500)  # how long it was away nobody can tell
        self.ann = self.broker.connect()
        self.send("3", "x")
        self.assertEqual(self.got(), [])
        self.broker.clock.advance(101)
        self.send("4", "x")
        self.assertEqual(self.got(), [b"4"])

    def test_of_a_message_that_does_not_persist_it_is_not(self) -> None:
        self.persistent = "false"
        self.send("1", "x")
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        self.send("2", "x")
        self.assertEqual(self.got(), [b"2"])

    def test_what_was_not_written_did_not_take_it(self) -> None:
        """Neither alone, nor in a transaction; the producer sends it again, and there it is."""
        for transaction in (False, True):
            self.open()
            self.broker.disk.full = True
            if transaction:
                self.ann.says("BEGIN", transaction="t")
                self.send("1", "x", transaction="t")
                self.ann.says("COMMIT", transaction="t", receipt="r")
            else:
                send(self.ann, "/queue/a", "1", persistent="true", message_dedupe_id="x", receipt="r")
            self.assertEqual(self.ann.fails("disk is full").headers["receipt-id"], "r")
            self.broker.disk.full = False
            self.ann = self.broker.connect()
            self.send("2", "x")
            self.assertEqual(self.got(), [b"2"])

    def test_killed_before_it_was_written_it_is_free(self) -> None:
        self.broker.disk.held = True
        send(self.ann, "/queue/a", "1", persistent="true", message_dedupe_id="x", receipt="r")
        self.assertTrue(self.ann.hears_nothing())
        self.broker = self.restart(self.broker)
        self.ann = self.broker.connect()
        self.send("2", "x")
        self.assertEqual(self.got(), [b"2"])

    def test_the_second_is_receipted_when_the_first_is_safe(self) -> None:
        self.broker.disk.held = True
        bob = self.broker.connect()
        for client in (self.ann, bob):
            send(client, "/queue/a", "1", persistent="true", message_dedupe_id="x", receipt="r")
            self.assertTrue(client.hears_nothing())
        self.broker.disk.step()
        for client in (self.ann, bob):
            client.hears("RECEIPT")

    def test_and_fails_with_the_first(self) -> None:
        self.broker.disk.held = True
        bob, cid = self.broker.connect(), self.broker.connect()
        send(self.ann, "/queue/a", "1", persistent="true", message_dedupe_id="x", receipt="r")
        self.broker.turn()
        send(cid, "/queue/b", "b", persistent="true", receipt="r")
        send(bob, "/queue/a", "1", persistent="true", message_dedupe_id="x", receipt="r")
        self.broker.turn()
        self.broker.disk.full = True
        self.broker.disk.step()
        self.broker.disk.full = False
        self.broker.disk.goes_on()
        self.ann.fails("disk is full")
        cid.hears("RECEIPT")
        bob.fails("disk is full")
        self.ann = self.broker.connect()
        self.send("2", "x")
        self.assertEqual(self.got(), [b"2"])
