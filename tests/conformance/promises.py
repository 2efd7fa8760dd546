"""What the specifications say alike: promises for every version, and for those since 1.1.

Each test names its clause, by the headings of the last specification that has it.  A module for each version
mixes these into its own test class, which adds what that version alone says.
"""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from tests.conversation import Broker, Client

EVERY_OCTET = bytes(range(256))


class Conversation(SynchronousTestCase):
    """Two clients of one version, ann and bob, and their broker."""

    version = "1.2"

    def setUp(self) -> None:
        self.broker = Broker()
        self.ann = self.connect()
        self.bob = self.connect()

    def connect(self, **headers: str) -> Client:
        return self.broker.connect(self.version, **headers)

    def dial(self) -> Client:
        """A connection on which nothing was said yet."""
        client = self.broker.dial()
        client.version = self.version
        return client

    def send(self, *bodies: str, to: str = "/queue/a", by: Client | None = None, **headers: str) -> None:
        for body in bodies:
            (by or self.ann).says("SEND", body=body.encode(), destination=to, **headers)

    def hears(self, client: Client, *bodies: str) -> list[Frame]:
        """The client has been sent these messages, and nothing else."""
        frames = client.everything()
        self.assertEqual(
            [(frame.command, frame.body.decode()) for frame in frames], [("MESSAGE", body) for body in bodies]
        )
        return frames

    def hears_receipts(self, client: Client, *receipts: str) -> None:
        """The client has been sent these receipts, and nothing else."""
        frames = client.everything()
        self.assertEqual(
            [(frame.command, frame.headers.get("receipt-id")) for frame in frames],
            [("RECEIPT", receipt) for receipt in receipts],
        )

    def waits_in(self, queue: str, *bodies: str) -> None:
        """A new client finds these messages in the queue, and nothing else."""
        newcomer = self.connect()
        newcomer.subscribes(queue)
        self.hears(newcomer, *bodies)
        newcomer.hangs_up()


