"""What clients and strangers do that no clause names, and what brokers have been seen to do wrong."""

from twisted.internet.defer import Deferred

from stomp_tx.engine.limits import EngineLimits
from tests.conformance import promises
from tests.conversation import Broker

VERSIONS = ("1.0", "1.1", "1.2")


class OctetTests(promises.Conversation):
    """However the octets come, and however they leave."""

    def test_a_conversation_may_arrive_octet_by_octet(self) -> None:
        octets = (
            b"\nCONNECT\naccept-version:1.2\nhost:test\n\n\0"
            b"SUBSCRIBE\r\nid:1\r\ndestination:/queue/a\r\n\r\n\0\r\n"
            b"SEND\ndestination:/queue/a\ncontent-length:3\n\na\0b\0\n\n"
            b"DISCONNECT\nreceipt:1\n\n\0"
        )
        for size in (1, 2, 3, 7, len(octets)):
            dave = self.dial()
            for start in range(0, len(octets), size):
                dave.sends(octets[start : start + size])
            heard = [(frame.command, frame.body) for frame in dave.everything()]
            self.assertEqual(heard, [("CONNECTED", b""), ("MESSAGE", b"a\0b"), ("RECEIPT", b"")])

    def test_stray_nuls_between_frames_are_skipped(self) -> None:
        self.ann.sends(b"\0\0\n\0SEND\ndestination:/queue/a\n\nhi\0\0\0")
        self.waits_in("/queue/a", "hi")

    def test_a_message_leaves_in_one_write(self) -> None:
        self.bob.subscribes("/queue/a")
        writes: list[bytes] = []
        self.patch(self.bob.transport, "write", writes.append)
        self.send("hi")
        self.assertEqual(len(writes), 1)
        self.assertTrue(writes[0].startswith(b"MESSAGE\n") and writes[0].endswith(b"hi\0\n"))

    def test_frames_end_in_a_line_feed_for_clients_that_wait_for_one(self) -> None:
        """PHP's own extension, and what else reads by lines: RabbitMQ and ActiveMQ send one by default."""
        for settings, end in (({}, b"hi\0\n"), ({"trailing_eol": False}, b"hi\0")):
            dave = Broker(**settings).connect()
            dave.subscribes("/queue/a")
            dave.says("SEND", destination="/queue/a", body=b"hi")
            message = dave.hears("MESSAGE")
            self.assertEqual(message.headers["content-length"], "2")
            self.assertTrue(dave.octets.endswith(end))

    def test_other_protocols_are_told_what_this_one_is(self) -> None:
        dave = self.dial()
        dave.sends(b"GET / HTTP/1.1\r\nHost: test\r\n")
        dave.fails("this is an HTTP request")

    def test_who_speaks_tls_gets_no_frame(self) -> None:
        """It would be taken for a broken record: the close says as much."""
        for octets in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x15\x03\x01\x00\x02\x02"):
            dave = self.dial()
            dave.sends(octets)
            self.assertEqual(dave.octets, b"")
            self.assertTrue(dave.is_closed)

    def test_a_stranger_has_less_room(self) -> None:
        for octets in (b"CONNECT\npasscode:" + b"x" * 70_000, b"CONNECT\n" + b"a:b\n" * 20_000):
            dave = self.dial()
            dave.sends(octets)
            dave.fails("too long")
        dave = self.dial()
        dave.sends(b"\n" * 70_000)
        dave.fails("too many octets before CONNECT")
        self.ann.sends(b"\n" * 70_000 + b"SEND\ndestination:/queue/a\n\n" + b"x" * 70_000)
        self.assertFalse(self.ann.is_closed)

    def test_who_goes_on_after_the_end_is_cut(self) -> None:
        dave = self.dial()
        dave.sends(b"x\n\n\0")
        dave.fails("")
        for _ in range(16):
            dave.sends(b"x" * 1024 * 1024)
        self.assertFalse(dave.transport.aborted)
        dave.sends(b"x")
        self.assertTrue(dave.transport.aborted)

    def test_an_error_before_the_version_is_agreed_on_needs_no_escape(self) -> None:
        for receipt, receipt_id in (("7", "7"), ("a:b", None), ("a\\b", None)):
            dave = self.dial()
            dave.sends(f"SEND\ndestination:/queue/a\nreceipt:{receipt}\n\nhi\0".encode())
            error = dave.fails("not connected")
            self.assertEqual(error.headers.get("receipt-id"), receipt_id)
            self.assertNotIn(b"\\", dave.octets.partition(b"\n\n")[0])

    def test_destinations_with_control_characters_are_refused(self) -> None:
        for name in ("/queue/a\nb", "/queue/\x1b[2J", "/queue/\x7f"):
            dave = self.connect()
            dave.says("SUBSCRIBE", id="1", destination=name)
            dave.fails("control characters in a destination")

    def test_the_broker_s_headers_stand_first(self) -> None:
        self.bob.subscribes("/queue/a", ack="client")
        self.ann.sends(b"SEND\nfoo:bar\ndestination:/queue/a\nsubscription:evil\n\nhi\0")
        names = list(self.bob.hears("MESSAGE").headers)
        self.assertEqual(names[:5], ["subscription", "ack", "message-id", "destination", "foo"])

    def test_subscribe_is_in_no_transaction(self) -> None:
        self.bob.says("BEGIN", transaction="t")
        for transaction in ("t", "no such one"):
            self.bob.subscribes("/queue/a", id=transaction, transaction=transaction)
            self.send("hi")
            self.hears(self.bob, "hi")
            self.bob.says("UNSUBSCRIBE", id=transaction)

    def test_versions_may_be_left_out(self) -> None:
        dave = Broker(versions=("1.1", "1.2")).dial()
        dave.sends(b"CONNECT\nlogin:dave\n\n\0")
        self.assertEqual(dave.fails("no common protocol version").headers["version"], "1.1,1.2")


