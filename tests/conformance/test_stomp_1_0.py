"""STOMP 1.0, clause by clause: what is sent, and what is heard."""

from tests.conformance import promises
from tests.conversation import Client


class Stomp10Tests(promises.EveryVersion):
    version = "1.0"

    def connects(self, octets: bytes) -> Client:
        client = self.dial()
        client.sends(octets)
        return client

    # -- CONNECT ------------------------------------------------------------------------------------------

    def test_connect_without_accept_version_is_1_0(self) -> None:
        """1.2, "Protocol Negotiation": a missing accept-version means that the client has only 1.0."""
        dave = self.connects(b"CONNECT\nlogin: dave\npasscode:secret\n\n\0")
        headers = dave.hears("CONNECTED").headers
        self.assertEqual(headers["version"], "1.0")
        self.assertTrue(headers["session"])

    def test_connect_may_be_stomp_here_too(self) -> None:
        """Later than 1.0, and harmless: clients send it with accept-version:1.0."""
        self.connects(b"STOMP\naccept-version:1.0\n\n\0").hears("CONNECTED")

    def test_header_values_may_be_padded(self) -> None:
        """The examples of "CONNECT", "SUBSCRIBE" and "ACK" have a space behind the colon."""
        dave = self.connects(b"CONNECT\nlogin: dave \nheart-beat: 0,4000 \n\n\0")
        self.assertEqual(dave.hears("CONNECTED").headers["heart-beat"], "4000,0")
        dave.sends(b"SUBSCRIBE\ndestination: /queue/a\nack: client\n\n\0")
        dave.sends(b"SEND\ndestination:\t/queue/a \ncontent-length: 2 \nfoo:  bar  \nreceipt: msg-1\n\nhi\0")
        message = dave.hears("MESSAGE")
        self.assertEqual(message.headers["foo"], "bar")
        self.assertEqual(dave.hears("RECEIPT").headers["receipt-id"], "msg-1")
        dave.sends(b"ACK\nmessage-id: %b\n\n\0" % message.headers["message-id"].encode())
        dave.hangs_up()
        self.waits_in("/queue/a")

    # -- Frames -------------------------------------------------------------------------------------------

    def test_there_are_no_escapes(self) -> None:
        r"""Augmented BNF: header-value is any character except LF: a backslash is a backslash."""
        self.bob.subscribes("/queue/a")
        self.ann.sends(b"SEND\ndestination:/queue/a\nfoo:a\\nb\\c\\\\\\t:\\\n\n\0")
        self.assertEqual(self.bob.hears("MESSAGE").headers["foo"], "a\\nb\\c\\\\\\t:\\")
        self.assertIn(b"\nfoo:a\\nb\\c\\\\\\t:\\\n", self.bob.octets)

    def test_what_1_0_can_not_say_is_made_harmless(self) -> None:
        """Augmented BNF: a line end in a value of 1.2 would be a header line here."""
        self.bob.subscribes("/queue/a")
        carol = self.broker.connect("1.2")
        carol.sends(b"SEND\ndestination:/queue/a\nfoo:a\\nack\\cevil\\r\\nb\nna\\cme:x\n\nhi\0")
        headers = self.bob.hears("MESSAGE").headers
        self.assertEqual(headers["foo"], "a ack:evil b")
        self.assertNotIn("ack", headers)
        self.assertEqual({"na", "na:me", "na\\cme"} & set(headers), set())

    def test_a_carriage_return_is_data_but_leaves_as_a_space(self) -> None:
        """Augmented BNF: LF alone ends a line; but clients may end one at CR."""
        self.bob.subscribes("/topic/a")
        carol = self.broker.connect("1.1")
        carol.subscribes("/topic/a")
        self.ann.sends(b"SEND\ndestination:/topic/a\nfoo:a\rb\n\nhi\0")
        self.assertEqual(carol.hears("MESSAGE").headers["foo"], "a\rb")
        self.assertEqual(self.bob.hears("MESSAGE").headers["foo"], "a b")

    def test_a_frame_whose_command_ends_in_cr_lf_is_read_with_cr_lf(self) -> None:
        """Augmented BNF: LF alone ends a line; a kindness to telnet and to clients that write CR LF."""
        dave = self.connects(b"CONNECT\r\nlogin:dave\r\n\r\n\0\r\n")
        dave.hears("CONNECTED")
        dave.sends(b"SUBSCRIBE\r\ndestination:/queue/a\r\n\r\n\0\r\n")
        dave.sends(b"SEND\r\ndestination:/queue/a\r\n\r\nhi\0\r\n")
        self.assertEqual(dave.hears("MESSAGE").body, b"hi")

    def test_a_line_feed_behind_the_blank_line_of_connect(self) -> None:
        """Clients of 1.0 write one; anything else there is a frame whose NUL was forgotten."""
        for octets in (b"CONNECT\nlogin:dave\n\n\n\0", b"STOMP\nlogin:dave\n\n\r\n\0\n"):
            self.connects(octets).hears("CONNECTED")
        self.connects(b"CONNECT\n\n\nSEND\ndestination:/queue/a\n\nhi\0").fails("may not have a body")

    # -- SUBSCRIBE, UNSUBSCRIBE ---------------------------------------------------------------------------

    def test_the_body_of_subscribe_is_ignored(self) -> None:
        """SUBSCRIBE: the body of the SUBSCRIBE command is ignored."""
        self.bob.sends(b"SUBSCRIBE\ndestination:/queue/a\nreceipt:1\n\nwhatever this is\0")
        self.hears_receipts(self.bob, "1")

    def test_a_content_length_where_no_body_is_means_nothing(self) -> None:
        """SEND: content-length is a header of SEND, MESSAGE and ERROR; clients copy it into their ACK."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("hi")
        message = self.bob.hears("MESSAGE")
        self.bob.says("ACK", {"message-id": message.headers["message-id"]}, receipt="1")
        octets = f"ACK\nmessage-id:{message.headers['message-id']}\ncontent-length:8511\nreceipt:2\n\n\0"
        self.bob.sends(octets.encode())
        self.hears_receipts(self.bob, "1", "2")

    def test_a_subscription_without_an_id_has_no_subscription_header(self) -> None:
        """SUBSCRIBE: if an id header is supplied, brokers should append a subscription header."""
        self.bob.says("SUBSCRIBE", destination="/queue/a")
        self.bob.says("SUBSCRIBE", destination="/queue/b", id="b")
        self.send("a")
        self.send("b", to="/queue/b")
        a, b = self.hears(self.bob, "a", "b")
        self.assertNotIn("subscription", a.headers)
        self.assertEqual(b.headers["subscription"], "b")

    def test_a_second_subscription_without_an_id_is_an_error(self) -> None:
        """UNSUBSCRIBE: destination names the subscription, so there can be one."""
        self.bob.says("SUBSCRIBE", destination="/queue/a")
        self.bob.says("SUBSCRIBE", destination="/queue/b")
        self.bob.says("SUBSCRIBE", destination="/queue/a")
        error = self.bob.fails("subscription exists already")
        self.assertIn(b"'/queue/a'", error.body)

    def test_unsubscribe_takes_a_destination_or_an_id(self) -> None:
        """UNSUBSCRIBE: it requires either a destination header or an id header."""
        for subscribed, unsubscribed in (
            ({}, {"destination": "/queue/a"}),
            ({"id": "1"}, {"id": "1"}),
            ({"id": "1"}, {"destination": "/queue/a"}),
        ):
            bob = self.connect()
            bob.says("SUBSCRIBE", subscribed, destination="/queue/a")
            bob.says("UNSUBSCRIBE", unsubscribed, receipt="1")
            self.send("hi")
            self.hears_receipts(bob, "1")
            self.waits_in("/queue/a", "hi")

    def test_unsubscribe_by_destination_means_the_subscription_without_an_id(self) -> None:
        """UNSUBSCRIBE: the id is there for overlapping subscriptions."""
        self.bob.says("SUBSCRIBE", destination="/topic/a", id="with")
        self.bob.says("SUBSCRIBE", destination="/topic/a")
        self.bob.says("UNSUBSCRIBE", destination="/topic/a")
        self.send("hi", to="/topic/a")
        self.assertEqual(self.bob.hears("MESSAGE").headers["subscription"], "with")

    def test_unsubscribe_needs_one_of_them(self) -> None:
        """UNSUBSCRIBE: it requires either a destination header or an id header."""
        self.bob.says("SUBSCRIBE", destination="/queue/a")
        self.bob.says("UNSUBSCRIBE", receipt="7")
        self.assertEqual(self.bob.fails("destination header missing").headers["receipt-id"], "7")

    # -- ACK ----------------------------------------------------------------------------------------------

    def test_ack_needs_no_more_than_message_id(self) -> None:
        """ACK: one required header, message-id."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("hi")
        message = self.bob.hears("MESSAGE")
        self.bob.says("ACK", {"message-id": message.headers["message-id"]}, receipt="1")
        self.hears_receipts(self.bob, "1")
        self.bob.hangs_up()
        self.waits_in("/queue/a")

    def test_a_message_id_names_one_delivery_of_the_connection(self) -> None:
        """ACK: message-id alone must say which of two topic subscriptions is meant."""
        self.bob.says("SUBSCRIBE", destination="/topic/a", id="1", ack="client")
        self.bob.says("SUBSCRIBE", destination="/topic/a", id="2", ack="client")
        self.send("hi", to="/topic/a")
        one, two = self.hears(self.bob, "hi", "hi")
        self.assertNotEqual(one.headers["message-id"], two.headers["message-id"])

    def test_an_ack_of_an_auto_subscription_changes_nothing(self) -> None:
        """SUBSCRIBE: in mode auto no ACK is needed; some clients send it."""
        self.bob.says("SUBSCRIBE", destination="/queue/a")
        self.send("hi")
        self.bob.acks(self.bob.hears("MESSAGE"), receipt="1")
        self.hears_receipts(self.bob, "1")

    def test_there_is_no_nack(self) -> None:
        """Client Commands: NACK is not among them."""
        self.bob.subscribes("/queue/a", ack="client")
        self.send("hi")
        self.bob.nacks(self.bob.hears("MESSAGE"), receipt="7")
        self.assertEqual(self.bob.fails("STOMP 1.0 has no NACK").headers["receipt-id"], "7")
        self.waits_in("/queue/a", "hi")
