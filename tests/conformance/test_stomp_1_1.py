"""STOMP 1.1, clause by clause: what is sent, and what is heard."""

from tests.conformance import promises


class Stomp11Tests(promises.SinceVersion11):
    version = "1.1"

    # -- STOMP Frames -------------------------------------------------------------------------------------

    def test_a_carriage_return_is_data(self) -> None:
        """Augmented BNF: header-value is any octet except LF and colon; LF alone ends a line."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\ndestination:/queue/a\nfoo:a\rb\r\n\nhi\0")
        self.assertEqual(self.bob.hears("MESSAGE").headers["foo"], "a\rb\r")

    def test_a_frame_whose_command_ends_in_cr_lf_is_read_with_cr_lf(self) -> None:
        """STOMP Frames: LF alone ends a line; a kindness to clients that write CR LF in every version."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\r\ndestination:/queue/a\r\nfoo:bar\r\n\r\nhi\0\r\n")
        message = self.bob.hears("MESSAGE")
        self.assertEqual((message.headers["foo"], message.body), ("bar", b"hi"))

    # -- Value Encoding -----------------------------------------------------------------------------------

    def test_an_escaped_carriage_return_is_fatal(self) -> None:
        r"""Value Encoding: undefined escape sequences such as \r MUST be a fatal protocol error."""
        self.ann.sends(b"SEND\ndestination:/queue/a\nfoo:a\\rb\n\nhi\0")
        self.ann.fails("undefined escape")

    # -- Connecting ---------------------------------------------------------------------------------------

    def test_without_a_common_version_error_says_which_there_are(self) -> None:
        """Protocol Negotiation: the server SHOULD respond with an ERROR frame that has a version header."""
        dave = self.dial()
        dave.says("CONNECT", {"accept-version": "10.1,11.0", "host": "test"})
        error = dave.fails("no common protocol version")
        self.assertEqual(error.headers["version"], "1.0,1.1,1.2")

    # -- ACK, NACK ----------------------------------------------------------------------------------------

    def test_ack_and_nack_need_message_id_and_subscription(self) -> None:
        """ACK: two REQUIRED headers, message-id and subscription; "NACK" takes the same."""
        for command in ("ACK", "NACK"):
            for missing in ("message-id", "subscription"):
                bob = self.connect()
                bob.subscribes("/queue/a", ack="client")
                self.send("hi")
                named = dict(bob.hears("MESSAGE").headers)
                names = {name: named[name] for name in ("message-id", "subscription") if name != missing}
                bob.says(command, names, receipt="7")
                self.assertEqual(bob.fails(f"{missing} header missing").headers["receipt-id"], "7")
                self.waits_in("/queue/a", "hi")

    def test_ack_and_nack_must_name_the_subscription_that_received(self) -> None:
        """ACK: subscription MUST be set to match the subscription's id."""
        for command in ("ACK", "NACK"):
            bob = self.connect()
            bob.subscribes("/queue/a", id="1", ack="client-individual")
            bob.subscribes("/queue/b", id="2", ack="client-individual")
            self.send("hi")
            message_id = bob.hears("MESSAGE").headers["message-id"]
            bob.says(command, {"message-id": message_id, "subscription": "2"})
            bob.fails("no such message")
            self.waits_in("/queue/a", "hi")

    def test_messages_have_no_ack_header(self) -> None:
        """MESSAGE: ack is 1.2's; in 1.1 message-id and subscription name a message."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("hi")
        self.assertNotIn("ack", self.bob.hears("MESSAGE").headers)

    def test_an_ack_of_an_auto_subscription_changes_nothing(self) -> None:
        """SUBSCRIBE ack Header: the client does not need to send ACK; some do."""
        self.bob.subscribes("/queue/a")
        self.send("hi")
        self.bob.acks(self.bob.hears("MESSAGE"), receipt="1")
        self.hears_receipts(self.bob, "1")

    # -- ERROR --------------------------------------------------------------------------------------------

    def test_every_error_is_followed_by_the_close(self) -> None:
        """SEND, SUBSCRIBE: ERROR, and disconnect the client; we do so after any other ERROR too."""
        for command, headers in (
            ("ACK", {"message-id": "nothing", "subscription": "1"}),
            ("UNSUBSCRIBE", {"id": "nothing"}),
            ("SEND", {}),
            ("SUBSCRIBE", {"id": "1"}),
        ):
            dave = self.connect()
            dave.says(command, headers)
            dave.fails("")
