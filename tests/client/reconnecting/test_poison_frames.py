"""poison_frames.py: which frame it is that a broker can't bear, and that no other one is blamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.session.session import BrokerSession
from stomp_tx.client import ConnectionLost, ErrorReceived
from stomp_tx.errors import EngineError, IdleTooLong, LimitExceeded, ProtocolViolation, StompError
from stomp_tx.testing import MemoryBroker
from stomp_tx.testing.scripted import ScriptedBroker
from stomp_tx.wire.limits import Limits
from tests.client.serving import QUEUE, Script, ServiceCase, ends

OTHERS_WORDS = [
    ("ActiveMQ/5.17.2", "Channel was inactive for too (>30000) long: tcp://127.0.0.1:50000", b""),
    ("ActiveMQ/5.17.2", "Broker has been stopped: org.apache.activemq.broker.BrokerService$3@1784a77", b""),
    (
        "ActiveMQ-Artemis/2.30.0 ActiveMQ Artemis Messaging Engine",
        "AMQ229014: Did not receive data from /127.0.0.1:50000 within the 60000ms connection TTL. "
        "The connection will now be closed.",
        b"",
    ),
    ("ActiveMQ-Artemis/2.30.0", "AMQ229108: connections for user ann closed by management", b""),
    ("RabbitMQ/3.10.8", "connection_forced", b"CONNECTION_FORCED - broker forced connection closure\n"),
    (
        "RabbitMQ/4.2.0",
        "Credential expired",
        b"The credential used to authenticate this connection has expired",
    ),
    ("RabbitMQ/3.10.8", "Server cancelled subscription", b"The server has canceled a subscription.\n"),
    (
        "RabbitMQ/3.10.8",
        "precondition_failed",
        b"PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000",
    ),
]
"""What other brokers say when they end a connection for no frame: server, message, body."""


def _taken_away(session: BrokerSession) -> None:
    with patched(session.user, is_valid=lambda: False):
        session.access_changed()


def _may_no_more(session: BrokerSession) -> None:
    with patched(session.user, may=lambda permission, address: False):
        session.access_changed()


OWN_ENDS: dict[str, Callable[[BrokerSession], object]] = {
    "the broker is stopping": BrokerSession.shut_down,
    "no heart-beat": lambda session: session.frame_failed(ProtocolViolation("no heart-beat")),
    "idle for too long": lambda session: session.frame_failed(IdleTooLong(60.0)),
    "login expired": lambda session: session._login._expired(),
    "login refused": _taken_away,
    "access denied": _may_no_more,
    "subscription too slow": lambda session: session.too_slow(next(iter(session._subscriptions))),
    "disk is full": lambda session: session._work_failed(Failure(EngineError("disk is full")), None),
    "internal error": lambda session: session._sender.fail(StompError("internal error")),  # type: ignore[attr-defined]
    "too much under way": lambda session: session.frame_failed(LimitExceeded("too much under way")),
}
"""Every end of a session of this project's broker that is about no frame."""


