"""What the test suites of ActiveMQ, Artemis and Apollo ask of a broker, beyond the specification.

Clients have come to lean on it.  What follows from the specification alone is tested with its clauses;
what the brokers do not agree on is decided in docs/conformance.md.
"""

from twisted.internet.defer import Deferred

from stomp_tx.errors import EngineError
from stomp_tx.wire.frame import Frame
from tests.conformance import promises
from tests.conversation import Broker, Client

VERSIONS = ("1.0", "1.1", "1.2")
CLIENT_MODES = ("client", "client-individual")


class ConnectingTests(promises.Conversation):
    """CONNECT and CONNECTED."""

    def test_request_id_comes_back_as_response_id(self) -> None:
        for version in VERSIONS:
            dave = self.broker.dial()
            dave.says("CONNECT", {"accept-version": version, "host": "test", "request-id": "r:1"})
            self.assertEqual(dave.hears("CONNECTED").headers["response-id"], "r:1")

    def test_the_server_header_can_be_switched_off(self) -> None:
        dave = Broker(server="").dial()
        dave.says("CONNECT", {"accept-version": "1.2", "host": "test"})
        self.assertNotIn("server", dave.hears("CONNECTED").headers)

    def test_one_port_serves_all_versions(self) -> None:
        clients = [self.broker.connect(version) for version in VERSIONS]
        for client in clients:
            client.subscribes("/topic/a")
        self.send("hi", to="/topic/a")
        for client in clients:
            self.hears(client, "hi")

    def test_connections_that_come_and_go_leave_nothing_behind(self) -> None:
        sessions = len(self.broker.factory.sessions)
        for number in range(500):
            dave = self.connect(heart_beat="1000,1000")
            dave.subscribes("/queue/a", ack="client")
            if number % 2:
                dave.says("DISCONNECT")
            dave.hangs_up()
        self.assertEqual(len(self.broker.factory.sessions), sessions)
        self.assertEqual(self.broker.clock.getDelayedCalls(), [])
        self.assertEqual(list(self.broker.factory.registry), [])

    def test_heart_beats_end_with_the_connection(self) -> None:
        dave, erin = self.connect(heart_beat="0,1000"), self.connect(heart_beat="0,1000")
        dave.says("FOO")
        dave.fails("unknown command")
        erin.hangs_up()
        self.broker.clock.pump([1.0] * 4)
        self.assertEqual(dave.transport.value() + erin.transport.value(), b"")


