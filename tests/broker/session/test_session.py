"""broker/session/session.py: faults, receipts and the end of a session."""

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from stomp_tx.auth.realm import StompRealm, StompUser
from stomp_tx.broker.events import (
    Connected,
    Disconnected,
    Event,
    Failed,
    Sent,
    Subscribed,
    Unsubscribed,
)
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.errors import EngineError
from stomp_tx.interfaces import IFrameReceiver, IFrameSender, IStompUser
from stomp_tx.wire.limits import Limits
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker


def _small_broker() -> Broker:
    limits = Limits(frame=4000, headers=10, header_line=100, header_block=500)
    return Broker(factory={"limits": limits})


class SeamTests(SynchronousTestCase):
    def test_it_keeps_the_promises_of_its_interfaces(self) -> None:
        client = Broker().dial()
        verifyObject(IFrameSender, client.protocol)
        verifyObject(IFrameReceiver, client.protocol.receiver)
        verifyObject(IStompUser, StompUser("ann"))


class FaultTests(SynchronousTestCase):
    """A fault ends as an ERROR and a close, and reaches nobody else."""

    def test_the_error_says_what_and_echoes_the_receipt(self) -> None:
        ann = Broker().connect()
        ann.says("SEND", body=b"no destination", receipt="77")
        error = ann.fails("destination header missing")
        self.assertEqual(error.headers["receipt-id"], "77")
        self.assertEqual(error.headers["content-type"], "text/plain")
        self.assertIn(b"destination:/queue/a", error.body)

    def test_what_is_no_frame_is_told_by_its_receipt_too(self) -> None:
        """So a client never has to guess what an ERROR is about."""
        start = b"SEND\ndestination:/queue/a\nreceipt:r\\c1\n"
        for octets, summary in (
            (start + b"content-length:5000\n\n", "frame too large"),
            (start + b"\n" + b"x" * 5000, "frame too large"),
            (start + b"\n" + b"x" * 5000 + b"\0", "frame too large"),
            (start + b"content-length:x\n\n\0", "content-length is not a number"),
            (start + b"content-length:1\n\nab\0", "no NUL after the body"),
            (start + b"colour\n\n\0", "has no colon"),
            (start + b"a:\\t\n\n\0", "undefined escape"),
            (start + b"a:\xff\n\n\0", "not UTF-8"),
            (start + b"a:" + b"x" * 300 + b"\n\n\0", "header line too long"),
            (start + b"a:" + b"x" * 450, "header line too long"),
            (start + b"a:b\n" * 200, "header block too long"),
            (start + b"a:b\n" * 20 + b"\n\0", "too many headers"),
            (start.replace(b"SEND", b"ACK") + b"\nbody\0", "may not have a body"),
        ):
            ann = _small_broker().connect()
            ann.sends(octets)
            self.assertEqual(ann.fails(summary).headers.get("receipt-id"), "r:1", octets)

    def test_what_is_no_frame_and_says_no_receipt(self) -> None:
        start = b"SEND\ndestination:/queue/a\n"
        for octets, summary in (
            (start + b"\nreceipt:1\n" + b"x" * 5000, "frame too large"),
            (start + b"receipt:\\t\na:b\n\n\0", "undefined escape"),
            (start + b"receipt:\xff\na:b\n\n\0", "not UTF-8"),
            (start + b"receipt:" + b"1" * 450, "header line too long"),
        ):
            ann = _small_broker().connect()
            ann.sends(octets)
            self.assertNotIn("receipt-id", ann.fails(summary).headers, octets)
        stranger = Broker().dial()
        stranger.sends(b"CONNECT\nreceipt:1\nnonsense\n\n\0")
        self.assertNotIn("receipt-id", stranger.fails("has no colon").headers)

    def test_a_handler_that_breaks_ends_its_connection_and_tells_the_peer_nothing(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        bob.subscribes("/queue/b")

        def broken(message: object) -> None:
            raise ZeroDivisionError("secret")

        self.patch(broker.engine, "append", broken)
        send(ann, "/queue/a", "x", receipt="1")
        error = ann.fails("internal error")
        self.assertNotIn(b"secret", error.body)
        self.assertEqual(error.headers["receipt-id"], "1")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(bob.is_closed)

    def test_an_engine_that_fails_later_is_an_error_and_no_receipt(self) -> None:
        broker = Broker()
        ann = broker.connect()
        safe: Deferred[None] = Deferred()
        self.patch(broker.engine, "append", lambda message: safe)
        send(ann, "/queue/a", "x", receipt="1")
        self.assertTrue(ann.hears_nothing())
        safe.errback(EngineError("disk full", "free some space"))
        safe.addErrback(lambda _: None)  # the engine does so when all have heard
        self.assertEqual(ann.fails("disk full").headers["receipt-id"], "1")

    def test_lenient_keeps_the_connection_after_a_wrong_ack(self) -> None:
        ann = Broker(lenient=True).connect()
        ann.says("ACK", id="nobody", receipt="1")
        self.assertEqual(ann.hears("ERROR").headers["receipt-id"], "1")
        self.assertFalse(ann.is_closed)
        ann.says("UNSUBSCRIBE", id="nothing")
        ann.hears("ERROR")
        ann.says("SEND")
        ann.fails("destination header missing")

    def test_nothing_behind_the_fault_is_done(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        bob.subscribes("/queue/a")
        ann.sends(b"FOO\n\n\0SEND\ndestination:/queue/a\n\nx\0")
        ann.fails("unknown command")
        self.assertTrue(bob.hears_nothing())

    def test_a_peer_that_does_not_read_its_error_is_cut(self) -> None:
        broker = Broker(linger=3.0)
        ann = broker.connect()
        ann.says("FOO")
        self.assertFalse(ann.transport.aborted)
        broker.clock.advance(3.1)
        self.assertTrue(ann.transport.aborted)

    def test_a_silent_stranger_is_cut(self) -> None:
        broker = Broker(connect_timeout=10.0)
        ann = broker.dial()
        broker.clock.advance(9.9)
        self.assertFalse(ann.is_closed)
        broker.clock.advance(0.2)
        ann.fails("no CONNECT in time")

    def test_half_a_connect_is_cut_too(self) -> None:
        broker = Broker(connect_timeout=10.0)
        ann = broker.dial()
        for octet in b"CONNECT\nac":
            ann.sends(bytes([octet]))
            broker.clock.advance(1.1)
        ann.fails("no CONNECT in time")

    def test_long_names_are_refused(self) -> None:
        for command, headers in (
            ("SUBSCRIBE", {"id": "x" * 1025, "destination": "/queue/a"}),
            ("SUBSCRIBE", {"id": "1", "destination": "/queue/" + "x" * 1025}),
            ("BEGIN", {"transaction": "x" * 1025}),
        ):
            ann = Broker().connect()
            ann.says(command, headers)
            ann.fails("too long")

    def test_counts_are_bounded(self) -> None:
        ann = Broker(subscriptions=2).connect()
        for number in range(3):
            ann.subscribes("/queue/a", id=str(number))
        ann.fails("too many subscriptions")
        bob = Broker(transactions=2).connect()
        for number in range(3):
            bob.says("BEGIN", transaction=str(number))
        bob.fails("too many transactions")

    def test_open_transactions_are_bounded(self) -> None:
        ann = Broker(transaction_octets=5000).connect()
        ann.says("BEGIN", transaction="t")
        send(ann, "/queue/a", "x" * 2000, "x" * 2000, "x" * 2000, transaction="t")
        ann.fails("transactions too large")
        bob = Broker(transaction_frames=2).connect()
        bob.says("BEGIN", transaction="t")
        send(bob, "/queue/a", "1", "2", "3", transaction="t")
        bob.fails("transaction too long")

    def test_destinations_without_a_prefix_are_what_the_settings_say(self) -> None:
        broker = Broker(unprefixed="topic")
        ann, bob = broker.connect(), broker.connect()
        ann.subscribes("news")
        bob.subscribes("/topic/news")
        send(ann, "news", "1")
        self.assertEqual(ann.hears("MESSAGE").headers["destination"], "news")
        self.assertEqual(bob.hears("MESSAGE").headers["destination"], "news")
        cid = Broker(unprefixed="refuse").connect()
        send(cid, "news", "1")
        cid.fails("unknown destination")

    def test_a_prefix_without_its_slash_is_no_name(self) -> None:
        broker = Broker()
        for name in ("/queue", "/topic", "/temp-queue", "/temp-topic", "/remote-temp-queue", "/amq/queue"):
            for command in ("SEND", "SUBSCRIBE"):
                for destination in (name, f"/queue/a,{name}"):
                    ann = broker.connect()
                    ann.says(command, destination=destination, id="1")
                    self.assertIn(name.encode(), ann.fails("destination has no name").body)


class ReceiptTests(SynchronousTestCase):
    """RECEIPT: the frame was processed (STOMP 1.2, "RECEIPT")."""

    def test_every_client_frame_but_connect_may_ask_for_one(self) -> None:
        broker = Broker()
        ann = broker.connect()
        ann.subscribes("/queue/a", ack="client-individual", receipt="subscribe")
        send(ann, "/queue/a", "1", "2", receipt="send")
        heard = ann.everything()
        messages = [frame for frame in heard if frame.command == "MESSAGE"]
        receipts = [frame.headers["receipt-id"] for frame in heard if frame.command == "RECEIPT"]
        self.assertEqual(receipts, ["subscribe", "send", "send"])
        ann.acks(messages[0], receipt="ack")
        ann.nacks(messages[1], receipt="nack")
        ann.says("BEGIN", transaction="t", receipt="begin")
        ann.says("ABORT", transaction="t", receipt="abort")
        ann.says("BEGIN", transaction="t", receipt="begin again")
        ann.says("COMMIT", transaction="t", receipt="commit: a\\b")
        ann.says("UNSUBSCRIBE", id="1", receipt="unsubscribe")
        ann.says("DISCONNECT", receipt="disconnect")
        self.assertEqual(
            [frame.headers["receipt-id"] for frame in ann.everything()],
            ["ack", "nack", "begin", "abort", "begin again", "commit: a\\b", "unsubscribe", "disconnect"],
        )
        self.assertTrue(ann.is_closed)

    def test_disconnect_waits_for_what_is_not_safe_yet(self) -> None:
        broker = Broker()
        ann = broker.connect()
        safe: Deferred[None] = Deferred()
        self.patch(broker.engine, "append", lambda message: safe)
        send(ann, "/queue/a", "x", receipt="1")
        ann.says("DISCONNECT", receipt="2")
        self.assertTrue(ann.hears_nothing())
        safe.callback(None)
        self.assertEqual([frame.headers["receipt-id"] for frame in ann.everything()], ["1", "2"])
        self.assertTrue(ann.is_closed)

    def test_the_subscription_s_receipt_comes_before_its_first_message(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        send(ann, "/queue/a", "1")
        bob.subscribes("/queue/a", receipt="1")
        bob.hears("RECEIPT")
        bob.hears("MESSAGE")


class LoginTests(SynchronousTestCase):
    """With a portal, CONNECT's login and passcode go through it."""

    def broker(self) -> Broker:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(b"ann", b"se\\cret:1")
        return Broker(factory={"portal": Portal(StompRealm(), [checker])})

    def test_the_right_passcode_opens_a_session(self) -> None:
        """Neither login nor passcode is unescaped: CONNECT has no escapes ("Value Encoding")."""
        broker = self.broker()
        connected: list[Connected] = []
        broker.factory.events.observe(Connected, connected.append)
        broker.connect(login="ann", passcode="se\\cret:1")
        self.assertEqual(connected[0].user, "ann")

    def test_who_is_refused_is_not_told_why(self) -> None:
        for login in ({"login": "ann", "passcode": "hunter2"}, {"login": "bob", "passcode": "hunter2"}):
            broker = self.broker()
            ann = broker.dial()
            ann.says("CONNECT", {"accept-version": "1.2", "host": "x", **login})
            broker.clock.advance(1)
            error = ann.fails("login refused")
            self.assertNotIn(login["passcode"].encode(), error.body)

    def test_without_a_login_anonymous_is_asked_for(self) -> None:
        broker = Broker(factory={"portal": Portal(StompRealm(), [AllowAnonymousAccess()])})
        broker.connect()

    def test_frames_behind_a_slow_login_wait_in_order(self) -> None:
        broker = self.broker()
        login: Deferred[object] = Deferred()
        portal = broker.factory.portal
        self.patch(portal, "login", lambda *args: login)
        ann = broker.dial()
        ann.sends(b"CONNECT\naccept-version:1.2\nhost:x\nlogin:ann\n\n\0SEND\ndestination:/queue/a\n\n1\0")
        ann.sends(b"SEND\ndestination:/queue/a\nreceipt:2\n\n2\0")
        self.assertTrue(ann.hears_nothing())
        login.callback((IStompUser, StompUser("ann"), lambda: None))
        ann.hears("CONNECTED")
        ann.hears("RECEIPT")
        ann.subscribes("/queue/a")
        self.assertEqual(ann.hears_bodies(), [b"1", b"2"])

    def test_a_login_that_outlives_its_connection_is_logged_out(self) -> None:
        broker = self.broker()
        left: list[str] = []
        found = (IStompUser, StompUser("ann"), lambda: left.append("ann"))
        login: Deferred[object] = Deferred(lambda cancelled: cancelled.callback(found))
        self.patch(broker.factory.portal, "login", lambda *args: login)
        ann = broker.dial()
        ann.says("CONNECT", {"accept-version": "1.2", "host": "x", "login": "ann"})
        self.assertEqual(left, [])
        ann.hangs_up()
        self.assertEqual(left, ["ann"])

    def test_a_user_may_be_denied(self) -> None:
        class Guest(StompUser):
            def may(self, permission: str, destination: str) -> bool:
                return destination == "/queue/a" and permission != "send"

        broker = Broker()
        broker.factory.anonymous = Guest("guest")
        ann = broker.connect()
        ann.subscribes("/queue/a")
        send(ann, "/queue/a", "1", receipt="r")
        error = ann.fails("access denied")
        self.assertEqual(error.headers["receipt-id"], "r")
        self.assertIn(b"guest may not send to /queue/a", error.body)
        bob = broker.connect()
        bob.subscribes("/queue/b")
        bob.fails("access denied")


class EventTests(SynchronousTestCase):
    """What happens can be observed."""

    def test_a_conversation_as_an_observer_sees_it(self) -> None:
        broker = Broker(factory={"make_session_id": iter(["s1", "s2"]).__next__})
        seen: list[Event] = []
        for kind in (Connected, Subscribed, Sent, Unsubscribed, Failed, Disconnected):
            broker.factory.events.observe(kind, seen.append)
        ann = broker.connect("1.1")
        ann.subscribes("/queue/a", id="7", ack="client")
        send(ann, "/queue/a", "hi")
        ann.says("UNSUBSCRIBE", id="7")
        ann.says("FOO")
        ann.hangs_up()
        kinds = [type(event).__name__ for event in seen]
        self.assertEqual(kinds, ["Connected", "Subscribed", "Sent", "Unsubscribed", "Failed", "Disconnected"])
        self.assertEqual({event.session for event in seen}, {"s1"})

    def test_observing_sends_begins_and_ends_at_once(self) -> None:
        broker = Broker()
        ann = broker.connect()
        send(ann, "/queue/a", "before")
        seen: list[Sent] = []
        stop = broker.factory.events.observe(Sent, seen.append)
        send(ann, "/queue/a", "1")
        ann.says("BEGIN", transaction="t")
        send(ann, "/queue/a", "2", transaction="t")
        self.assertEqual(len(seen), 1)
        ann.says("COMMIT", transaction="t")
        stop()
        send(ann, "/queue/a", "after")
        self.assertEqual([event.message.body for event in seen], [b"1", b"2"])

    def test_an_observer_that_breaks_harms_nobody(self) -> None:
        broker = Broker()

        def broken(event: Event) -> None:
            raise ZeroDivisionError

        broker.factory.events.observe(Connected, broken)
        broker.connect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class EndTests(SynchronousTestCase):
    """However a session ends, it gives back all it held, once."""

    def test_stopping_closes_open_sessions_without_an_error_and_waits_for_them(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), broker.connect()
        stopped = broker.factory.stop()
        self.assertNoResult(stopped)
        ann.hears_the_end()
        ann.hangs_up()
        self.assertNoResult(stopped)
        bob.hangs_up()
        self.successResultOf(stopped)

    def test_who_wants_to_come_in_while_it_stops_is_told(self) -> None:
        broker = Broker()
        stranger = broker.dial()
        broker.factory.stop()
        stranger.fails("the broker is stopping")
        broker.dial().fails("the broker is stopping")

    def test_what_was_read_is_handled_and_its_receipts_are_sent(self) -> None:
        broker = Broker()
        ann = broker.connect()
        safe: Deferred[None] = Deferred()
        self.patch(broker.engine, "append", lambda message: safe)
        late: Deferred[None] = Deferred()
        self.patch(broker.engine, "caught_up", lambda: late)
        frames = b"".join(b"SEND\ndestination:/queue/a\nreceipt:%d\n\n\0" % number for number in (1, 2))
        ann.sends(frames + b"SEND\nreceipt:3\n\nrefused\0")
        broker.factory.stop()
        self.assertFalse(ann.is_closed)
        safe.callback(None)
        late.callback(None)
        broker.clock.advance(0)
        self.assertEqual([ann.hears("RECEIPT").headers["receipt-id"] for _ in "12"], ["1", "2"])
        self.assertEqual(ann.fails("destination header missing").headers["receipt-id"], "3")

    def test_what_was_read_and_takes_for_ever_is_not_waited_for(self) -> None:
        broker = Broker()
        ann = broker.connect()
        self.patch(broker.engine, "caught_up", lambda: Deferred())
        self.patch(broker.engine, "append", lambda message: succeed(None))
        send(ann, "/queue/a", "1", "2", receipt="1")
        broker.factory.stop()
        broker.clock.pump([1.0] * 6)
        ann.hears("RECEIPT")
        ann.hears_the_end()

    def test_a_producer_that_waits_for_room_waits_no_more(self) -> None:
        broker = Broker(EngineLimits(queue_length=1))
        ann = broker.connect()
        send(ann, "/queue/a", "1", receipt="1")
        send(ann, "/queue/a", "2", receipt="2")
        broker.factory.stop()
        self.assertEqual(ann.hears("RECEIPT").headers["receipt-id"], "1")
        ann.hears_the_end()

    def test_messages_in_flight_go_back_when_it_stops(self) -> None:
        broker = Broker()
        ann = broker.connect()
        ann.subscribes("/queue/a", ack="client")
        send(ann, "/queue/a", "1")
        ann.hears("MESSAGE")
        broker.factory.stop()
        ann.hears_the_end()
        self.assertEqual(broker.waiting("/queue/a"), [b"1"])

    def test_a_farewell_error_is_sent_where_the_settings_say_so(self) -> None:
        broker = Broker(farewell_error=True)
        ann, bob = broker.connect(heart_beat="1000,0"), broker.connect()
        broker.clock.pump([0.5] * 6)
        ann.fails("no heart-beat")
        broker.factory.stop()
        bob.fails("the broker is stopping")

    def test_why_it_ended_is_an_event_though_the_client_is_not_told(self) -> None:
        broker = Broker()
        seen: list[Disconnected] = []
        broker.factory.events.observe(Disconnected, seen.append)
        ann, bob = broker.connect(heart_beat="1000,0"), broker.connect()
        broker.clock.pump([0.5] * 6)
        broker.factory.stop()
        for client in (ann, bob):
            client.hangs_up()
        self.assertEqual([event.why for event in seen], ["no heart-beat", "the broker is stopping"])

    def test_who_speaks_tls_gets_no_error_and_no_event_says_so(self) -> None:
        for farewell_error in (False, True):
            broker = Broker(farewell_error=farewell_error)
            seen: list[Disconnected | Failed] = []
            broker.factory.events.observe(Failed, seen.append)
            broker.factory.events.observe(Disconnected, seen.append)
            eve = broker.dial()
            eve.sends(b"\x16\x03\x01\x02\x00")
            self.assertTrue(eve.is_closed)
            self.assertTrue(eve.hears_nothing())
            eve.hangs_up()
            (event,) = seen
            assert isinstance(event, Disconnected)
            self.assertRegex(
                event.why, "spoke TLS to a plain port: .*: connect without TLS, or to the TLS port"
            )

    def test_stopping_an_idle_broker_is_at_once(self) -> None:
        self.successResultOf(Broker().factory.stop())

    def test_after_everyone_has_gone_nothing_is_left(self) -> None:
        broker = Broker()
        clients = [broker.connect(heart_beat="1000,1000") for _ in range(5)]
        for client in clients:
            client.subscribes("/queue/a", id="1", ack="client")
            client.subscribes("/topic/a", id="2", ack="client-individual")
            client.says("BEGIN", transaction="t")
            send(client, "/queue/b", "x", transaction="t")
        send(clients[0], "/topic/a", "x")
        for client in clients:
            client.hangs_up()
        self.assertEqual(broker.factory.sessions, {})
        self.assertEqual(list(broker.factory.registry), [])
        self.assertEqual(broker.engine.octets, 0)
        self.assertEqual(broker.clock.getDelayedCalls(), [])


class IdleTests(SynchronousTestCase):
    """``idle_timeout``: clients that are silent, and have not promised to be heard."""

    def setUp(self) -> None:
        self.broker = Broker(idle_timeout=60.0)

    def test_what_an_idle_client_holds_goes_to_others(self) -> None:
        for heart_beat in ("0,0", "0,1000"):  # one that wants to hear ours promises none of its own
            self.setUp()
            ann, bob = self.broker.connect(heart_beat=heart_beat), self.broker.connect(heart_beat="90000,0")
            ann.subscribes("/queue/a", ack="client", receipt="subscribed")
            send(bob, "/queue/a", "1")
            self.assertEqual([frame.command for frame in ann.everything()], ["RECEIPT", "MESSAGE"])
            self.broker.clock.pump([1.0] * 59)
            self.assertFalse(ann.is_closed)
            self.broker.clock.pump([1.0] * 2)
            self.assertTrue(ann.is_closed)
            bob.subscribes("/queue/a")
            self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_whatever_it_says_keeps_it(self) -> None:
        ann = self.broker.connect()
        for _ in range(5):
            self.broker.clock.pump([1.0] * 50)
            ann.sends(b"\n")
        self.assertFalse(ann.is_closed)

    def test_one_that_has_promised_heart_beats_is_held_to_those(self) -> None:
        ann = self.broker.connect(heart_beat="90000,0")
        self.broker.clock.pump([1.0] * 170)
        self.assertFalse(ann.is_closed)
        self.broker.clock.pump([1.0] * 20)
        self.assertTrue(ann.is_closed)

    def test_the_log_knows_why_and_the_client_where_the_settings_say_so(self) -> None:
        for farewell_error in (False, True):
            broker = Broker(idle_timeout=60.0, farewell_error=farewell_error)
            seen: list[Disconnected | Failed] = []
            broker.factory.events.observe(Disconnected, seen.append)
            broker.factory.events.observe(Failed, seen.append)
            ann = broker.connect()
            broker.clock.pump([1.0] * 61)
            if farewell_error:
                self.assertIn(b"agree on heart-beats", ann.fails("idle for too long").body)
            else:
                ann.hears_the_end()
            ann.hangs_up()
            self.assertIn("idle for too long", str(seen[0]))


class ReceiptFloodTests(SynchronousTestCase):
    """A producer that never reads its receipts is read no more, until it does."""

    def test_receipts_do_not_pile_up_for_ever(self) -> None:
        broker = Broker(send_buffer=1000)
        ann, bob = broker.connect(), broker.connect()
        ann.transport.room = 1000
        for number in range(1000):
            ann.says("SEND", destination="/topic/a", receipt=f"{number:050}")
        self.assertEqual(ann.transport.producerState, "paused")
        self.assertLess(len(ann.transport.value()), 30_000)
        bob.subscribes("/topic/a")
        receipts = 0
        while ann.transport.value():
            receipts += len(ann.everything())
            ann.transport.producer.resumeProducing()
        self.assertEqual(receipts, 1000)
        self.assertEqual(ann.transport.producerState, "producing")
        self.assertGreater(len(bob.hears_bodies()), 500)