class OwnBrokerTests(ServiceCase):
    """This project's broker: what an ERROR is about is never guessed."""

    def test_an_end_that_is_about_no_frame_blames_none(self) -> None:
        for words, end in OWN_ENDS.items():
            for receipt in (True, False):
                with self.subTest(words, receipt=receipt):
                    self.broker = MemoryBroker(farewell_error=True)
                    self.survives(words, end, receipt)

    def survives(self, words: str, end: Callable[[BrokerSession], object], receipt: bool) -> None:
        """The same end of six connections in a row, while all is outstanding."""
        service = self.starts()
        inbox = self.got(service.subscribe("/queue/b", receipt=receipt))
        with patched(self.broker.engine, append=lambda message: Deferred()):
            sending = service.send(QUEUE, "1", receipt=True)
            service.send(QUEUE, "2")
            for _ in range(6):
                self.broker.advance(60)
                (session,) = self.broker.factory.sessions
                (link,) = self.broker.links
                end(session)
                self.broker.settle()
                self.assertIn(words.encode(), link.client.octets)
        self.assertNoResult(sending)
        self.broker.advance(60)
        self.successResultOf(sending)
        self.assertEqual(self.broker.waiting(QUEUE), [b"1", b"2"])
        self.got(service.send("/queue/b", "hello", receipt=True))
        self.assertEqual(self.got(inbox.next()).body, b"hello")

    def test_a_frame_that_is_too_large_is_told_by_its_receipt(self) -> None:
        self.broker = MemoryBroker(factory={"limits": Limits(frame=4000, header_line=100)})
        service = self.starts()
        for wrong in (
            service.send(QUEUE, "x" * 5000, receipt=True),
            service.send(QUEUE, "x", headers={"a": "x" * 3000}, receipt=True),
            service.send(QUEUE, "x", headers={"a": "x" * 300}, receipt=True),
            service.send(f"{QUEUE}{'a' * 3000}", "x", receipt=True),
            service.subscribe(QUEUE, headers={"a": "x" * 3000}),
        ):
            self.broker.advance(10)
            self.failureResultOf(wrong, ErrorReceived)
            self.got(service.send(QUEUE, "hello", receipt=True))

    def test_a_subscription_that_asks_for_no_receipt_is_found(self) -> None:
        service = self.starts()
        good = service.subscribe("/queue/b", receipt=False)
        bad = self.got(service.subscribe("/exchange/nope/x", receipt=False)).next()
        sending = service.send(QUEUE, "hello", receipt=True)
        self.broker.advance(60)
        self.failureResultOf(bad, ErrorReceived)
        self.successResultOf(sending)
        self.assertFalse(self.successResultOf(good).ended)
        self.assertTrue(service.connected)


