"""The client's frames, to the octet, and what it makes of a broker's: the test speaks for the broker."""

import dataclasses

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from stomp_tx.client import (
    ConnectionLost,
    ConnectTimeout,
    ErrorReceived,
    LoginRefused,
    NoConnection,
    ReceiptTimeout,
    StompClient,
    connect,
)
from stomp_tx.client.session.session import ClientSession
from stomp_tx.client.settings import ClientOptions, ClientSettings
from stomp_tx.errors import ConfigurationError, FrameError, ProtocolViolation, VersionMismatch
from stomp_tx.interfaces import IFrameReceiver
from stomp_tx.protocol import StompFrameProtocol
from tests.client.wiring import Script, World


@implementer(IStreamClientEndpoint)
class Nowhere:
    """Connecting takes for ever."""

    def __init__(self):
        self.connecting = Deferred(self.cancel)
        self.cancelled = False

    def cancel(self, connecting):
        self.cancelled = True

    def connect(self, factory):
        return self.connecting


class SessionTests(SynchronousTestCase):
    def setUp(self):
        self.broker = Script()
        self.clock = self.broker.clock

    def messages(self, client, version="1.2", **more):
        """A handler's subscription in force, and the list of what it got."""
        got = []
        subscribing = client.subscribe("/queue/a", got.append, **more)
        self.broker.answers(self.broker.hears("SUBSCRIBE"))
        self.successResultOf(subscribing)
        return got

    def test_session_is_a_receiver_of_frames(self):
        verifyObject(IFrameReceiver, ClientSession(ClientSettings(), self.clock))