class BodyTests(promises.Conversation):
    """Bodies and headers arrive as they were sent."""

    def test_fifty_binary_bodies_in_a_row_keep_their_framing(self) -> None:
        self.bob.subscribes("/queue/a")
        for number in range(50):
            self.ann.says("SEND", destination="/queue/a", body=b"\0\n\0SEND\n\n" * number)
        self.assertEqual(self.bob.hears_bodies(), [b"\0\n\0SEND\n\n" * number for number in range(50)])

    def test_a_body_of_three_megabytes_without_content_length(self) -> None:
        self.bob.subscribes("/queue/a")
        body = b"0123456789abcdef" * (3 * 65536)
        octets = b"SEND\ndestination:/queue/a\n\n%b\0" % body
        for start in range(0, len(octets), 65536):
            self.ann.sends(octets[start : start + 65536])
        self.assertEqual(self.bob.hears_bodies(), [body])

    def test_header_lines_of_four_kilobytes(self) -> None:
        self.bob.subscribes("/queue/a")
        self.send("hi", long="x" * 4096)
        self.assertEqual(self.bob.hears("MESSAGE").headers["long"], "x" * 4096)

    def test_a_message_has_no_header_that_nobody_asked_for(self) -> None:
        for mode, more in (("auto", set[str]()), ("client", {"ack"})):
            bob = self.connect()
            bob.subscribes("/queue/a", ack=mode)
            self.send("hi")
            names = {"subscription", "message-id", "destination", "content-length"}
            self.assertEqual(set(bob.hears("MESSAGE").headers), names | more)
            bob.says("DISCONNECT")

    def test_headers_that_other_brokers_read_are_passed_on(self) -> None:
        headers = {
            "correlation-id": "c123",
            "type": "t345",
            "priority": "3",
            "reply-to": "sms:8139993334444",
            "persistent": "true",
            "expires": "0",
            "timestamp": "1",
            "JMSXGroupID": "abc",
        }
        self.bob.subscribes("/queue/a")
        self.ann.says("SEND", headers, destination="/queue/a")
        heard = self.bob.hears("MESSAGE").headers
        self.assertEqual({name: heard[name] for name in headers}, headers)

    def test_one_line_feed_stands_between_frames(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.send("1", "2", persistent="true")
        for message in self.bob.everything():
            self.bob.nacks(message, receipt="1")
        self.broker.clock.advance(1)
        self.bob.everything()
        ends = self.bob.octets.split(b"\0")[:-1]
        self.assertEqual(len(ends), 1 + 2 + 2 + 2)
        for number, frame in enumerate(ends):
            self.assertRegex(frame, rb"^%b(CONNECTED|MESSAGE|RECEIPT)\n" % (b"\n" if number else b""))


class OrderTests(promises.Conversation):
    """A queue is a queue."""

    def test_messages_come_in_the_order_sent_after_a_pause_too(self) -> None:
        bodies = [str(number) for number in range(1000)]
        self.bob.subscribes("/queue/a")
        self.send(*bodies[:500])
        self.broker.clock.advance(10)
        self.send(*bodies[500:])
        self.hears(self.bob, *bodies)

    def test_ten_thousand_over_a_hundred_connections(self) -> None:
        bodies = [str(number) for number in range(10_000)]
        self.send(*bodies)
        for start in range(0, 10_000, 100):
            bob = self.connect()
            bob.subscribes("/queue/a", ack="client", **{"prefetch-count": "100"})
            messages = self.hears(bob, *bodies[start : start + 100])
            bob.acks(messages[-1])
            bob.says("DISCONNECT")
        self.waits_in("/queue/a")

    def test_consumers_share_a_queue_alike(self) -> None:
        carol = self.connect()
        self.bob.subscribes("/queue/a")
        carol.subscribes("/queue/a")
        self.send("1", "2", "3", "4")
        self.hears(self.bob, "1", "3")
        self.hears(carol, "2", "4")

    def test_a_queue_nobody_has_made_takes_messages(self) -> None:
        self.send("hi", to="/queue/new", receipt="1")
        self.hears_receipts(self.ann, "1")
        self.waits_in("/queue/new", "hi")

    def test_a_queue_that_its_last_consumer_left_is_made_again(self) -> None:
        for body in "123":
            self.bob.subscribes("/queue/a", id=body)
            self.bob.says("UNSUBSCRIBE", id=body)
            self.send(body)
            self.waits_in("/queue/a", body)

    def test_unacknowledged_messages_go_back_in_order_in_front_of_newer_ones(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.send("1", "2", "3")
        self.bob.acks(self.hears(self.bob, "1", "2", "3")[1])
        self.bob.says("UNSUBSCRIBE", id="1")
        self.send("4")
        self.waits_in("/queue/a", "1", "3", "4")


class ReceiptTests(promises.Conversation):
    """RECEIPT, whoever listens."""

    def test_send_to_a_topic_is_receipted_heard_or_not(self) -> None:
        self.send("hi", to="/topic/a", receipt="unheard")
        self.bob.subscribes("/topic/a")
        self.send("hi", to="/topic/a", receipt="heard")
        self.hears_receipts(self.ann, "unheard", "heard")

    def test_send_in_a_transaction_is_receipted_at_once(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("hi", transaction="t", receipt="1")
        self.hears_receipts(self.ann, "1")
        self.ann.says("COMMIT", transaction="t", receipt="2")
        self.hears_receipts(self.ann, "2")

    def test_a_receipt_waits_until_the_engine_calls_it_safe(self) -> None:
        safe: Deferred[None] = Deferred()
        self.patch(self.broker.engine, "append", lambda message: safe)
        self.send("hi", receipt="1")
        self.assertTrue(self.ann.hears_nothing())
        safe.callback(None)
        self.broker.clock.advance(0)
        self.hears_receipts(self.ann, "1")

    def test_what_fails_while_disconnect_waits_is_told(self) -> None:
        safe: Deferred[None] = Deferred()
        self.patch(self.broker.engine, "append", lambda message: safe)
        self.send("hi", receipt="1")
        self.ann.says("DISCONNECT", receipt="2")
        safe.errback(EngineError("disk full"))
        safe.addErrback(lambda _: None)  # the engine does so when all have heard
        self.assertEqual(self.ann.fails("disk full").headers["receipt-id"], "1")


class TopicTests(promises.Conversation):
    """A topic's messages are for whoever listens."""

    def test_a_new_subscription_hears_the_very_next_message(self) -> None:
        for number in range(500):
            dave = self.connect()
            dave.subscribes("/topic/a", receipt="1")
            dave.hears("RECEIPT")
            self.send(str(number), to="/topic/a")
            self.hears(dave, str(number))
            dave.says("UNSUBSCRIBE", id="1")
            dave.says("DISCONNECT")
            dave.hangs_up()

    def test_a_topic_takes_messages_after_its_subscriber_has_gone(self) -> None:
        self.bob.subscribes("/topic/a")
        self.bob.hangs_up()
        self.send("hi", to="/topic/a", receipt="1")
        self.hears_receipts(self.ann, "1")

    def test_queue_and_topic_of_one_name_are_two_things(self) -> None:
        self.bob.subscribes("/queue/a", id="queue")
        self.bob.subscribes("/topic/a", id="topic")
        self.send("q")
        self.send("t", to="/topic/a")
        heard = [(one.headers["subscription"], one.body) for one in self.hears(self.bob, "q", "t")]
        self.assertEqual(heard, [("queue", b"q"), ("topic", b"t")])

    def test_a_name_without_a_prefix_is_a_queue(self) -> None:
        self.send("hi", to="a")
        self.waits_in("/queue/a", "hi")

    def test_twenty_one_subscriptions_of_each_connection_hear_everything(self) -> None:
        clients = [self.connect() for _ in range(20)]
        for client in clients:
            for number in range(21):
                client.subscribes(f"/topic/{number}", id=str(number))
        for number in range(21):
            self.send(str(number), to=f"/topic/{number}")
        for client in clients:
            self.hears(client, *map(str, range(21)))


class AckTests(promises.Conversation):
    """ACK and NACK."""

    def test_an_ack_right_before_the_end_counts(self) -> None:
        leaves: dict[str, bytes] = {"with DISCONNECT": b"DISCONNECT\n\n\0", "without": b""}
        for how, end in leaves.items():
            bob = self.connect()
            bob.subscribes("/queue/a", ack="client-individual")
            self.send(how)
            (message,) = self.hears(bob, how)
            bob.sends(Frame("ACK", {"id": message.headers["ack"]}).encode() + end)
            bob.hangs_up()
            self.waits_in("/queue/a")

    def test_the_second_delivery_is_marked_redelivered(self) -> None:
        for version in VERSIONS:
            bob, carol = self.broker.connect(version), self.broker.connect(version)
            bob.subscribes("/queue/a", ack="client")
            self.send("hi")
            self.assertNotIn("redelivered", bob.hears("MESSAGE").headers)
            bob.hangs_up()
            carol.subscribes("/queue/a")
            self.assertEqual(carol.hears("MESSAGE").headers["redelivered"], "true")
            carol.hangs_up()

    def test_an_ack_of_what_a_cumulative_one_covered_is_no_error(self) -> None:
        for version in VERSIONS:
            bob = self.broker.connect(version)
            bob.subscribes("/queue/a", ack="client")
            self.send("1", "2", "3")
            first, second, third = self.hears(bob, "1", "2", "3")
            bob.acks(third, receipt="3")
            bob.acks(first, receipt="1")
            bob.acks(second, receipt="2")
            self.hears_receipts(bob, "3", "1", "2")
            bob.hangs_up()

    def test_a_second_ack_is_an_error_in_client_individual(self) -> None:
        for version in ("1.1", "1.2"):
            bob = self.broker.connect(version)
            bob.subscribes("/queue/a", ack="client-individual")
            self.send("1")
            (message,) = self.hears(bob, "1")
            bob.acks(message)
            bob.acks(message)
            bob.fails("no such message")

    def test_an_ack_after_unsubscribe_is_no_error_and_changes_nothing(self) -> None:
        for version in VERSIONS:
            bob = self.broker.connect(version)
            bob.subscribes("/queue/a", ack="client-individual")
            self.send("1")
            (message,) = self.hears(bob, "1")
            bob.says("UNSUBSCRIBE", id="1")
            bob.acks(message, receipt="1")
            self.hears_receipts(bob, "1")
            self.waits_in("/queue/a", "1")

    def test_ack_and_nack_in_turn_empty_the_queue(self) -> None:
        for mode in CLIENT_MODES:
            bob = self.connect()
            bob.subscribes("/queue/a", ack=mode)
            self.send(*map(str, range(20)))
            for number, message in enumerate(self.hears(bob, *map(str, range(20)))):
                bob.acks(message, "NACK" if number % 2 else "ACK", requeue="false")
            bob.hangs_up()
            self.waits_in("/queue/a")

    def test_two_acknowledged_then_the_other_1998_by_the_next_connection(self) -> None:
        bodies = [str(number) for number in range(2000)]
        self.send(*bodies)
        self.bob.subscribes("/queue/a", ack="client-individual")
        for message in self.hears(self.bob, *bodies[:1000])[:2]:
            self.bob.acks(message)
        self.bob.hangs_up()
        carol = self.connect()
        carol.subscribes("/queue/a", ack="client-individual", **{"prefetch-count": "2000"})
        for message in self.hears(carol, *bodies[2:]):
            carol.acks(message)
        carol.hangs_up()
        self.waits_in("/queue/a")
        self.assertEqual(self.broker.engine.octets, 0)

    def test_prefetch_size_one_lets_one_out_at_a_time(self) -> None:
        for header in ("activemq.prefetchSize", "prefetch-count"):
            bob = self.connect()
            bob.subscribes("/queue/a", ack="client", **{header: "1"})
            self.send("1", "2", "3")
            for body in "123":
                (message,) = self.hears(bob, body)
                bob.acks(message)
            bob.hangs_up()

    def test_both_of_two_messages_are_out_before_the_first_ack(self) -> None:
        for mode in CLIENT_MODES:
            bob = self.connect()
            bob.subscribes("/queue/a", ack=mode)
            self.send("1", "2")
            for message in self.hears(bob, "1", "2"):
                bob.acks(message)
            bob.hangs_up()


class TransactionTests(promises.Conversation):
    """BEGIN to COMMIT or ABORT."""

    def consume(self, *bodies: str, mode: str = "client-individual", **headers: str) -> list[Frame]:
        """bob has been given these messages."""
        self.bob.subscribes("/queue/a", ack=mode, **headers)
        self.send(*bodies)
        return self.hears(self.bob, *bodies)

    def test_sends_outside_overtake_those_inside(self) -> None:
        for destination in ("/queue/a", "/topic/a"):
            carol = self.connect()
            carol.subscribes(destination)
            self.send("m1", to=destination)
            self.ann.says("BEGIN", transaction="t")
            self.send("t1", "t2", to=destination, transaction="t")
            self.send("m2", to=destination)
            self.ann.says("COMMIT", transaction="t")
            self.send("m3", to=destination)
            self.hears(carol, "m1", "m2", "t1", "t2", "m3")

    def test_after_abort_they_can_be_acknowledged_again_and_do_not_come_again(self) -> None:
        for mode in CLIENT_MODES:
            for command in ("ACK", "NACK"):
                self.bob = self.connect()
                first, second = self.consume("1", "2", mode=mode)
                self.bob.says("BEGIN", transaction="t")
                self.bob.acks(first, transaction="t")
                self.bob.acks(second, transaction="t")
                self.bob.says("ABORT", transaction="t")
                self.assertTrue(self.bob.hears_nothing())
                self.bob.acks(first, command, requeue="false", receipt="1")
                self.bob.acks(second, command, requeue="false", receipt="2")
                self.hears_receipts(self.bob, "1", "2")
                self.bob.hangs_up()
                self.waits_in("/queue/a")

    def test_acks_in_a_transaction_may_come_out_of_order(self) -> None:
        first, second = self.consume("1", "2")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(second, transaction="t")
        self.bob.acks(first, transaction="t")
        self.bob.says("COMMIT", transaction="t")
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    def test_acks_inside_and_outside_mix(self) -> None:
        first, second, third = self.consume("1", "2", "3")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(first, transaction="t")
        self.bob.acks(second)
        self.bob.acks(third, transaction="t")
        self.bob.says("ABORT", transaction="t")
        self.bob.hangs_up()
        self.waits_in("/queue/a", "1", "3")

    def test_fifty_messages_each_in_its_own_transaction_one_at_a_time(self) -> None:
        self.send(*map(str, range(50)))
        self.bob.subscribes("/queue/a", ack="client-individual", **{"prefetch-count": "1"})
        for number in range(50):
            (message,) = self.hears(self.bob, str(number))
            self.bob.says("BEGIN", transaction=str(number))
            self.bob.acks(message, transaction=str(number))
            self.bob.says("COMMIT", transaction=str(number))
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    def test_one_transaction_over_several_destinations(self) -> None:
        (message,) = self.consume("in")
        self.bob.subscribes("/topic/b", id="b")
        self.bob.says("BEGIN", transaction="ID:tx1")
        self.bob.acks(message, transaction="ID:tx1")
        self.send("topic", by=self.bob, to="/topic/b", transaction="ID:tx1")
        self.send("queue", by=self.bob, to="/queue/c", transaction="ID:tx1")
        self.bob.says("COMMIT", transaction="ID:tx1", receipt="1")
        self.assertEqual([one.command for one in self.bob.everything()], ["MESSAGE", "RECEIPT"])
        self.waits_in("/queue/c", "queue")
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    def test_receiving_goes_on_while_one_is_open(self) -> None:
        self.bob.says("BEGIN", transaction="t")
        (message,) = self.consume("1")
        self.bob.acks(message, transaction="t")
        self.send("2")
        self.hears(self.bob, "2")

    def test_after_abort_a_cumulative_ack_covers_what_it_did_before(self) -> None:
        # A refused message comes again behind those sent meanwhile, though it is older than they are.
        first, *_ = self.consume("1", "2", "3", mode="client")
        self.bob.nacks(first)
        self.broker.clock.advance(1)
        (first,) = self.hears(self.bob, "1")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(first, transaction="t")
        self.bob.says("ABORT", transaction="t")
        self.bob.acks(first)
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    def test_after_abort_the_order_of_a_topic_s_deliveries_is_as_it_was(self) -> None:
        self.bob.subscribes("/topic/a", ack="client", **{"prefetch-count": "3"})
        self.send("1", "2", "3", "4", "5", to="/topic/a")
        first, second, _ = self.hears(self.bob, "1", "2", "3")
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(second, transaction="t")
        self.hears(self.bob, "4", "5")
        self.bob.says("ABORT", transaction="t")
        self.bob.acks(first)  # it alone: two more than the prefetch are out still
        self.send("6", to="/topic/a")
        self.assertTrue(self.bob.hears_nothing())

    def test_two_transactions_aborted_in_any_order_leave_the_order_as_it_was(self) -> None:
        first, second, _ = self.consume("1", "2", "3", mode="client")
        for name, message in (("t", first), ("u", second)):
            self.bob.says("BEGIN", transaction=name)
            self.bob.acks(message, transaction=name)
        self.bob.says("ABORT", transaction="t")
        self.bob.says("ABORT", transaction="u")
        self.bob.acks(second)
        self.bob.hangs_up()
        self.waits_in("/queue/a", "3")

    def test_abort_takes_the_credit_back(self) -> None:
        (held,) = self.consume("1", **{"prefetch-count": "1"})
        carol = self.connect()
        carol.subscribes("/queue/a", ack="client-individual", **{"prefetch-count": "1"})
        self.bob.says("BEGIN", transaction="t")
        self.bob.acks(held, transaction="t")
        self.bob.says("ABORT", transaction="t")
        self.send("2", "3", "4")
        for body in "234":
            self.assertTrue(self.bob.hears_nothing(), "bob holds as many as he takes")
            (message,) = self.hears(carol, body)
            carol.acks(message)


class CleanUpTests(promises.Conversation):
    """Nothing is left behind."""

    def test_twenty_rounds_of_subscribe_send_drop(self) -> None:
        for number in range(20):
            dave = self.connect()
            dave.subscribes("/queue/a", ack="client")
            self.send(str(number), by=dave)
            dave.hangs_up()
        self.waits_in("/queue/a", *map(str, range(20)))

    def test_counts_fall_to_zero_with_commit(self) -> None:
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.bob.says("BEGIN", transaction="t")
        self.send("1", "2", "3")
        for message in self.hears(self.bob, "1", "2", "3"):
            self.bob.acks(message, transaction="t")
        self.assertNotEqual(self.broker.engine.octets, 0)
        self.bob.says("COMMIT", transaction="t")
        self.assertEqual(self.broker.engine.octets, 0)

    def test_the_second_end_of_a_connection_gives_nothing_back_twice(self) -> None:
        for leaves in (Client.hangs_up, lambda one: one.says("FOO"), lambda one: one.says("DISCONNECT")):
            dave = self.connect()
            dave.subscribes("/queue/a", ack="client")
            self.send("1")
            self.hears(dave, "1")
            leaves(dave)
            dave.hangs_up()
            self.waits_in("/queue/a", "1")