class OtherBrokersTests(SynchronousTestCase):
    """ERRORs that name no receipt."""

    def test_what_is_known_to_be_about_no_frame_blames_none(self) -> None:
        for server, message, body in OTHERS_WORDS:
            for shown in (server, ""):
                with self.subTest(message, server=shown):
                    script = Script(shown)
                    service = script.service()
                    sending = [service.send(QUEUE, f"{number}", receipt=True) for number in range(3)]
                    for _ in range(6):
                        broker = script.accepts()
                        for _ in range(3):  # not one by one: nothing is suspected
                            broker.hears("SEND")
                        ends(broker, message, body)
                    self.answers_all(script.accepts(), 3)
                    for one in sending:
                        self.successResultOf(one)

    def answers_all(self, broker: ScriptedBroker, count: int) -> None:
        for _ in range(count):
            broker.answers(broker.hears("SEND"))

    def test_a_broker_that_stops_refuses_nothing_whatever_it_names(self) -> None:
        script = Script("ActiveMQ/5.17.2")
        service = script.service()
        sending, subscribing = service.send(QUEUE, "1", receipt=True), service.subscribe(QUEUE)
        broker = script.accepts()
        receipt = broker.hears("SUBSCRIBE").headers["receipt"]
        ends(broker, "Broker has been stopped: BrokerService[localhost]", receipt_id=receipt)
        broker = script.accepts()
        broker.answers(broker.hears("SUBSCRIBE"))
        receipt = broker.hears("SEND").headers["receipt"]
        ends(broker, "Broker has been stopped: BrokerService[localhost]", receipt_id=receipt)
        broker = script.accepts()
        broker.answers(broker.hears("SUBSCRIBE"))
        broker.answers(broker.hears("SEND"))
        self.successResultOf(sending)
        self.assertFalse(self.successResultOf(subscribing).ended)

    def test_the_one_that_ends_each_connection_is_found(self) -> None:
        script = Script()
        service = script.service()
        bodies = [b"a", b"bad", b"c"]
        sending = [service.send(QUEUE, body, receipt=True) for body in bodies]
        for _ in range(10):
            if all(one.called for one in sending):
                break
            self.bears_all_but(b"bad", script)
        self.successResultOf(sending[0])
        self.failureResultOf(sending[1], ErrorReceived)
        self.successResultOf(sending[2])

    def bears_all_but(self, bad: bytes, script: Script, **headers: Any) -> None:
        """One connection, for a minute or until it is ended."""
        broker = script.accepts()
        for _ in range(60):
            for frame in broker.everything():
                if frame.body == bad:
                    ends(broker, "can't bear it", **headers)
                    return
                broker.answers(frame)
            script.advance(1)

    def test_an_error_that_names_nothing_outstanding_names_nothing(self) -> None:
        """Its ``receipt-id`` is there, and empty, or somebody else's."""
        for named in ("", "somebody's"):
            with self.subTest(named):
                script = Script()
                service = script.service()
                sending = [service.send(QUEUE, body, receipt=True) for body in (b"bad", b"good")]
                for _ in range(10):
                    if all(one.called for one in sending):
                        break
                    self.bears_all_but(b"bad", script, receipt_id=named)
                self.failureResultOf(sending[0], ErrorReceived)
                self.successResultOf(sending[1])

    def test_what_a_broker_says_when_it_stops_is_known_with_an_empty_receipt_id_too(self) -> None:
        script = Script()
        service = script.service()
        sending = [service.send(QUEUE, f"{number}", receipt=True) for number in range(3)]
        for _ in range(6):
            broker = script.accepts()
            for _ in range(3):
                broker.hears("SEND")
            ends(broker, "Credential expired", b"The credential has expired", receipt_id="")
        self.answers_all(script.accepts(), 3)
        for one in sending:
            self.successResultOf(one)

    def test_who_needs_the_connection_waits_no_longer_than_for_an_answer(self) -> None:
        """The queue is full, and who would empty it acknowledges in a transaction."""
        for errors in (1, 2):
            with self.subTest(errors=errors):
                self.acknowledges_in_a_transaction(errors)

    def acknowledges_in_a_transaction(self, errors: int) -> None:
        script = Script()
        service = script.service()

        async def takes(message: Any) -> None:
            async with service.transaction() as transaction:
                await message.ack(transaction=transaction)

        service.subscribe(QUEUE, takes, prefetch=1, id="a", ack="client-individual")
        sending = [service.send(QUEUE, "1", receipt=True), service.send(QUEUE, "2", receipt=True)]
        for _ in range(errors):
            broker = script.accepts()
            broker.answers(broker.hears("SUBSCRIBE"))
            ends(broker, "out of order")
        broker = script.accepts()
        broker.answers(broker.hears("SUBSCRIBE"))
        broker.message("a", b"x", ack="1")
        script.advance(2)
        first = broker.hears("SEND")
        script.advance(8)
        self.assertEqual(broker.hears_nothing(), errors == 2)
        script.advance(2)
        self.assertTrue(service.connected)
        frames = broker.everything()
        self.assertEqual([frame.body for frame in frames if frame.command == "SEND"], [b"2"])
        self.assertIn("COMMIT", [frame.command for frame in frames])
        for frame in (first, *frames):
            if "receipt" in frame.headers:
                broker.answers(frame)
        for one in sending:
            self.successResultOf(one)
        self.assertEqual(service.unconfirmed, 0)

    def test_connections_that_end_by_themselves_blame_none(self) -> None:
        """Each lives for a while, whatever is said; and one SEND is never answered."""
        for lasts in (0.0, 0.5, 3.0, 9.0, 30.0):
            with self.subTest(lasts=lasts):
                script = Script()
                service = script.service()
                sending = service.send(QUEUE, "1", receipt=True)
                said = 0
                for _ in range(12):
                    broker = script.accepts()
                    script.advance(lasts)
                    said += len(broker.everything())
                    ends(broker, "out of order", b"come again later")
                self.assertNoResult(sending)
                self.assertGreater(said, 3)
                broker = script.accepts()
                script.advance(30)
                broker.answers(broker.hears("SEND"))
                self.successResultOf(sending)

    def test_a_connection_that_lives_without_it_is_what_tells(self) -> None:
        """It is sent when nothing has happened for a second, or for twice as long as the ERROR took."""
        script = Script()
        service = script.service()
        sending = service.send(QUEUE, "1", receipt=True)
        for quiet, took in ((0.0, 0.0), (0.0, 2.0), (4.0, 3.0), (6.0, 0.0), (6.0, 0.0)):
            self.assertNoResult(sending)
            broker = script.accepts()
            if quiet:
                script.advance(quiet - 0.25)
                self.assertTrue(broker.hears_nothing())
                script.advance(0.25)
            broker.hears("SEND")
            script.advance(took)
            ends(broker, "can't bear it")
        self.failureResultOf(sending, ErrorReceived)

    def test_an_answer_that_is_late_is_none(self) -> None:
        script = Script()
        service = script.service()
        sending = service.send(QUEUE, "1", receipt=True)
        for _ in range(8):
            broker = script.accepts()
            script.advance(30)
            broker.hears("SEND")
            ends(broker, "out of order")
        self.assertNoResult(sending)

    def test_while_it_is_tried_nothing_else_is_said(self) -> None:
        """A handler acknowledges what it gets: that comes later."""
        script = Script()
        service = script.service()
        heard: list[bytes] = []
        service.subscribe("/queue/b", lambda message: heard.append(message.body), prefetch=10, id="b")
        sending = service.send(QUEUE, "1", receipt=True)
        for attempt in range(4):
            broker = script.accepts()
            broker.answers(broker.hears("SUBSCRIBE"))
            broker.message("b", b"%d" % attempt, ack="1")
            if attempt < 2:
                self.assertEqual({frame.command for frame in broker.everything()}, {"SEND", "ACK"})
            else:
                script.advance(2)
                broker.hears("SEND")
                self.assertTrue(broker.hears_nothing())
            ends(broker, "can't bear it")
        self.assertEqual(heard, [b"0", b"1"])
        broker = script.accepts()
        broker.answers(broker.hears("SUBSCRIBE"))
        broker.message("b", b"last", ack="1")
        script.advance(2)
        broker.answers(broker.hears("SEND"))
        self.successResultOf(sending)
        self.assertEqual(heard, [b"0", b"1", b"last"])
        broker.hears("ACK")

    def test_those_who_wait_while_it_is_tried_wait_no_longer_than_for_an_answer(self) -> None:
        """The queue is full, and who would empty it is here."""
        script = Script()
        service = script.service()
        heard: list[bytes] = []
        service.subscribe(QUEUE, lambda message: heard.append(message.body), prefetch=10, id="a")
        sending = service.send(QUEUE, "1", receipt=True)
        for _ in range(2):
            broker = script.accepts()
            broker.answers(broker.hears("SUBSCRIBE"))
            ends(broker, "out of order")
        broker = script.accepts()
        broker.answers(broker.hears("SUBSCRIBE"))
        broker.message("a", b"x", ack="1")
        script.advance(2)
        frame = broker.hears("SEND")
        script.advance(8)
        self.assertEqual(heard, [])
        script.advance(2)
        self.assertEqual(heard, [b"x"])
        broker.hears("ACK")
        broker.answers(frame)
        self.successResultOf(sending)

    def test_stopped_while_something_is_tried(self) -> None:
        script = Script()
        service = script.service()
        sending = service.send(QUEUE, "1", receipt=True)
        for _ in range(2):
            ends(script.accepts(), "can't bear it")
        broker = script.accepts()
        stopping = service.stopService()
        broker.answers(broker.hears("DISCONNECT"))
        broker.hangs_up()
        self.successResultOf(stopping)
        self.failureResultOf(sending, ConnectionLost)
        script.advance(100)


@contextmanager
def patched(what: Any, **attributes: Any) -> Iterator[None]:
    """For a while it has these."""
    for name, value in attributes.items():
        setattr(what, name, value)
    try:
        yield
    finally:
        for name in attributes:
            delattr(what, name)