class EveryVersion(Conversation):
    """1.0, 1.1 and 1.2 alike."""

    # -- Connecting ---------------------------------------------------------------------------------------

    def test_connect_is_answered_with_connected(self) -> None:
        """Connecting: if the server accepts, it responds with a CONNECTED frame."""
        dave = self.dial()
        dave.says("CONNECT", {"accept-version": self.version, "host": "test"})
        headers = dave.hears("CONNECTED").headers
        self.assertEqual(headers["version"], self.version)
        self.assertTrue(headers["session"])

    def test_each_session_has_an_id_of_its_own(self) -> None:
        """CONNECTED Frame: session uniquely identifies the session."""
        sessions = set()
        for _ in range(20):
            dave = self.dial()
            dave.says("CONNECT", {"accept-version": self.version, "host": "test"})
            sessions.add(dave.hears("CONNECTED").headers["session"])
        self.assertEqual(len(sessions), 20)
        for session in sessions:
            self.assertTrue(session.isalnum(), "it needs an escape")

    def test_the_first_frame_must_be_connect(self) -> None:
        """Connecting: the client initiates by sending CONNECT."""
        for command in ("SEND", "SUBSCRIBE", "DISCONNECT", "CONNECTED", "connect"):
            dave = self.dial()
            dave.says(command, destination="/queue/a", id="1")
            dave.fails("not connected")

    def test_a_second_connect_is_an_error(self) -> None:
        """Client Frames: CONNECT is none of those that an open session takes."""
        for command in ("CONNECT", "STOMP"):
            dave = self.connect()
            dave.says(command, {"accept-version": self.version, "host": "test", "passcode": "secret"})
            error = dave.fails("already connected")
            self.assertNotIn(b"secret", error.body)

    def test_a_receipt_on_connect_is_not_answered(self) -> None:
        """Header receipt: any client frame other than CONNECT may specify one."""
        dave = self.dial()
        dave.says("CONNECT", {"accept-version": self.version, "host": "test", "receipt": "1"})
        dave.hears("CONNECTED")
        self.assertTrue(dave.hears_nothing())

    def test_frames_right_behind_connect_are_handled_in_order(self) -> None:
        """Connecting: nothing says that a client must wait for CONNECTED."""
        dave = self.dial()
        connect = f"CONNECT\naccept-version:{self.version}\nhost:test\n\n\0".encode()
        subscribe = b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0"
        dave.sends(connect + subscribe + b"SEND\ndestination:/queue/a\nreceipt:1\n\nhi\0")
        self.assertEqual([frame.command for frame in dave.everything()], ["CONNECTED", "MESSAGE", "RECEIPT"])

    def test_a_connection_without_heart_beats_may_stay_silent(self) -> None:
        """Heart-beating: a missing header means 0,0: none, in either direction."""
        self.broker.clock.advance(7 * 86400)
        self.assertFalse(self.ann.is_closed)
        self.assertEqual(self.ann.transport.value(), b"")

    def test_every_connected_says_which_heart_beats_there_are(self) -> None:
        """Heart-beating: 0,0 where none was asked for, which clients of every version read."""
        dave = self.dial()
        dave.says("CONNECT", {"accept-version": self.version, "host": "test"})
        self.assertEqual(dave.hears("CONNECTED").headers["heart-beat"], "0,0")

    # -- Frames -------------------------------------------------------------------------------------------

    def test_an_unknown_command_is_an_error(self) -> None:
        """Client Frames: for a frame not in the list the server may respond with ERROR and close."""
        for command in ("FOO", "SENDX", "SUB", "send", "Ack"):
            dave = self.connect()
            dave.says(command, destination="/queue/a", id="1")
            dave.fails("unknown command")

    def test_a_command_of_servers_is_an_error(self) -> None:
        """Augmented BNF: client-command."""
        for command in ("CONNECTED", "MESSAGE", "RECEIPT", "ERROR"):
            dave = self.connect()
            dave.says(command)
            dave.fails("unknown command")

    def test_header_names_are_case_sensitive(self) -> None:
        """STOMP Frames: all commands and header names are case sensitive."""
        self.ann.says("SEND", {"Destination": "/queue/a"})
        self.ann.fails("destination header missing")

    def test_line_feeds_between_frames_are_skipped(self) -> None:
        """Augmented BNF: NULL *( EOL )."""
        self.ann.sends(b"\n\n\nSEND\ndestination:/queue/a\n\n1\0\n\n\nSEND\ndestination:/queue/a\n\n2\0\n")
        self.waits_in("/queue/a", "1", "2")

    def test_line_feeds_in_a_body_are_its_own(self) -> None:
        """Augmented BNF: *OCTET."""
        self.ann.sends(b"SEND\ndestination:/queue/a\n\n\n\n1\n\n\0")
        self.waits_in("/queue/a", "\n\n1\n\n")

    def test_content_length_octets_are_read_whatever_they_are(self) -> None:
        """Header content-length: this number of octets MUST be read, NULL or not."""
        self.bob.subscribes("/queue/a")
        length = str(len(EVERY_OCTET))
        self.ann.says("SEND", {"destination": "/queue/a", "content-length": length}, EVERY_OCTET)
        message = self.bob.hears("MESSAGE")
        self.assertEqual(message.body, EVERY_OCTET)
        self.assertEqual(message.headers["content-length"], length)

    def test_without_content_length_the_first_nul_ends_the_frame(self) -> None:
        """STOMP Frames: the body is then followed by the NULL octet."""
        self.ann.sends(b"SEND\ndestination:/queue/a\n\none\0SEND\ndestination:/queue/a\n\ntwo\0")
        self.waits_in("/queue/a", "one", "two")

    def test_a_counted_body_must_end_with_nul(self) -> None:
        """Header content-length: the frame still needs to be terminated with a NULL octet."""
        self.ann.sends(b"SEND\ndestination:/queue/a\ncontent-length:2\n\nabSEND\ndestination:/queue/b\n\n\0")
        self.ann.fails("no NUL after the body")
        self.waits_in("/queue/a")
        self.waits_in("/queue/b")

    def test_content_length_is_digits(self) -> None:
        """Header content-length: an octet count."""
        for length in ("-1", "+2", "0x2", "1_0", "two", "", "٢"):
            dave = self.connect()
            dave.sends(f"SEND\ndestination:/queue/a\ncontent-length:{length}\n\nab\0".encode())
            dave.fails("content-length is not a number")

    def test_of_repeated_headers_the_first_counts(self) -> None:
        """Repeated Header Entries: only the first header entry SHOULD be used."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(
            b"SEND\ndestination:/queue/a\ndestination:/queue/b\nfoo:World\nfoo:Hello\n"
            b"content-length:2\ncontent-length:5\n\nhi\0"
        )
        message = self.bob.hears("MESSAGE")
        self.assertEqual((message.headers["foo"], message.body), ("World", b"hi"))
        self.waits_in("/queue/b")

    def test_a_header_line_needs_a_name_and_a_colon(self) -> None:
        """Augmented BNF: header-name ":" header-value, and the name has at least one octet."""
        for line, summary in (("foo", "no colon"), (":foo", "no name"), (":", "no name")):
            dave = self.connect()
            dave.sends(f"SEND\ndestination:/queue/a\n{line}\n\nhi\0".encode())
            dave.fails(summary)

    def test_a_header_ends_its_name_at_the_first_colon(self) -> None:
        """Augmented BNF: 1.0 allows colons in values, and later clients send them all the same."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\ndestination:/queue/a\nurl:http://a:1/\n\nhi\0")
        self.assertEqual(self.bob.hears("MESSAGE").headers["url"], "http://a:1/")

    def test_utf_8_goes_both_ways(self) -> None:
        """Header content-type: all servers MUST support UTF-8 encoding and decoding."""
        text = "é 中 and 🐇"
        self.bob.subscribes(f"/queue/{text}")
        self.send(text, to=f"/queue/{text}", note=text)
        message = self.bob.hears("MESSAGE")
        self.assertEqual(message.headers["destination"], f"/queue/{text}")
        self.assertEqual((message.headers["note"], message.body.decode()), (text, text))
        self.assertEqual(message.headers["content-length"], str(len(text.encode())))

    def test_headers_must_be_utf_8(self) -> None:
        """Value Encoding: the commands and headers are encoded in UTF-8."""
        self.ann.sends(b"SEND\ndestination:/queue/a\nnote:\xff\n\nhi\0")
        self.ann.fails("not UTF-8")

    def test_frames_over_the_limits_are_refused(self) -> None:
        """Size Limits: the server SHOULD send ERROR and then close."""
        self.broker = Broker(factory={"limits": Limits(frame=5000, headers=10, header_line=1000)})
        for octets, summary in (
            (b"SEND\ndestination:/queue/a\n" + b"a:\n" * 11 + b"\n\0", "too many headers"),
            (b"SEND\ndestination:/queue/a\na:" + b"x" * 1000 + b"\n\n\0", "header line too long"),
            (b"SEND\ndestination:/queue/a\n\n" + b"x" * 5000, "frame too large"),
            (b"SEND\ndestination:/queue/a\ncontent-length:5000\n\n", "frame too large"),
            (b"SEND\ndestination:/queue/a\ncontent-length:1%b\n\n" % (b"0" * 30), "frame too large"),
        ):
            dave = self.connect()
            dave.sends(octets)
            dave.fails(summary)

    # -- SEND and MESSAGE ---------------------------------------------------------------------------------

    def test_send_needs_a_destination(self) -> None:
        """SEND: one REQUIRED header, destination."""
        self.ann.says("SEND", body=b"hi", receipt="77")
        self.assertEqual(self.ann.fails("destination header missing").headers["receipt-id"], "77")

    def test_a_destination_is_shown_as_it_was_written(self) -> None:
        """MESSAGE: destination SHOULD be identical to the one used in SEND."""
        for destination in ("/queue/a", "/queue/a b", "/queue/%2F..", "/topic/a.b/c", "a", "queue/a", "//"):
            self.bob.subscribes(destination, id=destination)
            self.send("hi", to=destination)
            self.assertEqual(self.bob.hears("MESSAGE").headers["destination"], destination)

    def test_each_message_has_an_id_of_its_own(self) -> None:
        """MESSAGE: message-id, a unique identifier for that message."""
        self.bob.subscribes("/queue/a")
        self.send(*"abcdefghij")
        ids = {message.headers["message-id"] for message in self.hears(self.bob, *"abcdefghij")}
        self.assertEqual(len(ids), 10)
        self.assertFalse(set("".join(ids)) & set(":\\\r\n "), "one needs an escape")

    def test_user_defined_headers_are_passed_through(self) -> None:
        """SEND: they MUST be passed through in the MESSAGE frame."""
        headers = {"foo": "bar", "Foo": "other", "persistent": "true", "a.b-c": "", "reply-to": "anything"}
        self.bob.subscribes("/queue/a")
        self.send("hi", **{"content-type": "text/plain"}, **headers)
        heard = self.bob.hears("MESSAGE").headers
        self.assertEqual({name: heard.get(name) for name in headers}, headers)
        self.assertEqual(heard["content-type"], "text/plain")

    def test_headers_of_the_hop_are_not_passed_through(self) -> None:
        """Frames and Headers: receipt and transaction belong to the SEND, not to the message."""
        self.bob.subscribes("/queue/a")
        self.ann.says("BEGIN", transaction="t")
        self.send("hi", transaction="t", receipt="1")
        self.ann.says("COMMIT", transaction="t")
        headers = self.bob.hears("MESSAGE").headers
        self.assertNotIn("receipt", headers)
        self.assertNotIn("transaction", headers)

    def test_the_broker_s_own_headers_can_not_be_forged(self) -> None:
        """MESSAGE: message-id, subscription and ack are the server's to say."""
        forged = ("message-id", "subscription", "ack", "redelivered", "redelivery-count", "receipt-id")
        self.bob.subscribes("/queue/a", id="mine", ack="client")
        self.send("hi", **dict.fromkeys(forged, "evil"))
        message = self.bob.hears("MESSAGE")
        self.assertNotIn("evil", message.headers.values())
        self.bob.acks(message, receipt="1")
        self.bob.hears("RECEIPT")

    def test_message_has_a_content_length(self) -> None:
        """MESSAGE: it SHOULD include content-length."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\ndestination:/queue/a\n\nhello\0SEND\ndestination:/queue/a\n\n\0")
        self.assertEqual(
            [message.headers["content-length"] for message in self.hears(self.bob, "hello", "")], ["5", "0"]
        )

    def test_a_frame_that_fails_ends_the_session_and_nothing_behind_it_is_done(self) -> None:
        """SEND: if it can't be processed, the server MUST send ERROR and then close."""
        self.ann.sends(b"SEND\n\nhi\0SEND\ndestination:/queue/a\n\nhi\0")
        self.ann.fails("destination header missing")
        self.waits_in("/queue/a")

    # -- SUBSCRIBE and UNSUBSCRIBE ------------------------------------------------------------------------

    def test_subscribe_needs_a_destination(self) -> None:
        """SUBSCRIBE: it requires a destination header."""
        for headers in ({"id": "1"}, {"id": "1", "destination": ""}):
            dave = self.connect()
            dave.says("SUBSCRIBE", headers, receipt="7")
            self.assertEqual(dave.fails("destination header missing").headers["receipt-id"], "7")

    def test_messages_come_from_subscribing_on(self) -> None:
        """SUBSCRIBE: messages received on the destination will henceforth be delivered."""
        self.send("before", to="/topic/a")
        self.bob.subscribes("/topic/a", receipt="1")
        self.bob.hears("RECEIPT")
        self.send("after", to="/topic/a")
        self.hears(self.bob, "after")

    def test_ack_is_auto_where_subscribe_does_not_say(self) -> None:
        """SUBSCRIBE ack Header: if the header is not set, it defaults to auto."""
        self.bob.says("SUBSCRIBE", id="1", destination="/queue/a")
        self.send("hi")
        self.hears(self.bob, "hi")
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    def test_an_unknown_ack_mode_is_an_error(self) -> None:
        """SUBSCRIBE ack Header: the valid values are auto, client and client-individual."""
        for mode in ("", "AUTO", "client-cumulative", "none"):
            dave = self.connect()
            dave.says("SUBSCRIBE", id="1", destination="/queue/a", ack=mode)
            dave.fails("unknown ack mode")

    def test_the_receipt_of_subscribe_comes_before_its_first_message(self) -> None:
        """RECEIPT: the frame has been processed."""
        self.send("waiting")
        self.bob.subscribes("/queue/a", receipt="1")
        self.assertEqual([frame.command for frame in self.bob.everything()], ["RECEIPT", "MESSAGE"])

    def test_each_subscription_says_which_it_is(self) -> None:
        """MESSAGE: a subscription header matching the subscription that is receiving the message."""
        self.bob.subscribes("/topic/a", id="one")
        self.bob.subscribes("/topic/a", id="two")
        self.bob.subscribes("/topic/b", id="three")
        self.send("hi", to="/topic/a")
        heard = [message.headers["subscription"] for message in self.hears(self.bob, "hi", "hi")]
        self.assertEqual(sorted(heard), ["one", "two"])

    def test_a_subscription_id_is_in_use_once(self) -> None:
        """SUBSCRIBE id Header: different subscriptions MUST use different identifiers."""
        self.bob.subscribes("/queue/a", id="1", receipt="first")
        self.bob.hears("RECEIPT")
        self.bob.subscribes("/queue/b", id="1", receipt="second")
        error = self.bob.fails("subscription exists already")
        self.assertEqual(error.headers["receipt-id"], "second")

    def test_subscription_ids_are_the_connection_s_own(self) -> None:
        """SUBSCRIBE id Header: within the same connection."""
        self.ann.subscribes("/topic/a", id="1")
        self.bob.subscribes("/topic/a", id="1")
        self.send("hi", to="/topic/a")
        self.hears(self.ann, "hi")
        self.hears(self.bob, "hi")

    def test_after_unsubscribe_nothing_comes(self) -> None:
        """UNSUBSCRIBE: once removed, no longer receive messages from that subscription."""
        self.bob.subscribes("/queue/a")
        self.bob.says("UNSUBSCRIBE", id="1", receipt="1")
        self.send("hi")
        self.hears_receipts(self.bob, "1")
        self.waits_in("/queue/a", "hi")

    def test_unsubscribe_must_match_a_subscription(self) -> None:
        """UNSUBSCRIBE: the id MUST match the identifier of an existing subscription."""
        self.bob.subscribes("/queue/a", id="1")
        self.bob.says("UNSUBSCRIBE", id="2", receipt="7")
        self.assertEqual(self.bob.fails("no such subscription").headers["receipt-id"], "7")

    # -- ACK ----------------------------------------------------------------------------------------------

    def test_client_what_was_not_acknowledged_is_delivered_to_another(self) -> None:
        """SUBSCRIBE ack Header: if the connection fails before ACK, it has not been processed."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("1", "2")
        first, _ = self.hears(self.bob, "1", "2")
        self.bob.acks(first)
        self.bob.hangs_up()
        self.waits_in("/queue/a", "2")

    def test_client_an_ack_covers_all_before_it(self) -> None:
        """SUBSCRIBE ack Header: cumulative: the message specified and all sent before it."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("1", "2", "3")
        self.bob.acks(self.hears(self.bob, "1", "2", "3")[1])
        self.bob.hangs_up()
        self.waits_in("/queue/a", "3")

    def test_client_an_ack_covers_its_own_subscription_alone(self) -> None:
        """SUBSCRIBE ack Header: all messages sent to the subscription before."""
        self.bob.subscribes("/queue/a", id="a", ack="client")
        self.bob.subscribes("/queue/b", id="b", ack="client")
        self.send("a")
        self.send("b", to="/queue/b")
        self.bob.acks(self.hears(self.bob, "a", "b")[1])
        self.bob.hangs_up()
        self.waits_in("/queue/a", "a")
        self.waits_in("/queue/b")

    def test_client_individual_an_ack_covers_its_own_message_alone(self) -> None:
        """SUBSCRIBE ack Header: it MUST NOT cause a previous message to get acknowledged.

        1.0 has no such mode, but its clients ask for it, and every broker grants it.
        """
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.send("1", "2", "3")
        self.bob.acks(self.hears(self.bob, "1", "2", "3")[1])
        self.bob.hangs_up()
        self.waits_in("/queue/a", "1", "3")

    def test_an_ack_of_what_never_was_is_an_error(self) -> None:
        """ACK: it names a message that was received."""
        named = {"id": "nothing", "message-id": "nothing", "subscription": "1"}
        self.bob.subscribes("/queue/a", ack="client")
        self.send("1")
        self.hears(self.bob, "1")
        self.bob.says("ACK", named, receipt="7")
        self.assertEqual(self.bob.fails("no such message").headers["receipt-id"], "7")
        self.waits_in("/queue/a", "1")

    def test_an_ack_must_name_its_message(self) -> None:
        """ACK: id, in 1.0 and 1.1 message-id, is REQUIRED."""
        self.bob.says("ACK", {"subscription": "1"}, receipt="7")
        summary = "id header missing" if self.version == "1.2" else "message-id header missing"
        self.assertEqual(self.bob.fails(summary).headers["receipt-id"], "7")

    def test_a_delivery_s_name_says_which_subscription_of_a_topic_it_was(self) -> None:
        """ACK: one message, two deliveries on one connection, each acknowledged by itself."""
        self.bob.subscribes("/topic/a", id="one", ack="client-individual")
        self.bob.subscribes("/topic/a", id="two", ack="client-individual")
        self.send("hi", to="/topic/a")
        one, two = self.hears(self.bob, "hi", "hi")
        name = "ack" if self.version == "1.2" else "message-id"
        self.assertNotEqual(one.headers[name], two.headers[name])
        self.bob.acks(two, receipt="2")
        self.bob.acks(one, receipt="1")
        self.hears_receipts(self.bob, "2", "1")

    # -- Transactions -------------------------------------------------------------------------------------

    def test_nothing_of_a_transaction_is_seen_before_commit(self) -> None:
        """BEGIN: processed atomically based on the transaction."""
        self.bob.subscribes("/queue/a")
        self.ann.says("BEGIN", transaction="t")
        self.send("1", "2", transaction="t")
        self.assertTrue(self.bob.hears_nothing())
        self.ann.says("COMMIT", transaction="t")
        self.hears(self.bob, "1", "2")

    def test_abort_rolls_back(self) -> None:
        """ABORT: roll back a transaction in progress."""
        self.ann.says("BEGIN", transaction="t")
        self.send("1", transaction="t")
        self.ann.says("ABORT", transaction="t", receipt="1")
        self.hears_receipts(self.ann, "1")
        self.waits_in("/queue/a")

    def test_an_ack_in_a_transaction_counts_from_commit_on(self) -> None:
        """ACK: the acknowledgment SHOULD be part of the named transaction."""
        for end, waiting in (("COMMIT", ()), ("ABORT", ("1",))):
            bob = self.connect()
            bob.subscribes("/queue/a", ack="client-individual")
            self.send("1")
            bob.says("BEGIN", transaction="t")
            bob.acks(bob.hears("MESSAGE"), transaction="t")
            bob.says(end, transaction="t")
            bob.hangs_up()
            self.waits_in("/queue/a", *waiting)

    def test_an_open_transaction_is_aborted_by_disconnect_and_by_loss(self) -> None:
        """BEGIN: implicitly aborted if the client sends DISCONNECT or the connection fails."""
        for leaves in (lambda client: client.says("DISCONNECT"), Client.hangs_up):
            bob = self.connect()
            bob.subscribes("/queue/a", ack="client-individual")
            self.send("kept")
            bob.says("BEGIN", transaction="t")
            self.send("discarded", by=bob, to="/queue/b", transaction="t")
            bob.acks(bob.hears("MESSAGE"), transaction="t")
            leaves(bob)
            self.waits_in("/queue/a", "kept")
            self.waits_in("/queue/b")

    def test_transaction_frames_name_their_transaction(self) -> None:
        """BEGIN, COMMIT, ABORT: the transaction header is REQUIRED."""
        for command in ("BEGIN", "COMMIT", "ABORT"):
            dave = self.connect()
            dave.says(command, receipt="7")
            error = dave.fails("transaction header missing")
            self.assertEqual(error.headers["receipt-id"], "7")

    def test_an_unknown_transaction_is_an_error(self) -> None:
        """BEGIN: SEND, COMMIT, ABORT and ACK are bound to the named transaction."""
        for command in ("SEND", "ACK", "COMMIT", "ABORT"):
            dave = self.connect()
            named = {"destination": "/queue/a", "id": "1-1", "message-id": "1", "subscription": "1"}
            dave.says(command, named, transaction="nothing", receipt="7")
            self.assertEqual(dave.fails("no such transaction").headers["receipt-id"], "7")
        self.waits_in("/queue/a")

    def test_a_transaction_id_is_in_use_once(self) -> None:
        """BEGIN: within the same connection, different identifiers MUST be used."""
        self.ann.says("BEGIN", transaction="t")
        self.ann.says("BEGIN", transaction="t", receipt="7")
        self.assertEqual(self.ann.fails("transaction exists already").headers["receipt-id"], "7")

    def test_a_transaction_id_is_free_again_after_its_end(self) -> None:
        """BEGIN: different transactions, of those in progress."""
        for end in ("COMMIT", "ABORT", "COMMIT"):
            self.ann.says("BEGIN", transaction="t")
            self.send(end, transaction="t")
            self.ann.says(end, transaction="t", receipt=end)
            self.hears_receipts(self.ann, end)
        self.waits_in("/queue/a", "COMMIT", "COMMIT")

    def test_transaction_ids_are_the_connection_s_own(self) -> None:
        """BEGIN: within the same connection."""
        self.ann.says("BEGIN", transaction="t")
        self.bob.says("BEGIN", transaction="t")
        self.send("ann", transaction="t")
        self.send("bob", by=self.bob, transaction="t")
        self.bob.says("COMMIT", transaction="t")
        self.waits_in("/queue/a", "bob")

    # -- RECEIPT, ERROR, DISCONNECT -----------------------------------------------------------------------

    def test_every_frame_but_connect_may_ask_for_a_receipt(self) -> None:
        """Header receipt: any client frame other than CONNECT MAY specify one."""
        self.bob.subscribes("/queue/a", ack="client-individual", receipt="SUBSCRIBE")
        self.hears_receipts(self.bob, "SUBSCRIBE")
        self.send("hi")
        message = self.bob.hears("MESSAGE")
        self.bob.says("BEGIN", transaction="t", receipt="BEGIN")
        self.send("hi", by=self.bob, to="/topic/a", transaction="t", receipt="SEND")
        self.bob.acks(message, transaction="t", receipt="ACK")
        self.bob.says("ABORT", transaction="t", receipt="ABORT")
        self.bob.acks(message, receipt="ACK again")
        self.bob.says("BEGIN", transaction="t", receipt="BEGIN again")
        self.bob.says("COMMIT", transaction="t", receipt="COMMIT")
        self.bob.says("UNSUBSCRIBE", id="1", receipt="UNSUBSCRIBE")
        self.bob.says("DISCONNECT", receipt="DISCONNECT")
        asked = ("BEGIN", "SEND", "ACK", "ABORT", "ACK again", "BEGIN again", "COMMIT", "UNSUBSCRIBE")
        self.hears_receipts(self.bob, *asked, "DISCONNECT")

    def test_a_receipt_repeats_its_value_and_has_no_body(self) -> None:
        """RECEIPT: receipt-id MUST be the value of the receipt header; 1.0: the body will be empty."""
        for value in ("message-12345", "a b", "é/中", "0"):
            self.send("hi", to="/topic/a", receipt=value)
            receipt = self.ann.hears("RECEIPT")
            self.assertEqual((receipt.headers, receipt.body), ({"receipt-id": value}, b""))

    def test_an_error_says_what_was_wrong(self) -> None:
        """ERROR: a message header with a short description, and a body with its length and type."""
        self.ann.says("FOO", receipt="message-12345")
        error = self.ann.fails("unknown command")
        self.assertEqual(error.headers["receipt-id"], "message-12345")
        self.assertEqual(error.headers["content-type"], "text/plain")
        self.assertEqual(error.headers["content-length"], str(len(error.body)))
        self.assertIn(b"FOO", error.body)

    def test_octets_that_are_no_frame_get_an_error_too(self) -> None:
        """ERROR: the server may send it if something goes wrong, a malformed frame included."""
        self.ann.sends(b"SEND\ndestination\n\n\0")
        self.ann.fails("a header line has no colon")

    def test_disconnect_is_receipted_then_the_connection_closes(self) -> None:
        """DISCONNECT: all previous frames have been received; 1.2: RECEIPT, then close."""
        self.send("hi")
        self.ann.says("DISCONNECT", receipt="77")
        self.hears_receipts(self.ann, "77")
        self.assertTrue(self.ann.is_closed)
        self.waits_in("/queue/a", "hi")

    def test_disconnect_without_a_receipt_closes_in_silence(self) -> None:
        """DISCONNECT: the receipt is the client's to ask for."""
        self.ann.says("DISCONNECT")
        self.assertTrue(self.ann.hears_nothing())
        self.assertTrue(self.ann.is_closed)

    def test_nothing_is_read_behind_disconnect(self) -> None:
        """DISCONNECT: clients MUST NOT send any more frames."""
        self.ann.sends(b"DISCONNECT\nreceipt:1\n\n\0SEND\ndestination:/queue/a\n\nlate\0")
        self.ann.sends(b"SEND\ndestination:/queue/a\n\nlater\0")
        self.hears_receipts(self.ann, "1")
        self.waits_in("/queue/a")


