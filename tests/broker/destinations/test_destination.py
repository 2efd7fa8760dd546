"""broker/destinations/queue.py: who gets a message, and when."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from tests.conversation import Broker, Client


def send(client: Client, destination: str, *bodies: str, **headers: str) -> None:
    for body in bodies:
        client.says("SEND", {"destination": destination}, body.encode(), **headers)


class QueueTests(SynchronousTestCase):
    """Each message to one subscription, round-robin among those that are ready."""

    def setUp(self) -> None:
        self.broker = Broker()
        self.ann = self.broker.connect()

    def consumer(self, ack: str = "auto", **headers: str) -> Client:
        client = self.broker.connect()
        client.subscribes("/queue/a", ack=ack, **headers)
        return client

    def test_consumers_take_turns(self) -> None:
        bob, cid = self.consumer(), self.consumer()
        send(self.ann, "/queue/a", "1", "2", "3", "4")
        self.assertEqual(bob.hears_bodies(), [b"1", b"3"])
        self.assertEqual(cid.hears_bodies(), [b"2", b"4"])

    def test_messages_wait_for_a_consumer_in_their_order(self) -> None:
        send(self.ann, "/queue/a", "1", "2", "3")
        self.assertEqual(self.consumer().hears_bodies(), [b"1", b"2", b"3"])

    def test_a_consumer_without_credit_is_passed_over(self) -> None:
        bob = self.consumer("client", prefetch_count="1")
        cid = self.consumer("client", prefetch_count="10")
        send(self.ann, "/queue/a", "1", "2", "3", "4")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.assertEqual(cid.hears_bodies(), [b"2", b"3", b"4"])

    def test_a_consumer_holds_at_most_its_prefetch(self) -> None:
        bob = self.consumer("client-individual", prefetch_count="2")
        send(self.ann, "/queue/a", "1", "2", "3", "4")
        first, second = bob.hears("MESSAGE"), bob.hears("MESSAGE")
        self.assertTrue(bob.hears_nothing())
        bob.acks(second)
        self.assertEqual(bob.hears("MESSAGE").body, b"3")
        bob.acks(first)
        self.assertEqual(bob.hears("MESSAGE").body, b"4")

    def test_the_default_prefetch_is_a_thousand(self) -> None:
        bob = self.consumer("client")
        send(self.ann, "/queue/a", *map(str, range(1100)))
        self.assertEqual(len(bob.hears_bodies()), 1000)

    def test_a_cumulative_ack_frees_the_credit_of_all_it_covers(self) -> None:
        bob = self.consumer("client", **{"activemq.prefetchSize": "3"})
        send(self.ann, "/queue/a", "1", "2", "3", "4", "5", "6", "7")
        third = bob.everything()[2]
        bob.acks(third)
        self.assertEqual(bob.hears_bodies(), [b"4", b"5", b"6"])

    def test_auto_is_not_held_up_by_prefetch(self) -> None:
        send(self.ann, "/queue/a", *map(str, range(2500)))
        bob = self.consumer()
        self.broker.clock.pump([0.0] * 5)
        self.assertEqual(len(bob.hears_bodies()), 2500)

    def test_what_a_lost_consumer_held_goes_to_another_ahead_of_newer_ones(self) -> None:
        bob = self.consumer("client", prefetch_count="3")
        send(self.ann, "/queue/a", "1", "2", "3", "4", "5")
        bob.hangs_up()
        heard = self.consumer().everything()
        self.assertEqual([frame.body for frame in heard], [b"1", b"2", b"3", b"4", b"5"])
        self.assertEqual([frame.headers.get("redelivered") for frame in heard], ["true"] * 3 + [None] * 2)
        self.assertEqual(heard[0].headers["redelivery-count"], "1")

    def test_what_was_acknowledged_does_not_come_again(self) -> None:
        bob = self.consumer("client-individual")
        send(self.ann, "/queue/a", "1", "2", "3")
        bob.acks(bob.everything()[1])
        bob.hangs_up()
        self.assertEqual(self.consumer().hears_bodies(), [b"1", b"3"])

    def test_unsubscribing_gives_back_what_was_not_acknowledged(self) -> None:
        bob = self.consumer("client")
        send(self.ann, "/queue/a", "1", "2")
        bob.hears("MESSAGE")
        late = bob.hears("MESSAGE")
        bob.says("UNSUBSCRIBE", id="1", receipt="done")
        bob.hears("RECEIPT")
        self.assertEqual(self.consumer().hears_bodies(), [b"1", b"2"])
        bob.acks(late)  # it crossed the UNSUBSCRIBE: innocent
        self.assertTrue(bob.hears_nothing())

    def test_an_old_ack_does_not_reach_a_new_subscription_of_the_same_id(self) -> None:
        bob = self.consumer("client-individual")
        send(self.ann, "/queue/a", "1")
        old = bob.hears("MESSAGE")
        bob.says("UNSUBSCRIBE", id="1")
        bob.subscribes("/queue/a", ack="client-individual")
        bob.hears("MESSAGE")
        bob.acks(old)
        bob.hangs_up()
        self.assertEqual(self.consumer().hears_bodies(), [b"1"])

    def test_an_idle_queue_leaves_nothing_behind(self) -> None:
        bob = self.consumer("client")
        send(self.ann, "/queue/a", "1")
        bob.acks(bob.hears("MESSAGE"))
        bob.hangs_up()
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.engine.octets, 0)
        self.assertEqual(self.broker.engine._lanes, {})

    def test_many_subscriptions_come_and_go_without_a_trace(self) -> None:
        for number in range(1000):
            self.ann.subscribes("/queue/a", id=str(number), ack="client")
            self.ann.says("UNSUBSCRIBE", id=str(number))
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.engine._lanes, {})


class NackTests(SynchronousTestCase):
    """A refused message goes back to its place, to another consumer first, and never spins."""

    def setUp(self) -> None:
        self.broker = Broker()
        self.ann = self.broker.connect()
        self.bob = self.broker.connect()
        self.bob.subscribes("/queue/a", ack="client-individual")

    def test_another_consumer_gets_it_at_once(self) -> None:
        send(self.ann, "/queue/a", "1")
        message = self.bob.hears("MESSAGE")
        cid = self.broker.connect()
        cid.subscribes("/queue/a", ack="client-individual")
        self.bob.nacks(message)
        again = cid.hears("MESSAGE")
        self.assertEqual(again.headers["redelivered"], "true")
        self.assertEqual(again.headers["message-id"], message.headers["message-id"])
        self.assertTrue(self.bob.hears_nothing())

    def test_the_only_consumer_gets_it_after_a_while_and_each_time_later(self) -> None:
        send(self.ann, "/queue/a", "1")
        for delay in (0.1, 0.2, 0.4, 0.8):
            self.bob.nacks(self.bob.hears("MESSAGE"))
            self.broker.clock.advance(delay * 0.99)
            self.assertTrue(self.bob.hears_nothing())
            self.broker.clock.advance(delay * 0.02)
        self.assertEqual(self.bob.hears("MESSAGE").headers["redelivery-count"], "4")

    def test_each_delivery_has_a_fresh_ack_id_and_the_old_one_is_void(self) -> None:
        send(self.ann, "/queue/a", "1")
        first = self.bob.hears("MESSAGE")
        self.bob.nacks(first)
        self.broker.clock.advance(0.2)
        again = self.bob.hears("MESSAGE")
        self.assertNotEqual(again.headers["ack"], first.headers["ack"])
        self.bob.acks(first)
        self.bob.fails("no such message")

    def test_the_delay_has_an_upper_bound(self) -> None:
        broker = Broker(nack_delay=1.0, redelivery_delay_max=3.0)
        ann, bob = broker.connect(), broker.connect()
        bob.subscribes("/queue/a", ack="client-individual")
        send(ann, "/queue/a", "1")
        for _ in range(8):
            bob.nacks(bob.hears("MESSAGE"))
            broker.clock.advance(3.01)
        self.assertEqual(bob.hears("MESSAGE").headers["redelivery-count"], "8")

    def test_others_are_delivered_while_it_is_held(self) -> None:
        send(self.ann, "/queue/a", "1")
        self.bob.nacks(self.bob.hears("MESSAGE"))
        send(self.ann, "/queue/a", "2")
        self.assertEqual(self.bob.hears_bodies(), [b"2"])

    def test_a_consumer_who_comes_while_it_is_held_gets_it_first(self) -> None:
        send(self.ann, "/queue/a", "1", "2")
        one, two = self.bob.everything()
        self.bob.nacks(one)
        self.bob.nacks(two)
        cid = self.broker.connect()
        cid.subscribes("/queue/a", ack="client")
        self.assertEqual(cid.hears_bodies(), [b"1", b"2"])

    def test_it_outlives_the_consumer_who_refused_it(self) -> None:
        send(self.ann, "/queue/a", "1")
        self.bob.nacks(self.bob.hears("MESSAGE"))
        self.bob.hangs_up()
        self.broker.clock.advance(60)
        cid = self.broker.connect()
        cid.subscribes("/queue/a")
        self.assertEqual(cid.hears_bodies(), [b"1"])
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_the_credit_of_a_held_message_is_used_for_others(self) -> None:
        cid = self.broker.connect()
        cid.subscribes("/queue/b", ack="client-individual", prefetch_count="1")
        send(self.ann, "/queue/b", "1", "2", "3")
        cid.nacks(cid.hears("MESSAGE"))
        self.assertEqual(cid.hears("MESSAGE").body, b"2")
        self.broker.clock.advance(1)
        self.assertTrue(cid.hears_nothing())  # it is due, but its consumer has no credit

    def test_when_due_it_comes_before_newer_ones(self) -> None:
        cid = self.broker.connect()
        cid.subscribes("/queue/b", ack="client-individual", prefetch_count="1")
        send(self.ann, "/queue/b", "1", "2", "3")
        cid.nacks(cid.hears("MESSAGE"))
        two = cid.hears("MESSAGE")
        self.broker.clock.advance(1)
        cid.acks(two)
        self.assertEqual(cid.hears("MESSAGE").body, b"1")

    def test_requeue_false_gives_it_up(self) -> None:
        send(self.ann, "/queue/a", "1")
        self.bob.nacks(self.bob.hears("MESSAGE"), requeue="false")
        self.broker.clock.advance(60)
        self.assertTrue(self.bob.hears_nothing())
        self.ann.subscribes("/queue/DLQ.a")
        self.assertEqual(self.ann.hears("MESSAGE").headers["dead-letter-reason"], "rejected")
        self.assertEqual(self.broker.engine.octets, 0)

    def test_requeue_false_in_a_transaction_gives_it_up_at_commit(self) -> None:
        self.ann.subscribes("/queue/DLQ.a")
        send(self.ann, "/queue/a", "1")
        message = self.bob.hears("MESSAGE")
        for ending in ("ABORT", "COMMIT"):
            self.assertTrue(self.ann.hears_nothing())
            self.bob.says("BEGIN", transaction="t")
            self.bob.nacks(message, requeue="false", transaction="t")
            self.bob.says(ending, transaction="t")
        self.assertEqual(self.ann.hears_bodies(), [b"1"])
        self.assertEqual(self.broker.engine.octets, 0)

    def test_in_client_mode_it_refuses_all_before_it_too(self) -> None:
        cid = self.broker.connect()
        cid.subscribes("/queue/b", ack="client")
        send(self.ann, "/queue/b", "1", "2", "3")
        cid.nacks(cid.everything()[1])
        self.broker.clock.advance(0.2)
        self.assertEqual(cid.hears_bodies(), [b"1", b"2"])

    def test_a_thousand_refusals_leave_nothing_behind(self) -> None:
        send(self.ann, "/queue/a", *map(str, range(1000)))
        for message in self.bob.everything():
            self.bob.nacks(message)
        self.broker.clock.advance(0.2)
        for message in self.bob.everything():
            self.bob.acks(message)
        self.assertEqual(self.broker.engine.octets, 0)
        self.bob.hangs_up()
        self.ann.hangs_up()
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_at_a_topic_it_comes_again_to_the_same_subscription(self) -> None:
        cid = self.broker.connect()
        cid.subscribes("/topic/b", ack="client-individual")
        send(self.ann, "/topic/b", "1")
        cid.nacks(cid.hears("MESSAGE"))
        self.assertTrue(cid.hears_nothing())
        self.broker.clock.advance(0.2)
        again = cid.hears("MESSAGE")
        self.assertEqual(again.headers["redelivery-count"], "1")
        cid.acks(again)


class SlowReaderTests(SynchronousTestCase):
    """A consumer that stops reading is given no more, and harms nobody."""

    def test_what_it_can_not_take_goes_to_others(self) -> None:
        broker = Broker()
        ann, bob, cid = broker.connect(), broker.connect(), broker.connect()
        bob.subscribes("/queue/a")
        cid.subscribes("/queue/a")
        bob.transport.producer.pauseProducing()
        send(ann, "/queue/a", "1", "2", "3")
        self.assertEqual(cid.hears_bodies(), [b"1", b"2", b"3"])
        bob.transport.producer.resumeProducing()
        send(ann, "/queue/a", "4", "5")
        self.assertEqual(len(bob.hears_bodies()), 1)

    def test_a_backlog_stops_where_its_transport_is_full(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        send(ann, "/queue/a", *["x" * 1000] * 5000)
        bob.transport.room = 100_000
        bob.subscribes("/queue/a")
        got = len(bob.transport.value())
        self.assertLess(got, 1_500_000)
        count = 0
        for _ in range(20):
            count += len(bob.hears_bodies())
            bob.transport.producer.resumeProducing()
        self.assertEqual(count, 5000)

    def test_big_bodies_fill_it_one_at_a_time(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        send(ann, "/queue/a", *["x" * 200_000] * 20)
        bob.transport.room = 300_000
        bob.subscribes("/queue/a", ack="client-individual")
        self.assertLess(len(bob.transport.value()), 700_000)


class FullQueueTests(SynchronousTestCase):
    """At a full queue producers wait; nothing grows without bound."""

    def test_a_producer_is_paused_until_there_is_room(self) -> None:
        broker = Broker(EngineLimits(queue_length=10))
        ann, bob = broker.connect(), broker.connect()
        send(ann, "/queue/a", *map(str, range(10)))
        send(ann, "/queue/a", "10", "11")  # what comes is kept, and nothing more is read
        self.assertEqual(ann.transport.producerState, "paused")
        self.assertEqual(len(broker.engine._lanes["/queue/a"].waiting.messages), 10)
        bob.subscribes("/queue/a")
        self.assertEqual(ann.transport.producerState, "producing")
        self.assertEqual(bob.hears_bodies(), [str(number).encode() for number in range(12)])

    def test_what_was_kept_is_receipted_and_what_waits_is_not(self) -> None:
        broker = Broker(EngineLimits(queue_length=1))
        ann = broker.connect()
        send(ann, "/queue/a", "1", receipt="1")
        send(ann, "/queue/a", "2", receipt="2")
        self.assertEqual([frame.headers["receipt-id"] for frame in ann.everything()], ["1"])

    def test_other_queues_and_other_producers_go_on(self) -> None:
        broker = Broker(EngineLimits(queue_length=1))
        ann, bob = broker.connect(), broker.connect()
        send(ann, "/queue/a", "1")
        bob.subscribes("/queue/b")
        send(bob, "/queue/b", "2")
        self.assertEqual(bob.hears_bodies(), [b"2"])

    def test_the_octets_of_all_queues_are_bounded_together(self) -> None:
        broker = Broker(EngineLimits(total_octets=10_000))
        ann = broker.connect()
        for number in range(100):
            send(ann, f"/queue/{number}", "x")
        self.assertEqual(ann.transport.producerState, "paused")
        self.assertLess(broker.engine.octets, 12_000)

    def test_a_connection_that_consumes_from_it_is_refused_not_paused(self) -> None:
        """Paused, it could not send the ACKs that would make room."""
        broker = Broker(EngineLimits(queue_length=5))
        ann = broker.connect()
        ann.subscribes("/queue/a", ack="client", prefetch_count="1")
        for number in range(7):
            send(ann, "/queue/a", str(number), receipt=str(number))
        heard = ann.everything()
        self.assertEqual([frame.command for frame in heard], ["MESSAGE", *["RECEIPT"] * 6, "ERROR"])
        self.assertEqual(heard[-1].headers["message"], "queue full")
        self.assertEqual(heard[-1].headers["receipt-id"], "6")
        self.assertTrue(ann.is_closed)

    def test_but_when_there_is_room_again_it_goes_on(self) -> None:
        broker = Broker(EngineLimits(queue_length=5))
        ann, bob = broker.connect(), broker.connect()
        ann.subscribes("/queue/a", ack="client", prefetch_count="1")
        send(ann, "/queue/a", *map(str, range(6)))
        bob.subscribes("/queue/a")
        send(ann, "/queue/a", *map(str, range(6, 20)))
        self.assertFalse(ann.is_closed)
        self.assertEqual(len(bob.hears_bodies()), 19)

    def test_transactions_are_no_way_around_it(self) -> None:
        broker = Broker(EngineLimits(queue_length=10))
        ann, bob = broker.connect(), broker.connect()
        bob.subscribes("/queue/a", ack="client", prefetch_count="1")
        for client in (ann, bob):
            for number in range(30):
                client.says("BEGIN", transaction="t")
                send(client, "/queue/a", str(number), transaction="t")
                client.says("COMMIT", transaction="t")
        self.assertEqual(ann.transport.producerState, "paused")
        bob.hears("MESSAGE")
        bob.fails("queue full")
        waiting = broker.engine._lanes["/queue/a"].waiting.messages
        self.assertLessEqual(len(waiting), 11)  # and what bob gave back

    def test_nor_is_one_that_consumes_from_it_kept_from_acknowledging_by_its_commit(self) -> None:
        for headers in ({}, {"priority": "7"}):
            self.commits_too_much(**headers)

    def commits_too_much(self, **headers: str) -> None:
        broker = Broker(length=2)
        ann = broker.connect()
        ann.subscribes("/queue/a", ack="client-individual", prefetch_count="1")
        ann.says("BEGIN", transaction="t")
        send(ann, "/queue/a", *"12345", transaction="t", **headers)
        ann.says("COMMIT", transaction="t", receipt="c")
        message, receipt = ann.everything()
        self.assertEqual(receipt.headers["receipt-id"], "c")
        for number in range(5):
            self.assertEqual(message.body, str(number + 1).encode())
            ann.acks(message)
            if number < 4:
                message = ann.hears("MESSAGE")
        ann.says("BEGIN", transaction="u")
        send(ann, "/queue/a", *"1234", transaction="u")
        ann.says("COMMIT", transaction="u")
        ann.says("BEGIN", transaction="v")
        send(ann, "/queue/a", "5", transaction="v")
        ann.says("COMMIT", transaction="v")
        ann.hears("MESSAGE")
        ann.fails("queue full")

    def test_a_waiting_producer_that_hangs_up_is_forgotten(self) -> None:
        broker = Broker(EngineLimits(queue_length=1))
        ann, bob = broker.connect(), broker.connect()
        send(ann, "/queue/a", "1", "2")
        ann.hangs_up()
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.assertEqual(broker.engine._room.lines, {})