class ConnectTests(SessionTests):
    def test_connect_says_who_and_what(self):
        self.broker.accepts(login="ann", passcode="a:b\\c", headers={"client-id": "7"}, host="vhost")
        self.assertEqual(
            self.broker.hears_octets(),
            b"CONNECT\naccept-version:1.0,1.1,1.2\nhost:vhost\nlogin:ann\npasscode:a:b\\c\n"
            b"heart-beat:10000,10000\nclient-id:7\n\n\0",
        )

    def test_host_is_the_peers_where_none_is_given(self):
        self.broker.accepts()
        self.assertEqual(self.broker.hears("CONNECT").headers["host"], "127.0.0.1")

    def test_it_waits_for_connected(self):
        connecting = self.broker.accepts()
        self.assertNoResult(connecting)
        self.broker.says("CONNECTED", version="1.1", session="s")
        client = self.successResultOf(connecting)
        self.assertIsInstance(client, StompClient)
        self.assertEqual((client.version, client.headers["session"]), ("1.1", "s"))

    def test_connected_without_version_is_1_0(self):
        connecting = self.broker.accepts()
        self.broker.says("CONNECTED", session="s")
        self.assertEqual(self.successResultOf(connecting).version, "1.0")

    def test_line_ends_with_carriage_returns(self):
        connecting = self.broker.accepts()
        self.broker.hears("CONNECT")
        self.broker.sends(b"CONNECTED\r\nversion:1.2\r\nheart-beat:0, 0\r\n\r\n\0\r\n")
        self.broker.version = "1.2"
        client = self.successResultOf(connecting)
        got = self.messages(client)
        self.broker.sends(
            b"MESSAGE\r\nsubscription:1\r\nmessage-id:1\r\ndestination:/queue/a\r\n\r\nhi\r\n\0\r\n"
        )
        self.assertEqual([message.body for message in got], [b"hi\r\n"])

    def test_version_that_was_not_offered_is_refused(self):
        for headers in ({}, {"version": "1.3"}):
            broker = Script()
            connecting = broker.accepts(versions=("1.1", "1.2"))
            broker.says("CONNECTED", **headers)
            error = self.failureResultOf(connecting, ConnectionLost).value
            self.assertIsInstance(error.__cause__, VersionMismatch)
            self.assertTrue(broker.pipe.disconnecting)

    def test_error_is_a_refused_login(self):
        connecting = self.broker.accepts()
        self.broker.says("ERROR", body=b"wrong passcode\n", message="login refused")
        error = self.failureResultOf(connecting, LoginRefused).value
        self.assertEqual(str(error), "login refused: wrong passcode")
        self.assertEqual(error.headers["message"], "login refused")
        self.assertTrue(self.broker.pipe.disconnecting)

    def test_loss_before_connected(self):
        connecting = self.broker.accepts()
        self.broker.hangs_up()
        self.failureResultOf(connecting, ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_no_stomp_is_a_loss_that_says_so(self):
        connecting = self.broker.accepts()
        self.broker.sends(b"\x15\x03\x01\x00\x02\x02")
        error = self.failureResultOf(connecting, ConnectionLost).value
        self.assertIn("TLS", str(error))
        self.assertIsInstance(error.__cause__, FrameError)

    def test_wrong_frame_first(self):
        connecting = self.broker.accepts()
        self.broker.says("RECEIPT", receipt_id="1")
        error = self.failureResultOf(connecting, ConnectionLost).value
        self.assertIn("unexpected RECEIPT", str(error))

    def test_silence_times_out(self):
        connecting = self.broker.accepts(connect_timeout=3)
        self.clock.advance(2.9)
        self.assertNoResult(connecting)
        self.clock.advance(0.1)
        error = self.failureResultOf(connecting, ConnectTimeout).value
        self.assertEqual(str(error), "no CONNECTED within 3 seconds")
        self.assertTrue(self.broker.pipe.aborted)
        self.broker.hangs_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelling_cuts_the_connection(self):
        connecting = self.broker.accepts()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertTrue(self.broker.pipe.aborted)
        self.broker.hangs_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelling_is_no_failed_attempt(self):
        """Twisted's endpoints have an error of their own for it."""

        class Cancelled(Nowhere):
            def cancel(self, connecting):
                connecting.errback(ConnectingCancelledError(None))

        connecting = connect(Cancelled(), reactor=self.clock)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_while_much_is_on_its_way_to_the_broker_it_is_heard(self):
        """What it says of a frame that is too large, for one; and it may itself wait until it is heard."""
        client = self.broker.connects()
        self.broker.pipe.producer.pauseProducing()
        sending = client.send("/queue/a", bytes(20 * 1024 * 1024), receipt=True)
        self.clock.advance(0)
        self.broker.says("ERROR", message="frame too large", receipt_id="1")
        self.assertEqual(str(self.failureResultOf(sending, ErrorReceived).value), "frame too large")

    def test_time_and_cancelling_count_from_the_beginning(self):
        nowhere = Nowhere()
        connecting = connect(nowhere, reactor=self.clock, connect_timeout=3)
        self.clock.advance(3)
        self.failureResultOf(connecting, ConnectTimeout)
        self.assertTrue(nowhere.cancelled)

    def test_connection_that_comes_after_it_was_given_up_is_cut(self):
        session = ClientSession(ClientSettings(), self.clock)
        session.ready.cancel()
        self.failureResultOf(session.ready, CancelledError)
        protocol = StompFrameProtocol(session, clock=self.clock)
        protocol.makeConnection(self.broker.pipe)
        self.assertTrue(self.broker.pipe.aborted)
        self.assertEqual(self.broker.pipe.value(), b"")

    def test_what_connecting_fails_with_is_passed_on(self):
        for wrong, right in ((OSError("no route"), NoConnection), (ZeroDivisionError(), ZeroDivisionError)):
            nowhere = Nowhere()
            connecting = connect(nowhere, reactor=self.clock)
            nowhere.connecting.errback(wrong)
            self.failureResultOf(connecting, right)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_settings_that_cannot_be_used_are_refused_before_anything_is_said(self):
        for wrong, error in (
            ({"login": "a\nb"}, FrameError),
            ({"host": "a\nb"}, FrameError),
            ({"host": "\ud800"}, FrameError),
            ({"versions": ("1.3",)}, ConfigurationError),
            ({"heart_beat_ms": (-1, 0)}, ConfigurationError),
            ({"heart_beat_grace": 0.5}, ConfigurationError),
            ({"connect_timeout": -1}, ConfigurationError),
            ({"ca_file": "ca.pem"}, ConfigurationError),
        ):
            self.failureResultOf(Script().accepts(**wrong), error)

    def test_the_arguments_are_the_fields_of_the_settings(self):
        fields = {field.name: field.type for field in dataclasses.fields(ClientSettings)}
        self.assertEqual(ClientOptions.__annotations__.keys(), fields.keys())
        for name, annotation in ClientOptions.__annotations__.items():
            self.assertEqual(annotation.__forward_arg__, fields[name], name)

    def test_settings_do_not_show_the_passcode(self):
        self.assertNotIn("open-sesame", repr(ClientSettings(login="ann", passcode="open-sesame")))

    def test_broker_refuses_what_it_does_not_know(self):
        world = World(versions=("1.2",))
        connecting = world.dial(versions=("1.0",))
        world.runs()
        error = self.failureResultOf(connecting, LoginRefused).value
        self.assertIn("no common protocol version", str(error))


class HeartBeatTests(SessionTests):
    def connected(self, ours, theirs, **more):
        connecting = self.broker.accepts(heart_beat_ms=ours, **more)
        self.broker.hears_octets()
        headers = {} if theirs is None else {"heart_beat": theirs}
        self.broker.says("CONNECTED", version="1.2", **headers)
        return connecting

    def test_each_direction_is_the_slower_of_both(self):
        client = self.successResultOf(self.connected((4000, 1000), "3000,2000"))
        # We say something every max(4000, 2000), the broker every max(3000, 1000).
        self.clock.advance(3.5)
        self.assertEqual(self.broker.hears_octets(), b"")
        self.clock.advance(0.4)
        self.assertEqual(self.broker.hears_octets(), b"\n")
        self.clock.pump([0.5] * 4)
        self.assertTrue(client.connected)
        self.clock.advance(0.2)
        self.assertFalse(client.connected)

    def test_none_where_one_side_wants_none(self):
        for ours, theirs in (((0, 0), "1000,1000"), ((1000, 1000), "0,0"), ((1000, 1000), None)):
            self.broker = broker = Script()
            self.clock = broker.clock
            client = self.successResultOf(self.connected(ours, theirs))
            self.clock.advance(0)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertTrue(client.connected)

    def test_silence_is_a_loss(self):
        client = self.successResultOf(self.connected((0, 1000), "1000,0"))
        sending = client.send("/queue/a", b"", receipt=True)
        closed = client.when_closed()
        self.clock.pump([0.2] * 9)
        self.broker.sends(b"\n")
        self.clock.pump([0.2] * 9)
        self.assertNoResult(sending)
        self.clock.pump([0.2] * 2)
        error = self.failureResultOf(sending, ConnectionLost).value
        self.assertIn("no heart-beat", str(error))
        # The transport gets a bounded time to close.
        self.assertNoResult(closed)
        self.clock.advance(5)
        self.assertTrue(self.broker.pipe.aborted)
        self.broker.hangs_up()
        self.assertIs(type(self.successResultOf(closed)), ConnectionLost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_grace_is_a_setting(self):
        client = self.successResultOf(self.connected((0, 1000), "1000,0", heart_beat_grace=4))
        self.clock.pump([0.5] * 7)
        self.assertTrue(client.connected)
        self.clock.pump([0.5])
        self.assertFalse(client.connected)

    def test_malformed_header_is_refused(self):
        error = self.failureResultOf(self.connected((0, 0), "soon"), ConnectionLost).value
        self.assertIsInstance(error.__cause__, ProtocolViolation)

    def test_what_is_sent_counts(self):
        client = self.successResultOf(self.connected((1000, 0), "0,1000"))
        self.clock.advance(0.9)
        client.send("/queue/a", b"")
        self.assertIn(b"SEND", self.broker.hears_octets())
        self.clock.advance(0.9)
        self.assertEqual(self.broker.hears_octets(), b"")


class SayingTests(SessionTests):
    """What each operation is on the wire."""

    def test_send(self):
        client = self.broker.connects()
        client.send("/queue/a", "hi", receipt=True, headers={"n:1": "a\nb"})
        client.send("/queue/a", b"\0", content_type="x/y")
        client.send("/queue/a", b"")
        self.assertEqual(
            self.broker.hears_octets(),
            b"SEND\nreceipt:1\ndestination:/queue/a\ncontent-type:text/plain\nn\\c1:a\\nb\n"
            b"content-length:2\n\nhi\0"
            b"SEND\ndestination:/queue/a\ncontent-type:x/y\ncontent-length:1\n\n\0\0"
            b"SEND\ndestination:/queue/a\ncontent-length:0\n\n\0",
        )

    def test_send_without_content_length(self):
        client = self.broker.connects()
        client.send("/queue/a", "hi", content_length=False)
        octets = b"SEND\ndestination:/queue/a\ncontent-type:text/plain\n\nhi\0"
        self.assertEqual(self.broker.hears_octets(), octets)
        self.failureResultOf(client.send("/queue/a", "h\0i", content_length=False, receipt=True), FrameError)
        self.assertEqual(self.broker.hears_octets(), b"")

    def test_subscribe_and_unsubscribe(self):
        client = self.broker.connects()
        for more, headers in (
            ({"ack": "client"}, {"ack": "client", "prefetch-count": "100", "activemq.prefetchSize": "100"}),
            ({"ack": "client", "prefetch": 0}, {"ack": "client"}),
            ({"prefetch": 0}, {"ack": "auto"}),
            (
                {"prefetch": 1},
                {"ack": "client-individual", "prefetch-count": "1", "activemq.prefetchSize": "1"},
            ),
            (
                {"prefetch": 1, "headers": {"prefetch-count": "5", "selector": "a > 1"}, "ack": "client"},
                {
                    "ack": "client",
                    "prefetch-count": "5",
                    "activemq.prefetchSize": "1",
                    "selector": "a > 1",
                },
            ),
        ):
            subscribing = client.subscribe("/queue/a", id="x", **more)
            frame = self.broker.hears("SUBSCRIBE")
            receipt = frame.headers["receipt"]
            expected = {"id": "x", "destination": "/queue/a", "receipt": receipt, **headers}
            self.assertEqual(frame.headers, expected)
            self.broker.answers(frame)
            subscription = self.successResultOf(subscribing)
            client.unsubscribe(subscription, headers={"durable": "true"})
            frame = self.broker.hears("UNSUBSCRIBE")
            self.assertEqual(
                frame.headers, {"id": "x", "receipt": frame.headers["receipt"], "durable": "true"}
            )
            self.broker.answers(frame)

    def test_receipts_are_optional(self):
        client = self.broker.connects()
        subscription = self.successResultOf(client.subscribe("/queue/a", receipt=False))
        self.assertNotIn("receipt", self.broker.hears("SUBSCRIBE").headers)
        self.successResultOf(subscription.unsubscribe(receipt=False))
        self.assertNotIn("receipt", self.broker.hears("UNSUBSCRIBE").headers)

    def test_ack_names_the_message_as_the_version_does(self):
        for version, named in (
            ("1.0", {"message-id": "7", "subscription": "s"}),
            ("1.1", {"message-id": "7", "subscription": "s"}),
            ("1.2", {"id": "a:7"}),
        ):
            self.broker = Script()
            client = self.broker.connects(version)
            got = self.messages(client, ack="client-individual", id="s")
            for command in ("ACK", "NACK") if version != "1.0" else ("ACK",):
                self.broker.message("s", message_id="7", ack="a:7")
                getattr(client, command.lower())(got.pop(), headers={"x": "y"})
                self.assertEqual(self.broker.hears(command).headers, {**named, "x": "y"})

    def test_transaction(self):
        client = self.broker.connects()
        got = self.messages(client, ack="client", id="s")
        self.broker.message("s", ack="7")
        transaction = self.successResultOf(client.transaction().begin())
        name = transaction.id
        transaction.send("/queue/b", b"x")
        transaction.ack(got[0], receipt=True)
        committing = transaction.commit()
        self.assertEqual(self.broker.hears("BEGIN").headers, {"transaction": name})
        self.assertEqual(self.broker.hears("SEND").headers["transaction"], name)
        ack = self.broker.hears("ACK")
        self.assertEqual((ack.headers["id"], ack.headers["transaction"]), ("7", name))
        commit = self.broker.hears("COMMIT")
        self.assertEqual(commit.headers["transaction"], name)
        self.assertNoResult(committing)
        self.broker.answers(commit)
        self.successResultOf(committing)

    def test_each_turn_is_one_write(self):
        client = self.broker.connects()
        writes = []
        self.broker.pipe.write = writes.append
        for _ in range(10):
            client.send("/queue/a", b"hi")
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(len(writes), 1)


class HearingTests(SessionTests):
    def test_receipts_may_come_in_any_order(self):
        client = self.broker.connects()
        first, second = (client.send("/queue/a", b"", receipt=True) for _ in range(2))
        frames = [self.broker.hears("SEND") for _ in range(2)]
        self.broker.answers(frames[1])
        self.successResultOf(second)
        self.assertNoResult(first)
        self.broker.answers(frames[0])
        self.successResultOf(first)

    def test_receipt_that_nobody_waits_for_is_ignored(self):
        client = self.broker.connects()
        sending = client.send("/queue/a", b"", receipt=True)
        frame = self.broker.hears("SEND")
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.broker.answers(frame)
        self.broker.says("RECEIPT", receipt_id="unheard-of")
        self.broker.says("RECEIPT")
        self.assertTrue(client.connected)

    def test_receipt_may_be_late(self):
        client = self.broker.connects(receipt_timeout=10)
        first = client.send("/queue/a", b"", receipt=True)
        self.clock.advance(6)
        second = client.send("/queue/a", b"", receipt=True)
        self.clock.advance(4)
        self.assertIn("within 10 seconds", str(self.failureResultOf(first, ReceiptTimeout).value))
        self.assertNoResult(second)
        self.clock.advance(6)
        self.failureResultOf(second, ReceiptTimeout)
        self.broker.answers(self.broker.hears("SEND"))
        self.assertTrue(client.connected)
        third = client.send("/queue/a", b"", receipt=True)
        self.broker.hears("SEND")
        self.broker.answers(self.broker.hears("SEND"))
        self.successResultOf(third)
        self.broker.hangs_up()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_message_of_no_subscription_is_ignored(self):
        client = self.broker.connects()
        got = self.messages(client, id="a")
        self.broker.message("b")
        self.broker.message("a")
        self.assertEqual(len(got), 1)

    def test_message_after_unsubscribe_is_ignored(self):
        client = self.broker.connects()
        got = []
        subscribing = client.subscribe("/queue/a", got.append, id="a", receipt=False)
        self.successResultOf(subscribing).unsubscribe()
        self.broker.message("a")
        self.broker.hears("SUBSCRIBE")
        self.broker.answers(self.broker.hears("UNSUBSCRIBE"))
        self.broker.message("a")
        self.assertEqual(got, [])

    def test_broker_of_1_0_may_name_no_subscription(self):
        client = self.broker.connects("1.0")
        got = self.messages(client)
        self.broker.says("MESSAGE", body=b"hi", destination="/queue/a", message_id="1")
        self.broker.says("MESSAGE", body=b"hi", destination="/queue/other", message_id="2")
        self.assertEqual([message.id for message in got], ["1"])

    def test_broker_that_knows_no_acknowledgments(self):
        client = self.broker.connects()
        subscribing = client.subscribe("/queue/a", id="a", receipt=False)
        self.broker.hears("SUBSCRIBE")
        self.broker.message("a")  # 1.2, and no ack header
        self.assertEqual(self.successResultOf(self.successResultOf(subscribing).next()).body, b"hello")
        self.assertTrue(self.broker.hears_nothing())

    def test_error_without_receipt_id_fails_all_with_its_text(self):
        client = self.broker.connects()
        sending = client.send("/queue/a", b"", receipt=True)
        subscribing = client.subscribe("/queue/a")
        self.broker.says("ERROR", body=b"details", message="access denied")
        for one in (sending, subscribing):
            error = self.failureResultOf(one, ConnectionLost).value
            self.assertIn("access denied: details", str(error))
            self.assertIsInstance(error.__cause__, ErrorReceived)
        self.assertTrue(self.broker.pipe.disconnecting)

    def test_error_without_anything(self):
        client = self.broker.connects()
        closed = client.when_closed()
        self.broker.sends(b"ERROR\n\n\0")
        self.broker.hangs_up()
        self.assertEqual(str(self.successResultOf(closed)), "the broker sent an ERROR frame")

    def test_broker_that_stays_open_after_error_is_left(self):
        client = self.broker.connects()
        got = self.messages(client)
        self.broker.says("ERROR", message="no")
        self.broker.message("1")
        self.assertEqual(got, [])
        self.clock.advance(5)
        self.assertTrue(self.broker.pipe.aborted)

    def test_frame_that_is_none_ends_the_connection(self):
        for octets in (b"SEND\n\n\0", b"CONNECTED\n\n\0", b"HELLO\n\n\0", b"MESSAGE\nno colon\n\n\0"):
            self.broker = Script()
            client = self.broker.connects()
            sending = client.send("/queue/a", b"", receipt=True)
            self.broker.sends(octets)
            self.failureResultOf(sending, ConnectionLost)
            self.assertTrue(self.broker.pipe.disconnecting)

    def test_broker_that_closes_its_side_has_left(self):
        """Without its word nothing more can be known, though it may still read."""
        for half, why in ((b"", "closed cleanly"), (b"RECEIPT\n", "in the middle of a frame")):
            self.broker = Script()
            client = self.broker.connects()
            sending, closed = client.send("/queue/a", b"", receipt=True), client.when_closed()
            self.broker.sends(half)
            self.broker.closes_its_side()
            self.assertIn(why, str(self.failureResultOf(sending, ConnectionLost).value))
            self.assertFalse(client.connected)
            self.assertIn(b"SEND\n", self.broker.hears_octets())
            self.assertTrue(self.broker.pipe.disconnecting)
            self.broker.hangs_up()
            self.assertIsInstance(self.successResultOf(closed), ConnectionLost)
            self.assertEqual(self.broker.clock.getDelayedCalls(), [])

    def test_broker_that_closes_its_side_before_connected(self):
        connecting = self.broker.accepts()
        self.broker.closes_its_side()
        self.assertIn("answer to CONNECT", str(self.failureResultOf(connecting, ConnectionLost).value))
        self.assertTrue(self.broker.pipe.disconnecting)

    def test_fault_of_ours_ends_this_connection_and_is_logged(self):
        client = self.broker.connects()
        sending = client.send("/queue/a", b"", receipt=True)
        client._session._receipts.forget = None
        self.broker.answers(self.broker.hears("SEND"))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertIn("internal error", str(self.failureResultOf(sending, ConnectionLost).value))
        self.assertTrue(self.broker.pipe.disconnecting)

    def test_octets_may_come_one_by_one(self):
        client = self.broker.connects()
        got = self.messages(client)
        for octet in b"MESSAGE\nsubscription:1\nmessage-id:1\ncontent-length:3\n\n\n\0\n\0\n" * 2:
            self.broker.sends(bytes([octet]))
        self.assertEqual([message.body for message in got], [b"\n\0\n"] * 2)


class LeavingTests(SessionTests):
    def test_disconnect_waits_for_its_receipt_and_the_end(self):
        client = self.broker.connects()
        leaving = client.disconnect()
        frame = self.broker.hears("DISCONNECT")
        self.assertFalse(client.connected)
        self.failureResultOf(client.send("/queue/a", b""), ConnectionLost)
        self.broker.answers(frame)
        self.assertTrue(self.broker.pipe.disconnecting)
        self.assertNoResult(leaving)
        self.broker.hangs_up()
        self.successResultOf(leaving)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_receipt_is_bounded(self):
        client = self.broker.connects(disconnect_timeout=2)
        leaving, closed = client.disconnect(), client.when_closed()
        self.clock.advance(2)
        self.assertTrue(self.broker.pipe.aborted)
        self.broker.hangs_up()
        self.failureResultOf(leaving, ReceiptTimeout)
        self.assertIsInstance(self.successResultOf(closed), ReceiptTimeout)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_outstanding_receipt_is_waited_for_so_long(self):
        client = self.broker.connects(disconnect_timeout=2)
        sending, leaving = client.send("/queue/a", b"", receipt=True), client.disconnect()
        self.broker.hears("SEND")
        self.assertTrue(self.broker.hears_nothing())
        self.clock.advance(2)
        self.broker.answers(self.broker.hears("DISCONNECT"))
        self.failureResultOf(sending, ConnectionLost)
        self.broker.hangs_up()
        self.successResultOf(leaving)

    def test_broker_that_only_closes(self):
        client = self.broker.connects()
        leaving = client.disconnect()
        self.broker.hangs_up()
        self.failureResultOf(leaving, ConnectionLost)

    def test_error_for_disconnect(self):
        client = self.broker.connects()
        leaving, closed = client.disconnect(), client.when_closed()
        frame = self.broker.hears("DISCONNECT")
        self.broker.says("ERROR", message="no", receipt_id=frame.headers["receipt"])
        self.broker.hangs_up()
        self.assertIn("no", str(self.failureResultOf(leaving, ConnectionLost).value))
        self.assertIsInstance(self.successResultOf(closed), ErrorReceived)

    def test_it_does_not_matter_who_still_wants_to_know(self):
        client = self.broker.connects()
        leaving = client.disconnect()
        leaving.cancel()
        self.failureResultOf(leaving, CancelledError)
        self.broker.hangs_up()