class HeartBeatTests(promises.Conversation):
    """Heart-beats where more goes on than silence."""

    def test_connected_comes_before_the_first_beat(self) -> None:
        dave = self.dial()
        dave.says("CONNECT", {"accept-version": "1.2", "host": "test", "heart-beat": "0,500"})
        self.broker.clock.pump([0.1] * 20)
        dave.hears("CONNECTED")
        self.assertTrue(dave.octets.startswith(b"CONNECTED\n"))
        self.assertTrue(dave.octets.endswith(b"\0\n" + b"\n" * 4))

    def test_what_is_said_counts_as_a_beat(self) -> None:
        dave = self.connect(heart_beat="0,1000")
        for number in range(10):
            self.broker.clock.advance(0.9)
            self.send(str(number), to="/topic/a")
            dave.says("SEND", destination="/topic/b", receipt=str(number))
        self.assertEqual(dave.transport.value().count(b"\0"), 10)
        self.assertNotIn(b"\0\n\n", dave.transport.value())

    def test_beats_do_not_pile_up_in_front_of_a_client_that_does_not_read(self) -> None:
        dave = self.connect(heart_beat="0,1000")
        dave.transport.room = 10
        dave.says("SEND", destination="/topic/a", receipt="longer than ten octets")
        waiting = len(dave.transport.value())
        self.broker.clock.pump([1.0] * 100)
        self.assertEqual(len(dave.transport.value()), waiting)

    def test_a_client_that_is_not_read_from_is_not_called_silent(self) -> None:
        self.broker = Broker(EngineLimits(queue_length=1))
        dave = self.connect(heart_beat="1000,0")
        self.send("1", "2", "3", by=dave)  # the third one is not read
        self.broker.clock.pump([0.5] * 100)
        self.assertFalse(dave.is_closed)
        self.waits_in("/queue/a", "1", "2", "3")
        self.broker.clock.pump([0.5] * 3)
        self.assertFalse(dave.is_closed)
        self.broker.clock.pump([0.5] * 2)
        dave.hears_the_end()

    def test_a_client_is_not_blamed_for_our_own_delay(self) -> None:
        dave = self.connect(heart_beat="1000,0")
        self.broker.clock.advance(60)  # one step: what came meanwhile has not been read yet
        self.assertFalse(dave.is_closed)
        dave.sends(b"\n")
        self.broker.clock.pump([0.5] * 3)
        self.assertFalse(dave.is_closed)


class NeighbourTests(promises.Conversation):
    """What one connection does reaches no other."""

    def test_a_client_that_does_not_read_holds_nobody_up(self) -> None:
        slow, quick = self.connect(), self.connect()
        slow.transport.room = 1000
        for client in (slow, quick):
            client.subscribes("/topic/a")
        self.send(*map(str, range(500)), to="/topic/a")
        self.hears(quick, *map(str, range(500)))
        self.assertLess(len(slow.transport.value()), 2000)

    def test_malformed_frames_end_their_own_connection_alone(self) -> None:
        self.bob.subscribes("/queue/a")
        for octets in (
            b"SEND\ndestination:/queue/a\ncontent-length:-1\n\nhi\0",
            b"SEND\n\n\0",
            b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:nonsense\n\n\0",
            b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\nprefetch-count:\xd9\xa2\n\n\0",
            b"ACK\nid:" + b"9" * 5000 + b"-1\n\n\0",
            b"ACK\nid:\xc2\xb2-\xc2\xb2\n\n\0",
            b"\xff\xfe\n\n\0",
            b":\n\n\0",
            b"\n" * 1000 + b"\x00" * 1000 + b"X\n\n\0",
        ):
            dave = self.connect()
            dave.sends(octets)
            dave.fails("")
        self.send("still here")
        self.hears(self.bob, "still here")

    def test_disconnect_sends_the_receipts_that_are_due_first(self) -> None:
        safe: list[Deferred[None]] = []

        def append(message: object) -> Deferred[None]:
            safe.append(Deferred())
            return safe[-1]

        self.patch(self.broker.engine, "append", append)
        self.ann.sends(
            b"SEND\ndestination:/queue/a\nreceipt:1\n\nx\0SEND\ndestination:/queue/a\nreceipt:2\n\nx\0"
            b"DISCONNECT\nreceipt:3\n\n\0"
        )
        safe[1].callback(None)
        self.broker.clock.advance(0)
        self.hears_receipts(self.ann, "2")
        self.assertFalse(self.ann.is_closed)
        safe[0].callback(None)
        self.hears_receipts(self.ann, "1", "3")
        self.assertTrue(self.ann.is_closed)

    def test_a_lost_connection_s_messages_are_given_back_once(self) -> None:
        self.bob.subscribes("/queue/a", ack="client")
        self.send("1", "2")
        self.hears(self.bob, "1", "2")
        self.bob.says("FOO")
        self.bob.hangs_up()
        self.waits_in("/queue/a", "1", "2")
