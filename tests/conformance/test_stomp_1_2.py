"""STOMP 1.2, clause by clause: what is sent, and what is heard."""

from tests.conformance import promises


class Stomp12Tests(promises.SinceVersion11):
    version = "1.2"

    # -- STOMP Frames -------------------------------------------------------------------------------------

    def test_lines_may_end_in_cr_lf(self) -> None:
        """STOMP Frames: an EOL is an OPTIONAL carriage return and a REQUIRED line feed."""
        dave = self.dial()
        dave.sends(b"CONNECT\r\naccept-version:1.2\r\nhost:test\r\n\r\n\0\r\n\r\n")
        dave.hears("CONNECTED")
        dave.sends(b"SUBSCRIBE\r\nid:1\r\ndestination:/queue/a\r\n\r\n\0\r\n")
        dave.sends(b"SEND\ndestination:/queue/a\r\nfoo:bar\n\r\nhi\r\n\0\n\r\n")
        message = dave.hears("MESSAGE")
        self.assertEqual((message.headers["foo"], message.body), ("bar", b"hi\r\n"))

    def test_frames_leave_with_line_feeds(self) -> None:
        """STOMP Frames: the carriage return is OPTIONAL, and clients of every version read LF."""
        self.bob.subscribes("/queue/a", ack="client", receipt="1")
        self.send("hi")
        self.assertEqual([frame.command for frame in self.bob.everything()], ["RECEIPT", "MESSAGE"])
        self.assertNotIn(b"\r", self.bob.octets)

    def test_a_carriage_return_elsewhere_in_a_header_is_fatal(self) -> None:
        """Augmented BNF: header-value is any octet except CR, LF and colon."""
        for line in (b"foo:a\rb", b"foo:a\r", b"f\roo:a"):
            dave = self.connect()
            dave.sends(b"SEND\ndestination:/queue/a\n" + line + b"\r\n\nhi\0")
            dave.fails("a carriage return inside a header")

    # -- Value Encoding -----------------------------------------------------------------------------------

    def test_an_escaped_carriage_return_is_undone_and_made_again(self) -> None:
        r"""Value Encoding: \r translates to carriage return, and back."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\ndestination:/queue/a\nfoo:a\\r\\nb\\\\r\n\nhi\0")
        self.assertEqual(self.bob.hears("MESSAGE").headers["foo"], "a\r\nb\\r")
        self.assertIn(b"\nfoo:a\\r\\nb\\\\r\n", self.bob.octets)

    # -- Connecting ---------------------------------------------------------------------------------------

    def test_without_a_common_version_error_says_which_there_are(self) -> None:
        """Protocol Negotiation: the server MUST respond with ERROR and then close."""
        for accepted in ("2.0", "1.3,2.0", "", "12", "1.20", "1,2"):
            dave = self.dial()
            dave.says("CONNECT", {"accept-version": accepted, "host": "test"})
            error = dave.fails("no common protocol version")
            self.assertEqual(error.headers["version"], "1.0,1.1,1.2")
            self.assertEqual(error.headers["content-type"], "text/plain")
            self.assertIn(b"Supported protocol versions are 1.0 1.1 1.2", error.body)

    def test_versions_unknown_to_us_are_passed_over(self) -> None:
        """Protocol Negotiation: the highest in common, not the highest that one side knows."""
        for accepted, chosen in (
            ("1.0,1.1,1.2,1.3,2.0", "1.2"),
            ("1.2,1.1,1.0", "1.2"),
            ("1.0,1.1,1.3", "1.1"),
            ("1.0, 1.1, 1.2", "1.2"),
        ):
            self.assertEqual(self.connected(accept_version=accepted).headers["version"], chosen)

    # -- SUBSCRIBE, ACK, NACK -----------------------------------------------------------------------------

    def test_client_modes_have_an_ack_header(self) -> None:
        """MESSAGE: in modes client and client-individual it MUST contain an ack header."""
        for mode in ("client", "client-individual"):
            bob = self.connect()
            bob.subscribes("/queue/a", ack=mode)
            self.send("hi")
            message = bob.hears("MESSAGE")
            bob.says("ACK", id=message.headers["ack"], receipt="1")
            bob.hears("RECEIPT")
            bob.hangs_up()

    def test_mode_auto_has_no_ack_header(self) -> None:
        """MESSAGE: ack is for subscriptions that require explicit acknowledgment."""
        self.bob.subscribes("/queue/a")
        self.send("hi")
        self.assertNotIn("ack", self.bob.hears("MESSAGE").headers)

    def test_each_delivery_has_an_ack_of_its_own(self) -> None:
        """ACK: id matches the ack header of the MESSAGE being acknowledged, redelivered or not."""
        self.bob.subscribes("/queue/a", ack="client-individual")
        self.send("hi")
        first = self.bob.hears("MESSAGE")
        self.bob.nacks(first)
        self.broker.clock.advance(1)
        second = self.bob.hears("MESSAGE")
        self.assertEqual(first.headers["message-id"], second.headers["message-id"])
        self.assertNotEqual(first.headers["ack"], second.headers["ack"])
        self.bob.acks(first)
        self.bob.fails("no such message")
        self.waits_in("/queue/a", "hi")

    def test_an_ack_by_message_id_is_an_error(self) -> None:
        """ACK: it MUST include an id header."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("hi")
        message = self.bob.hears("MESSAGE")
        named = {"message-id": message.headers["message-id"], "subscription": "1"}
        self.bob.says("ACK", named, receipt="7")
        self.assertEqual(self.bob.fails("id header missing").headers["receipt-id"], "7")
        self.waits_in("/queue/a", "hi")

    def test_no_other_header_of_ack_matters(self) -> None:
        """ACK: id alone names the message."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("hi")
        message = self.bob.hears("MESSAGE")
        self.bob.acks(message, **{"message-id": "wrong", "subscription": "wrong", "ack": "wrong"})
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    # -- ERROR, DISCONNECT --------------------------------------------------------------------------------

    def test_every_error_is_followed_by_the_close(self) -> None:
        """ERROR: the server MUST then close the connection just after sending the ERROR frame."""
        for command, headers in (
            ("ACK", {"id": "nothing"}),
            ("NACK", {"id": "nothing"}),
            ("UNSUBSCRIBE", {"id": "nothing"}),
            ("COMMIT", {"transaction": "nothing"}),
            ("SEND", {}),
            ("SUBSCRIBE", {"id": "1"}),
            ("CONNECT", {}),
            ("FOO", {}),
        ):
            dave = self.connect()
            dave.says(command, headers)
            dave.fails("")

    def test_work_received_before_the_loss_of_a_connection_is_done(self) -> None:
        """RECEIPT: if the client disconnects, frames received before SHOULD continue to be processed."""
        self.send("1", "2", "3")
        self.ann.hangs_up()
        self.waits_in("/queue/a", "1", "2", "3")
