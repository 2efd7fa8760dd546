"""broker/session/transacting.py: BEGIN, COMMIT and ABORT."""

from twisted.trial.unittest import SynchronousTestCase

from tests.broker.destinations.test_destination import send
from tests.conversation import Broker


class TransactionTests(SynchronousTestCase):
    """BEGIN to COMMIT: all or nothing (STOMP 1.2, "BEGIN")."""

    def setUp(self) -> None:
        self.broker = Broker()
        self.ann, self.bob = self.broker.connect(), self.broker.connect()

    def test_nothing_is_seen_before_commit_and_then_all_in_order(self) -> None:
        self.bob.subscribes("/queue/a")
        self.ann.says("BEGIN", transaction="t")
        send(self.ann, "/queue/a", "m1")
        send(self.ann, "/queue/a", "t1", "t2", transaction="t")
        send(self.ann, "/queue/a", "m2")
        self.assertEqual(self.bob.hears_bodies(), [b"m1", b"m2"])
        self.ann.says("COMMIT", transaction="t")
        send(self.ann, "/queue/a", "m3")
        self.assertEqual(self.bob.hears_bodies(), [b"t1", b"t2", b"m3"])

    def test_abort_and_the_end_of_the_connection_discard(self) -> None:
        self.bob.subscribes("/queue/a")
        for ending in ("ABORT", "DISCONNECT"):
            self.ann.says("BEGIN", transaction="t")
            send(self.ann, "/queue/a", "x", transaction="t")
            self.ann.says(ending, transaction="t")
        self.assertTrue(self.bob.hears_nothing())

    def test_unknown_and_repeated_ids_are_faults(self) -> None:
        for command in ("COMMIT", "ABORT"):
            client = self.broker.connect()
            client.says(command, transaction="t")
            client.fails("no such transaction")
        send(self.ann, "/queue/a", "x", transaction="t")
        self.ann.fails("no such transaction")
        self.bob.says("BEGIN", transaction="t")
        self.bob.says("BEGIN", transaction="t")
        self.bob.fails("transaction exists already")

    def test_acks_take_effect_at_commit(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        send(self.ann, "/queue/a", "1", "2")
        one, two = self.bob.everything()
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(one, transaction="t")
        self.bob.says("COMMIT", transaction="t")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(two, transaction="t")
        self.bob.hangs_up()
        cid = self.broker.connect()
        cid.subscribes("/queue/a")
        self.assertEqual(cid.hears_bodies(), [b"2"])

    def test_after_abort_the_same_ack_is_owed_again(self) -> None:
        for ack in ("client", "client-individual"):
            bob = self.broker.connect()
            bob.subscribes("/queue/a", ack=ack)
            send(self.ann, "/queue/a", "1", "2")
            one, two = bob.everything()
            bob.says("BEGIN", transaction="t")
            bob.acks(two, transaction="t")
            bob.says("ABORT", transaction="t")
            self.assertTrue(bob.hears_nothing())
            bob.acks(one)
            bob.acks(two, receipt="r")
            bob.hears("RECEIPT")
            bob.says("DISCONNECT")
            self.assertEqual(self.broker.engine.octets, 0)

    def test_an_ack_in_a_transaction_gives_credit_once(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual", prefetch_count="1")
        send(self.ann, "/queue/a", "1", "2", "3")
        one = self.bob.hears("MESSAGE")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(one, transaction="t")
        two = self.bob.hears("MESSAGE")
        self.bob.says("ABORT", transaction="t")
        self.bob.acks(two)
        self.assertTrue(self.bob.hears_nothing())  # the first one is held again
        self.bob.acks(one)
        self.assertEqual(self.bob.hears("MESSAGE").body, b"3")

    def test_a_cumulative_ack_covers_what_had_come_when_it_was_sent(self) -> None:
        self.bob.subscribes("/queue/a", ack="client")
        send(self.ann, "/queue/a", "1", "2")
        two = self.bob.everything()[1]
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(two, transaction="t")
        send(self.ann, "/queue/a", "3")
        self.bob.says("COMMIT", transaction="t")
        self.bob.hangs_up()
        cid = self.broker.connect()
        cid.subscribes("/queue/a")
        self.assertEqual(cid.hears_bodies(), [b"3"])

    def test_commit_after_unsubscribe_still_acknowledges(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        send(self.ann, "/queue/a", "1")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(self.bob.hears("MESSAGE"), transaction="t")
        self.bob.says("UNSUBSCRIBE", id="1")
        self.bob.says("COMMIT", transaction="t")
        self.assertEqual(self.broker.engine.octets, 0)

    def test_abort_after_unsubscribe_gives_the_message_to_another(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        send(self.ann, "/queue/a", "1")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(self.bob.hears("MESSAGE"), transaction="t")
        self.bob.says("UNSUBSCRIBE", id="1")
        self.bob.says("ABORT", transaction="t")
        cid = self.broker.connect()
        cid.subscribes("/queue/a")
        self.assertEqual(cid.hears_bodies(), [b"1"])

    def test_a_nack_in_it_takes_effect_at_commit(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        send(self.ann, "/queue/a", "1")
        self.bob.says("BEGIN", transaction="t")
        self.bob.nacks(self.bob.hears("MESSAGE"), transaction="t")
        self.broker.clock.advance(5)
        self.assertTrue(self.bob.hears_nothing())
        self.bob.says("COMMIT", transaction="t")
        self.broker.clock.advance(0.2)
        self.assertEqual(self.bob.hears("MESSAGE").headers["redelivered"], "true")

    def test_topics_and_queues_in_one(self) -> None:
        self.bob.subscribes("/queue/a", id="q")
        self.bob.subscribes("/topic/a", id="t")
        self.ann.says("BEGIN", transaction="t")
        send(self.ann, "/topic/a", "1", transaction="t")
        send(self.ann, "/queue/a", "2", transaction="t")
        self.ann.says("COMMIT", transaction="t")
        self.assertEqual(self.bob.hears_bodies(), [b"1", b"2"])
