"""Receipts, where messages are stored: what was receipted is on the disk, what is not is told to nobody."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.wire.frame import Frame
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import OnFile
from tests.conversation import Client


class Conversations(OnFile, SynchronousTestCase):
    """What the tests below have in common."""

    def setUp(self) -> None:
        self.open()

    def open(self, **settings: Any) -> None:
        """A broker with these settings, ann who sends, and bob who consumes."""
        self.broker: Any = self.make_broker(**settings)
        self.disk = self.broker.disk
        self.ann = self.broker.connect()
        self.bob = self.consumer()

    def consumer(
        self, destination: str = "/queue/a", ack: str = "client-individual", id: str = "1"
    ) -> Client:
        client: Client = self.broker.connect()
        client.subscribes(destination, id=id, ack=ack, receipt="subscribed")
        client.hears("RECEIPT")
        return client

    def send(self, body: str, destination: str = "/queue/a", **headers: str) -> None:
        send(self.ann, destination, body, **{"persistent": "true", "receipt": body, **headers})

    def delivered(self, *bodies: str) -> list[Frame]:
        """Send these, and have bob hear them; the disk holds after that."""
        for body in bodies:
            self.send(body)
        self.assertEqual(self.receipts(self.ann), list(bodies))
        messages = self.bob.everything()
        self.assertEqual([message.body.decode() for message in messages], list(bodies))
        self.disk.held = True
        return messages

    def receipts(self, client: Client) -> list[str]:
        """The ids of the receipts that have come; nothing else has."""
        frames = client.everything()
        self.assertEqual({frame.command for frame in frames} - {"RECEIPT"}, set(), frames)
        return [frame.headers["receipt-id"] for frame in frames]

    def left(self) -> list[bytes]:
        """After a kill: what is in the queue."""
        self.broker = self.restart(self.broker)
        self.disk = self.broker.disk
        return [message.body for message in self.consumer(ack="client").everything()]


class CommitTests(Conversations):
    """Neither receipt nor delivery before the commit; both after it."""

    def test_send(self) -> None:
        self.disk.held = True
        self.send("1")
        self.assertTrue(self.ann.hears_nothing() and self.bob.hears_nothing())
        self.broker.clock.advance(100)
        self.assertTrue(self.ann.hears_nothing() and self.bob.hears_nothing())
        self.disk.goes_on()
        self.assertEqual(self.receipts(self.ann), ["1"])
        self.assertEqual(self.bob.hears_bodies(), [b"1"])

    def test_without_a_receipt_it_is_delivered_after_the_commit_all_the_same(self) -> None:
        self.disk.held = True
        send(self.ann, "/queue/a", "1", persistent="true")
        self.assertTrue(self.bob.hears_nothing())
        self.disk.goes_on()
        self.assertEqual(self.bob.hears_bodies(), [b"1"])

    def test_one_that_does_not_persist_waits_for_no_disk(self) -> None:
        self.disk.held = True
        self.send("1", persistent="false")
        self.assertEqual(self.receipts(self.ann), ["1"])
        self.assertEqual(self.bob.hears_bodies(), [b"1"])

    def test_ack(self) -> None:
        for command in ("ACK", "NACK"):
            self.open()
            (message,) = self.delivered("1")
            self.bob.acks(message, command, receipt="r")
            self.assertEqual(self.receipts(self.bob), [])
            self.disk.goes_on()
            self.assertEqual(self.receipts(self.bob), ["r"])

    def test_acked_it_does_not_come_again(self) -> None:
        for goes_on, left in ((True, [b"2"]), (False, [b"1", b"2"])):
            self.open()
            one, _ = self.delivered("1", "2")
            self.bob.acks(one, receipt="r")
            self.broker.turn()
            if goes_on:
                self.disk.goes_on()
            self.assertEqual(self.left(), left)

    def test_a_cumulative_ack(self) -> None:
        self.bob.says("UNSUBSCRIBE", id="1")
        self.bob.subscribes("/queue/a", ack="client")
        messages = self.delivered("1", "2", "3")
        self.bob.acks(messages[1], receipt="r")
        self.assertEqual(self.receipts(self.bob), [])
        self.disk.goes_on()
        self.assertEqual(self.receipts(self.bob), ["r"])
        self.assertEqual(self.left(), [b"3"])

    def test_commit(self) -> None:
        cid = self.consumer("/queue/out")
        (message,) = self.delivered("1")
        self.bob.says("BEGIN", transaction="t", receipt="begin")
        self.bob.acks(message, transaction="t", receipt="ack")
        for persistent in ("true", "false"):
            send(self.bob, "/queue/out", persistent, persistent=persistent, transaction="t", receipt="send")
        self.assertEqual(self.receipts(self.bob), ["begin", "ack", "send", "send"])
        self.bob.says("COMMIT", transaction="t", receipt="commit")
        self.assertEqual(self.receipts(self.bob), [])
        self.assertTrue(cid.hears_nothing())
        self.disk.goes_on()
        self.assertEqual(self.receipts(self.bob), ["commit"])
        self.assertEqual(cid.hears_bodies(), [b"true", b"false"])
        self.assertEqual(self.left(), [])

    def test_killed_before_its_commit_a_transaction_did_not_happen(self) -> None:
        (message,) = self.delivered("1")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(message, transaction="t")
        send(self.bob, "/queue/a", "2", persistent="true", transaction="t")
        self.bob.says("COMMIT", transaction="t", receipt="commit")
        self.assertEqual(self.receipts(self.bob), [])
        self.assertEqual(self.left(), [b"1"])

    def test_whatever_was_receipted_is_in_the_file_at_that_moment(self) -> None:
        """Also where a delivery brings the first thing that the next commit has to write: mode auto."""
        auto = self.consumer("/queue/b", ack="auto")
        self.disk.held = True
        receipted = sent = 0
        for step in range(200):
            send(self.ann, "/queue/b", "noise", persistent="true")
            if step % 3 == 0:
                self.send(str(sent), "/queue/c")
                sent += 1
            self.broker.turn()
            if step % 4 > 1:
                self.disk.step()
            receipted += len(self.receipts(self.ann))
            self.assertLessEqual(receipted, self.broker.rows("message WHERE body <> 'noise'"))
        self.disk.goes_on()
        receipted += len(self.receipts(self.ann))
        self.assertEqual((receipted, len(auto.everything())), (sent, 200))
        self.assertEqual(self.broker.rows(), sent)


class OrderTests(Conversations):
    def test_receipts_come_in_the_order_of_their_frames(self) -> None:
        self.disk.held = True
        for number in range(30):
            self.send(str(number), f"/queue/{number % 3}")
            if number % 7 == 0:
                self.broker.turn()
        self.disk.goes_on()
        self.assertEqual(self.receipts(self.ann), [str(number) for number in range(30)])

    def test_disconnect_s_is_the_last_of_all(self) -> None:
        (message,) = self.delivered("1")
        send(self.bob, "/queue/b", "2", persistent="true", receipt="send")
        self.bob.acks(message, receipt="ack")
        self.broker.turn()
        self.bob.says("BEGIN", transaction="t")
        send(self.bob, "/queue/b", "3", persistent="true", transaction="t")
        self.bob.says("COMMIT", transaction="t", receipt="commit")
        self.bob.says("DISCONNECT", receipt="bye")
        self.assertEqual(self.receipts(self.bob), [])
        self.assertFalse(self.bob.is_closed)
        self.disk.goes_on()
        self.assertEqual(self.receipts(self.bob), ["send", "ack", "commit", "bye"])
        self.assertTrue(self.bob.is_closed)
        self.assertEqual(self.left(), [])

    def test_what_it_gives_back_is_safe_before_it_too(self) -> None:
        self.delivered("1")
        self.bob.says("DISCONNECT", receipt="bye")
        self.assertEqual(self.receipts(self.bob), [])
        self.disk.goes_on()
        self.assertEqual(self.receipts(self.bob), ["bye"])

    def test_a_producer_that_hangs_up_before_has_sent_it(self) -> None:
        for goes_on in (True, False):
            self.open()
            self.disk.held = True
            self.send("1")
            self.ann.hangs_up()
            if goes_on:
                self.broker.turn()
                self.disk.goes_on()
                self.assertEqual(self.bob.hears_bodies(), [b"1"])
            self.assertEqual(self.left(), [b"1"] if goes_on else [])
            self.assertEqual(self.flushLoggedErrors(), [])

    def test_so_has_one_that_hangs_up_behind_disconnect(self) -> None:
        self.disk.held = True
        self.send("1")
        self.ann.says("DISCONNECT", receipt="bye")
        self.ann.hangs_up()
        self.broker.turn()
        self.disk.goes_on()
        self.assertEqual(self.bob.hears_bodies(), [b"1"])
        self.assertEqual(len(self.broker.factory.sessions), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_broker_that_stops_writes_what_it_has(self) -> None:
        self.send("1")
        self.broker.stops()
        self.broker = self.broker.again()
        self.addCleanup(self.broker.dies)
        self.assertEqual([one.body for one in self.consumer(ack="client").everything()], [b"1"])


class FailureTests(Conversations):
    """What could not be written is an ERROR for those who asked for it, and the end of their connections."""

    def test_send(self) -> None:
        self.disk.full = True
        self.send("1")
        error = self.ann.fails("disk is full")
        self.assertEqual(error.headers["receipt-id"], "1")
        self.assertNotIn(self.broker.path.encode(), error.body)
        self.assertNotIn(self.broker.path, error.headers["message"])
        self.assertTrue(self.bob.hears_nothing())
        self.disk.full = False
        self.assertEqual(self.left(), [])

    def test_without_a_receipt_it_is_told_too(self) -> None:
        self.disk.full = True
        send(self.ann, "/queue/a", "1", persistent="true")
        self.assertNotIn("receipt-id", self.ann.fails("disk is full").headers)

    def test_the_error_names_the_first_receipt_that_will_not_come(self) -> None:
        self.disk.held = self.disk.full = True
        for number in range(5):
            self.send(str(number))
        self.broker.turn()
        self.disk.step()
        self.assertEqual(self.ann.fails("disk is full").headers["receipt-id"], "0")

    def test_a_commit_that_fails_is_named_and_not_what_was_sent_in_it(self) -> None:
        for receipt in ({"receipt": "commit"}, {}):
            self.open(dialect="rabbitmq")
            for fails in (False, True):
                self.disk.held, self.disk.full = True, fails
                self.ann.says("BEGIN", transaction="t")
                self.send("1", transaction="t")
                self.send("2", transaction="t")
                self.ann.says("COMMIT", transaction="t", **receipt)
                self.broker.turn()
                if not fails:
                    self.disk.goes_on()
                    self.assertEqual(self.receipts(self.ann), ["1", "2", *receipt.values()])
                    continue
                self.disk.step()
                error = self.ann.fails("disk is full")
                self.assertEqual(error.headers.get("receipt-id"), receipt.get("receipt"))

    def test_everybody_in_the_commit_is_told_and_nobody_else(self) -> None:
        cid, dan = self.broker.connect(), self.broker.connect()
        self.disk.held = self.disk.full = True
        self.send("1")
        send(cid, "/queue/b", "2", persistent="true", receipt="r")
        send(dan, "/queue/b", "3", receipt="r")
        self.broker.turn()
        self.disk.step()
        self.ann.fails("disk is full")
        cid.fails("disk is full")
        dan.hears("RECEIPT")
        self.assertFalse(dan.is_closed or self.bob.is_closed)

    def test_ack_and_nack(self) -> None:
        for command in ("ACK", "NACK"):
            self.open()
            (message,) = self.delivered("1")
            self.disk.held, self.disk.full = False, True
            self.bob.acks(message, command, receipt="r")
            frames = self.bob.everything()
            self.assertNotIn("RECEIPT", [frame.command for frame in frames])
            self.assertEqual(frames[-1].headers["receipt-id"], "r")
            self.assertTrue(self.bob.is_closed)
            self.disk.full = False
            again = self.consumer().hears("MESSAGE")
            self.assertEqual((again.body, again.headers["redelivered"]), (b"1", "true"))
            self.assertEqual(self.left(), [b"1"])

    def test_commit(self) -> None:
        cid = self.consumer("/queue/out")
        (message,) = self.delivered("1")
        self.disk.held, self.disk.full = False, True
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(message, transaction="t")
        send(self.bob, "/queue/out", "2", persistent="true", transaction="t")
        send(self.bob, "/queue/out", "3", transaction="t")
        send(self.bob, "/topic/out", "4", transaction="t")
        self.bob.says("COMMIT", transaction="t", receipt="r")
        error = self.bob.everything()[-1]
        self.assertEqual((error.command, error.headers["receipt-id"]), ("ERROR", "r"))
        self.disk.full = False
        self.assertTrue(cid.hears_nothing())
        self.assertEqual(self.consumer().hears("MESSAGE").body, b"1")
        self.assertEqual(self.left(), [b"1"])

    def test_disconnect_says_so_instead_of_its_receipt(self) -> None:
        self.disk.held = self.disk.full = True
        self.send("1")
        self.ann.says("DISCONNECT", receipt="bye")
        self.broker.turn()
        self.disk.step()
        self.assertEqual(self.ann.fails("disk is full").headers["receipt-id"], "1")

    def test_nothing_is_receipted_behind_the_error(self) -> None:
        self.disk.held = True
        self.send("1")
        self.broker.turn()
        self.send("2")
        self.broker.turn()
        self.disk.full = True
        self.disk.step()
        self.disk.full = False
        self.disk.goes_on()
        self.assertEqual(self.ann.fails("disk is full").headers["receipt-id"], "1")

    def test_the_rest_goes_on_and_when_there_is_room_all_does(self) -> None:
        self.disk.full = True
        self.send("1")
        self.ann.fails("disk is full")
        self.ann = self.broker.connect()
        self.send("2", persistent="false")
        self.assertEqual((self.receipts(self.ann), self.bob.hears_bodies()), (["2"], [b"2"]))
        self.disk.full = False
        self.send("3")
        self.assertEqual((self.receipts(self.ann), self.bob.hears_bodies()), (["3"], [b"3"]))

    def test_consumers_of_a_backlog_get_it_when_the_disk_works_again(self) -> None:
        """Before it hands out a page the file says so; that must be tried again."""
        self.broker.factory.startFactory()
        self.addCleanup(self.broker.factory.stopFactory)
        for number in range(5):
            self.send(str(number), "/queue/b")
        self.ann.everything()
        self.disk.full = True
        cid = self.broker.connect()
        cid.subscribes("/queue/b", ack="client")
        self.assertTrue(cid.hears_nothing())
        self.broker.clock.pump([0.5] * 10)
        self.disk.full = False
        self.broker.clock.pump([0.5] * 10)
        self.assertEqual(cid.hears_bodies(), [b"0", b"1", b"2", b"3", b"4"])

    def test_in_mode_auto_what_was_delivered_leaves_the_file_in_the_end(self) -> None:
        self.broker.factory.startFactory()
        self.addCleanup(self.broker.factory.stopFactory)
        auto = self.consumer("/queue/b", ack="auto")
        self.disk.held = True
        for number in range(3):
            self.send(str(number), "/queue/b")
        self.broker.turn()
        self.disk.step()
        self.assertEqual(auto.hears_bodies(), [b"0", b"1", b"2"])
        self.disk.full = True
        self.disk.goes_on()
        self.broker.clock.pump([0.5] * 4)
        self.disk.full = False
        self.broker.clock.pump([0.5] * 4)
        self.assertEqual(self.broker.rows(), 0)
        auto.hangs_up()
        self.broker.turn()
        self.assertEqual((self.broker.engine.stored_octets, self.broker.engine.octets), (0, 0))
        self.assertNotIn("/queue/b", self.broker.engine._lanes)


class PauseTests(Conversations):
    """Producers wait while too much is on its way to the disk."""

    def test_a_producer_is_read_no_further_until_it_has_caught_up(self) -> None:
        self.open(limits=EngineLimits(unsafe_octets=10_000))
        self.disk.held = True
        sent = 0
        while self.ann.transport.producerState == "producing":
            self.assertLess(sent, 50, "it is never paused")
            sent += 1
            self.send(str(sent))
            self.broker.turn()
        self.assertGreater(sent, 5)
        dan = self.broker.connect()
        send(dan, "/queue/b", "x", receipt="r")  # one that does not persist is in nobody's way
        dan.hears("RECEIPT")
        self.assertEqual(dan.transport.producerState, "producing")
        self.disk.goes_on()
        self.broker.turn()
        self.assertEqual(self.ann.transport.producerState, "producing")
        self.assertEqual(self.receipts(self.ann), [str(number) for number in range(1, sent + 1)])

    def test_so_is_one_that_commits(self) -> None:
        self.open(limits=EngineLimits(unsafe_octets=10_000))
        self.disk.held = True
        for count in range(50):
            if self.ann.transport.producerState != "producing":
                break
            self.ann.says("BEGIN", transaction="t")
            self.send(str(count), transaction="t")
            self.ann.says("COMMIT", transaction="t")
            self.broker.turn()
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.disk.goes_on()
        self.broker.turn()
        self.assertEqual(self.ann.transport.producerState, "producing")
        self.assertEqual(len(self.bob.everything()), count)

    def test_one_that_hangs_up_meanwhile_is_forgotten(self) -> None:
        self.open(limits=EngineLimits(unsafe_octets=2000))
        self.disk.held = True
        for number in range(5):
            self.send(str(number))
        self.broker.turn()
        self.ann.hangs_up()
        self.disk.goes_on()
        self.broker.turn()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(self.bob.hears_bodies(), [b"0", b"1"])
