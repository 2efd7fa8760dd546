"""Clients that close their side: what they held goes back at once, what they are owed is still sent."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Disconnected, Failed
from stomp_tx.engine.limits import EngineLimits
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory
from tests.broker.session.test_receipts import Conversations
from tests.conversation import Broker, Client


class HoldingTests(InMemory, SynchronousTestCase):
    """It looks as if it had closed the connection: nothing is held back for it."""

    def setUp(self) -> None:
        self.broker = self.make_broker(linger=5.0)
        self.ann, self.bob = self.broker.connect(), self.broker.connect()

    def test_what_was_delivered_goes_to_others_at_once(self) -> None:
        self.ann.subscribes("/queue/a", ack="client")
        send(self.bob, "/queue/a", "1", "2")
        self.assertEqual(self.ann.hears_bodies(), [b"1", b"2"])
        self.ann.closes_its_side()
        self.bob.subscribes("/queue/a", prefetch_count="10")
        self.assertEqual(self.bob.hears_bodies(), [b"1", b"2"])
        self.assertTrue(self.ann.is_closed)

    def test_its_subscriptions_get_nothing_more(self) -> None:
        self.ann.subscribes("/topic/a")
        self.ann.closes_its_side()
        send(self.bob, "/topic/a", "1")
        self.assertTrue(self.ann.hears_nothing())

    def test_its_transaction_is_aborted(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        send(self.ann, "/queue/a", "1", transaction="t", receipt="1")
        self.ann.closes_its_side()
        self.ann.hears("RECEIPT")
        self.assertTrue(self.ann.is_closed)
        self.assertEqual(self.broker.waiting("/queue/a"), [])

    def test_one_that_waits_for_room_gives_back_what_it_holds(self) -> None:
        broker = Broker(EngineLimits(queue_length=1))
        for beat in (b"", b"\n"):
            for leaves in (Client.closes_its_side, Client.hangs_up):
                ann, bob = broker.connect(), broker.connect()
                ann.subscribes("/queue/work", ack="client-individual")
                send(bob, "/queue/work", "task")
                ann.hears("MESSAGE")
                send(ann, "/queue/small", "fills it")
                ann.sends(beat)
                self.assertEqual(ann.transport.producerState, "producing")
                leaves(ann)
                bob.subscribes("/queue/work")
                self.assertEqual(bob.hears_bodies(), [b"task"])
                bob.subscribes("/queue/small", id="2")
                self.assertEqual(bob.hears_bodies(), [b"fills it"])
                bob.hangs_up()

    def test_one_that_has_not_said_connect_gets_no_word(self) -> None:
        stranger = self.broker.dial()
        stranger.closes_its_side()
        self.assertTrue(stranger.is_closed and stranger.hears_nothing())

    def test_half_a_frame_is_an_error(self) -> None:
        self.ann.sends(b"SEND\ndestination:/queue/a\n\nhello\n")
        self.ann.closes_its_side()
        self.ann.fails("in the middle of a frame")
        self.assertEqual(self.broker.waiting("/queue/a"), [])
        stranger = self.broker.dial()
        stranger.sends(b"CONNECT\naccept-version:1.2\n")
        stranger.closes_its_side()
        stranger.fails("in the middle of a frame")

    def test_with_room_again_all_that_has_come_is_kept(self) -> None:
        self.broker = self.make_broker(length=2)
        ann, bob = self.broker.connect(), self.broker.connect()
        send(ann, "/queue/a", *"12345", receipt="r")
        ann.closes_its_side()
        self.assertEqual([frame.command for frame in ann.everything()], ["RECEIPT"] * 2)
        self.assertFalse(ann.is_closed)
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3", b"4", b"5"])
        self.assertEqual([frame.command for frame in ann.everything()], ["RECEIPT"] * 3)
        self.assertTrue(ann.is_closed)

    def test_one_that_is_read_more_slowly_is_read_to_its_end(self) -> None:
        for limit, most in (("frames_per_second", 1), ("octets_per_second", 60)):
            self.broker = self.make_broker(**{limit: most})
            ann = self.broker.connect()
            send(ann, "/queue/a", *"123", receipt="r")
            ann.closes_its_side()
            self.assertFalse(ann.is_closed)
            self.broker.clock.pump([0.5] * 100)
            self.assertEqual([frame.command for frame in ann.everything()], ["RECEIPT"] * 3, limit)
            self.assertTrue(ann.is_closed)

    def test_it_counts_as_a_connection_until_it_is_gone_and_as_its_user_s_no_more(self) -> None:
        ended: list[Disconnected] = []
        self.broker.factory.events.observe(Disconnected, ended.append)
        limits = self.broker.factory.broker.connection_limits
        before = limits.inside
        self.ann.closes_its_side()
        self.assertEqual((limits.inside, sum(limits._of.values()), ended), (before, before - 1, []))
        self.ann.hangs_up()
        self.assertEqual((limits.inside, len(self.broker.factory.sessions)), (before - 1, before - 1))
        self.assertEqual(len(ended), 1)

    def test_one_that_reads_nothing_is_cut(self) -> None:
        self.ann.transport.producer.pauseProducing()
        send(self.ann, "/queue/a", *"123", receipt="r")
        self.ann.closes_its_side()
        self.broker.clock.advance(4.9)
        self.assertFalse(self.ann.transport.aborted)
        self.broker.clock.advance(0.2)
        self.assertTrue(self.ann.transport.aborted)

    def test_nothing_stays_behind(self) -> None:
        for client in (self.ann, self.bob):
            client.subscribes("/topic/a", id="t")
            client.closes_its_side()
            client.hangs_up()
        self.assertEqual(self.broker.factory.sessions, {})
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])


class OwedTests(Conversations):
    """What the disk has not written yet is receipted when it has, within ``linger`` seconds."""

    def setUp(self) -> None:
        self.open(linger=5.0)

    def closes(self, client: Client) -> None:
        """It closes its side, and the disk begins with what there is."""
        client.closes_its_side()
        self.broker.turn()

    def test_the_receipt_of_a_send_comes_and_then_the_end(self) -> None:
        self.disk.held = True
        for number in range(3):
            self.send(str(number))
        self.closes(self.ann)
        self.assertEqual((self.receipts(self.ann), self.ann.is_closed), ([], False))
        self.disk.goes_on()
        self.assertEqual((self.receipts(self.ann), self.ann.is_closed), (["0", "1", "2"], True))
        self.assertEqual(self.left(), [b"0", b"1", b"2"])

    def test_a_commit_s_too(self) -> None:
        self.disk.held = True
        self.ann.says("BEGIN", transaction="t")
        self.send("1", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="commit")
        self.ann.says("BEGIN", transaction="u")
        self.send("2", transaction="u")
        self.closes(self.ann)
        self.assertEqual(self.receipts(self.ann), ["1", "2"])
        self.disk.goes_on()
        self.assertEqual((self.receipts(self.ann), self.ann.is_closed), (["commit"], True))
        self.assertEqual(self.left(), [b"1"])

    def test_what_can_not_be_written_is_an_error(self) -> None:
        self.disk.held = self.disk.full = True
        self.send("1")
        self.closes(self.ann)
        self.disk.step()
        self.assertEqual(self.ann.fails("disk is full").headers["receipt-id"], "1")

    def test_half_a_frame_is_an_error_behind_the_receipts(self) -> None:
        self.disk.held = True
        self.send("1")
        self.ann.sends(b"SEND\n")
        self.closes(self.ann)
        self.assertTrue(self.ann.hears_nothing())
        self.disk.goes_on()
        self.ann.hears("RECEIPT")
        self.ann.fails("in the middle of a frame")

    def test_what_it_held_goes_to_others_before_that(self) -> None:
        (message,) = self.delivered("1")
        send(self.bob, "/queue/b", "2", persistent="true", receipt="send")
        self.closes(self.bob)
        self.assertEqual(self.consumer_of_memory(), [b"1"])
        self.assertFalse(self.bob.is_closed)
        self.disk.goes_on()
        self.assertEqual((self.receipts(self.bob), self.bob.is_closed), (["send"], True))
        self.assertEqual(message.body, b"1")

    def consumer_of_memory(self) -> list[bytes]:
        """What another consumer gets while the disk does nothing."""
        cid = self.broker.connect()
        cid.subscribes("/queue/a", ack="client")
        return [frame.body for frame in cid.everything() if frame.command == "MESSAGE"]

    def test_one_that_is_owed_nothing_ends_without_waiting_for_the_disk(self) -> None:
        self.delivered("1")
        self.closes(self.bob)
        self.assertTrue(self.bob.is_closed)

    def test_behind_disconnect_its_receipt_is_the_last(self) -> None:
        self.disk.held = True
        self.send("1")
        self.ann.says("DISCONNECT", receipt="bye")
        self.closes(self.ann)
        self.assertEqual((self.receipts(self.ann), self.ann.is_closed), ([], False))
        self.disk.goes_on()
        self.assertEqual((self.receipts(self.ann), self.ann.is_closed), (["1", "bye"], True))

    def test_a_disk_that_takes_too_long(self) -> None:
        failed: list[Any] = []
        self.broker.factory.events.observe(Failed, failed.append)
        self.disk.held = True
        self.send("1")
        self.ann.sends(b"SEND\n")
        self.closes(self.ann)
        self.broker.clock.advance(5.1)
        self.assertTrue(self.ann.transport.aborted)
        self.ann.hangs_up()
        self.disk.goes_on()
        self.assertEqual((self.left(), failed), ([b"1"], []))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_one_that_is_gone_before_its_receipt_has_sent_it_all_the_same(self) -> None:
        self.disk.held = True
        self.send("1")
        self.closes(self.ann)
        self.ann.hangs_up()
        self.disk.goes_on()
        self.assertEqual(self.bob.hears_bodies(), [b"1"])
        self.assertEqual(len(self.broker.factory.sessions), 1)
        self.assertEqual(self.flushLoggedErrors(), [])