class SinceVersion11(EveryVersion):
    """1.1 and 1.2 alike."""

    def connected(self, **headers: str) -> Frame:
        """The answer to a CONNECT with these headers."""
        dave = self.dial()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        dave.says("CONNECT", {"accept-version": self.version, "host": "test", **named})
        return dave.hears("CONNECTED")

    # -- Connecting ---------------------------------------------------------------------------------------

    def test_stomp_is_connect_by_another_name(self) -> None:
        """CONNECT or STOMP Frame: servers MUST (1.1: SHOULD) handle STOMP like CONNECT."""
        dave = self.dial()
        dave.says("STOMP", {"accept-version": self.version, "host": "test"})
        self.assertEqual(dave.hears("CONNECTED").headers["version"], self.version)

    def test_any_host_is_the_default_one(self) -> None:
        """CONNECT or STOMP Frame: for an unknown virtual host a server MAY select a default one."""
        for host in ("stomp.github.org", "/", ""):
            self.assertEqual(self.connected(host=host).headers["version"], self.version)
        dave = self.dial()
        dave.says("CONNECT", {"accept-version": self.version})
        dave.hears("CONNECTED")

    def test_server_names_the_broker_and_its_version(self) -> None:
        """CONNECTED Frame: server = name ["/" version] *(comment)."""
        self.assertRegex(self.connected().headers["server"], r"^stomp-tx/[0-9][^/ ]*$")

    def test_the_highest_common_version_is_chosen(self) -> None:
        """Protocol Negotiation: the highest version that both have in common."""
        for accepted in (self.version, f"1.0,{self.version},2.0", f"9.9, {self.version} ,1.0", "1.0,10.1"):
            version = self.connected(accept_version=accepted).headers["version"]
            self.assertEqual(version, self.version if self.version in accepted else "1.0")

    def test_connect_and_connected_are_not_escaped(self) -> None:
        r"""Value Encoding: all frames except CONNECT and CONNECTED; a \n there is two characters."""
        dave = self.dial()
        dave.sends(f"CONNECT\naccept-version:{self.version}\nhost:a\nrequest-id:a\\nb:c\\t\n\n\0".encode())
        dave.hears("CONNECTED")
        self.assertIn(b"\nresponse-id:a\\nb:c\\t\n", dave.octets)

    # -- Value Encoding -----------------------------------------------------------------------------------

    def test_escapes_are_undone_and_made_again(self) -> None:
        r"""Value Encoding: \n \c \\ MUST be transformed, and the reverse when encoding."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(rb"SEND" b"\n" rb"destination:/queue/a" b"\n" rb"a\cb\\:x\ny\c\\n" b"\n\nhi\0")
        self.assertEqual(self.bob.hears("MESSAGE").headers["a:b\\"], "x\ny:\\n")
        self.assertIn(rb"a\cb\\:x\ny\c\\n" b"\n", self.bob.octets)

    def test_escapes_mean_the_same_in_every_header_of_the_protocol(self) -> None:
        r"""Value Encoding: header keys and values, those of the protocol among them."""
        odd = "a:b\\c\nd"
        self.ann.says("BEGIN", transaction=odd)
        self.ann.subscribes("/queue/a:b\\c", id=odd, receipt=odd)
        self.send("hi", to="/queue/a:b\\c", transaction=odd)
        self.ann.says("COMMIT", transaction=odd)
        self.assertEqual(self.ann.hears("RECEIPT").headers, {"receipt-id": odd})
        headers = self.ann.hears("MESSAGE").headers
        self.assertEqual((headers["destination"], headers["subscription"]), ("/queue/a:b\\c", odd))
        self.ann.says("FOO", receipt=odd)
        self.assertEqual(self.ann.fails("unknown command").headers["receipt-id"], odd)

    def test_an_undefined_escape_is_fatal(self) -> None:
        r"""Value Encoding: undefined escape sequences MUST be treated as a fatal protocol error."""
        for text in (rb"a\tb", rb"\:", b"\\", rb"\N", rb"\\\x", b"a\\"):
            for header in (b"foo:" + text, text.replace(b":", b"") + b":foo"):
                dave = self.connect()
                dave.sends(b"SEND\ndestination:/queue/a\n" + header + b"\n\nhi\0")
                dave.fails("undefined escape")
        self.waits_in("/queue/a")

    def test_headers_are_never_trimmed_or_padded(self) -> None:
        """Value Encoding: servers MUST never trim or pad headers with spaces."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\ndestination:/queue/a\n foo : \tbar \t\n\nhi\0")
        self.assertEqual(self.bob.hears("MESSAGE").headers[" foo "], " \tbar \t")
        self.assertIn(b"\n foo : \tbar \t\n", self.bob.octets)

    def test_only_send_message_and_error_have_bodies(self) -> None:
        """Body: all other frames MUST NOT have a body."""
        for command in ("SUBSCRIBE", "UNSUBSCRIBE", "BEGIN", "COMMIT", "ABORT", "ACK", "NACK", "DISCONNECT"):
            for octets in (b"\n\nbody\0", b"\ncontent-length:4\n\nbody\0"):
                dave = self.connect()
                dave.sends(f"{command}\nid:1\ndestination:/queue/a\ntransaction:t".encode() + octets)
                dave.fails("may not have a body")

    # -- SUBSCRIBE, UNSUBSCRIBE ---------------------------------------------------------------------------

    def test_subscribe_needs_an_id(self) -> None:
        """SUBSCRIBE id Header: an id header MUST be included."""
        self.bob.says("SUBSCRIBE", destination="/queue/a", receipt="7")
        self.assertEqual(self.bob.fails("id header missing").headers["receipt-id"], "7")

    def test_unsubscribe_needs_an_id(self) -> None:
        """UNSUBSCRIBE: an id header MUST be included; a destination does not stand for it."""
        self.bob.subscribes("/queue/a", id="1")
        self.bob.says("UNSUBSCRIBE", destination="/queue/a", receipt="7")
        self.assertEqual(self.bob.fails("id header missing").headers["receipt-id"], "7")

    # -- NACK ---------------------------------------------------------------------------------------------

    def test_nack_gives_the_message_to_another_client(self) -> None:
        """NACK: the server can send the message to a different client."""
        self.bob.subscribes("/queue/a", ack="client-individual")
        carol = self.connect()
        self.send("1")
        refused = self.bob.hears("MESSAGE")
        carol.subscribes("/queue/a", ack="client-individual")
        self.bob.nacks(refused, receipt="1")
        self.hears_receipts(self.bob, "1")
        (message,) = self.hears(carol, "1")
        self.assertEqual(message.headers["redelivered"], "true")
        self.assertEqual(message.headers["message-id"], refused.headers["message-id"])

    def test_client_individual_a_nack_covers_its_own_message_alone(self) -> None:
        """NACK: one single message if the ack mode is client-individual."""
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.send("1", "2", "3")
        _, second, _ = self.hears(self.bob, "1", "2", "3")
        self.bob.nacks(second, requeue="false")
        self.bob.hangs_up()
        self.waits_in("/queue/a", "1", "3")

    def test_client_a_nack_covers_all_before_it(self) -> None:
        """NACK: all messages sent before and not yet ACK'ed or NACK'ed in mode client."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("1", "2", "3", "4")
        first, _, third, _ = self.hears(self.bob, "1", "2", "3", "4")
        self.bob.acks(first)
        self.bob.nacks(third)
        self.waits_in("/queue/a", "2", "3")

    def test_nack_in_a_transaction_counts_from_commit_on(self) -> None:
        """NACK: it takes the same headers as ACK, transaction among them."""
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.send("1")
        message = self.bob.hears("MESSAGE")
        self.bob.says("BEGIN", transaction="t")
        self.bob.nacks(message, transaction="t")
        carol = self.connect()
        carol.subscribes("/queue/a")
        self.assertTrue(carol.hears_nothing())
        self.bob.says("COMMIT", transaction="t")
        self.hears(carol, "1")

    def test_nack_of_what_never_was_is_an_error(self) -> None:
        """NACK: it takes the same headers as ACK."""
        self.bob.subscribes("/queue/a", ack="client")
        self.bob.says("NACK", {"id": "x", "message-id": "x", "subscription": "1"}, receipt="7")
        self.assertEqual(self.bob.fails("no such message").headers["receipt-id"], "7")

    # -- Heart-beating ------------------------------------------------------------------------------------

    def test_heart_beats_are_agreed_on(self) -> None:
        """Heart-beating: CONNECTED says what the server can send and what it wants to get."""
        for asked, answered in (
            ("0,0", "0,0"),
            ("0,1000", "1000,0"),
            ("1000,0", "0,1000"),
            ("500,1000", "1000,500"),
            ("1,1", "500,500"),  # quicker than we care for
            ("0, 4000", "4000,0"),
            ("60000,60000", "60000,60000"),
        ):
            self.assertEqual(self.connected(heart_beat=asked).headers["heart-beat"], answered, asked)

    def test_the_broker_says_something_in_every_interval(self) -> None:
        """Heart-beating: the sender MUST send new data at least every n milliseconds: an EOL."""
        dave = self.connect(heart_beat="0,1000")
        for _ in range(10):
            dave.transport.clear()
            self.broker.clock.advance(1.0)
            self.assertEqual(dave.transport.value(), b"\n")

    def test_a_silent_client_is_dropped(self) -> None:
        """Heart-beating: without new data in the window the receiver MAY consider it dead."""
        dave = self.connect(heart_beat="1000,0")
        self.broker.clock.pump([0.25] * 9)
        dave.hears_the_end()  # without an ERROR: clients take that for a fault of theirs

    def test_the_window_has_a_margin(self) -> None:
        """Heart-beating: the receiver SHOULD be tolerant and take into account an error margin."""
        dave = self.connect(heart_beat="1000,0")
        for _ in range(10):
            self.broker.clock.pump([0.25] * 7)
            dave.sends(b"\n")
        self.assertFalse(dave.is_closed)

    def test_any_new_data_is_a_heart_beat(self) -> None:
        """Heart-beating: any new data received, half of a frame included."""
        dave = self.connect(heart_beat="1000,0")
        for octet in b"SEND\ndestination:/queue/a\n\nhi\0":
            self.broker.clock.pump([0.25] * 4)
            dave.sends(bytes([octet]))
        self.assertFalse(dave.is_closed)
        self.waits_in("/queue/a", "hi")

    def test_a_malformed_heart_beat_is_an_error(self) -> None:
        """Heart-beating: the header MUST contain two positive integers separated by a comma."""
        for text in ("", "1", "0,", "a,b", "T,0", "1,2,3", "-1,0", "+1,0", "1.5,0", "1_0,0", "1" * 20 + ",0"):
            dave = self.dial()
            dave.says("CONNECT", {"accept-version": self.version, "host": "test", "heart-beat": text})
            dave.fails("malformed heart-beat header")
