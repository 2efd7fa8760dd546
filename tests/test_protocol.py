"""protocol.py: octets to frames and back, over any transport."""

from __future__ import annotations

import socket
from select import select

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from stomp_tx.errors import FrameError, ProtocolViolation, StompError
from stomp_tx.interfaces import IFrameReceiver, IFrameSender
from stomp_tx.net.rate import Rate
from stomp_tx.net.read_share import MOST, TURN
from stomp_tx.protocol import AMID_BODY, Outbox, StompFrameProtocol
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from tests.conversation import Transport


@implementer(IFrameReceiver)
class Recorder:
    """Writes down what happens to it; ``answers`` are what frame_received returns or raises, in turn."""

    def __init__(self) -> None:
        self.happened: list[object] = []
        self.frames: list[Frame] = []
        self.answers: list[object] = []
        self.flushes = 0

    def connected(self, sender: IFrameSender) -> None:
        self.sender = sender
        sender.version = "1.2"

    def frame_received(self, frame: Frame) -> Deferred[None] | None:
        self.frames.append(frame)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    def frame_failed(self, error: StompError) -> None:
        self.happened.append(error)

    def paused(self) -> None:
        self.happened.append("paused")

    def resumed(self) -> None:
        self.happened.append("resumed")

    def flushed(self) -> None:
        self.flushes += 1

    def input_ended(self, error: StompError | None) -> None:
        self.happened.append(error or "input ended")

    def disconnected(self, reason: Failure) -> None:
        self.happened.append("disconnected")


BEGIN = b"BEGIN\ntransaction:%d\n\n\0"


class ProtocolCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.receiver = Recorder()
        self.protocol = self.make()

    def make(self, **settings: object) -> StompFrameProtocol:
        self.transport = Transport()
        protocol = StompFrameProtocol(self.receiver, clock=self.clock, **settings)  # type: ignore[arg-type]
        protocol.makeConnection(self.transport)
        return protocol

    def names(self) -> list[str]:
        return [frame.headers["transaction"] for frame in self.receiver.frames]


class SeamTests(ProtocolCase):
    def test_it_is_a_line_receiver_in_raw_mode_and_keeps_its_promises(self) -> None:
        self.assertIsInstance(self.protocol, LineReceiver)
        self.assertEqual(self.protocol.line_mode, 0)
        verifyClass(IFrameSender, StompFrameProtocol)
        verifyObject(IFrameSender, self.protocol)
        verifyObject(IFrameReceiver, self.receiver)

    def test_it_needs_a_clock_or_an_outbox(self) -> None:
        with self.assertRaises(TypeError):
            StompFrameProtocol(self.receiver)

    def test_two_of_them_are_a_client_and_a_server(self) -> None:
        """The low-level peer: frames.* at one end, frames out at the other."""
        outbox = Outbox(self.clock)
        ends = []
        for server in (False, True):
            receiver = Recorder()
            protocol = StompFrameProtocol(receiver, outbox=outbox)
            ends.append((receiver, protocol, FakeTransport(protocol, server)))
        (client, c, ct), (server_end, s, st) = ends
        pump = connect(s, st, c, ct)
        client.sender.send_frame(frames.send("/queue/a", "hello: world", headers={"x": "a:b"}))
        self.clock.advance(0)
        pump.flush()
        self.assertEqual(server_end.frames[0].headers["x"], "a:b")
        server_end.sender.send_frame(Frame("RECEIPT", {"receipt-id": "1"}))
        self.clock.advance(0)
        pump.flush()
        self.assertEqual(client.frames[0].command, "RECEIPT")


class WritingTests(ProtocolCase):
    """One write for each connection and reactor turn."""

    def test_what_is_sent_in_one_turn_is_one_write(self) -> None:
        writes: list[bytes] = []
        self.transport.write = writes.append  # type: ignore[method-assign]
        for number in range(3):
            self.receiver.sender.send_frame(frames.begin(str(number)))
        self.assertEqual(writes, [])
        self.clock.advance(0)
        self.assertEqual(len(writes), 1)
        self.assertEqual(writes[0].count(b"\0"), 3)

    def test_what_a_read_brings_is_answered_at_its_end_to_everybody(self) -> None:
        outbox = Outbox(self.clock)
        other = Recorder()
        transports = [Transport(), Transport()]
        protocols = [StompFrameProtocol(one, outbox=outbox) for one in (self.receiver, other)]
        for protocol, transport in zip(protocols, transports, strict=True):
            protocol.makeConnection(transport)
        writes: list[int] = []
        for number, transport in enumerate(transports):
            transport.write = lambda octets, number=number: writes.append(number)  # type: ignore[method-assign]

        def frame_received(frame: Frame) -> None:
            for receiver in (self.receiver, other):
                receiver.sender.send_frame(frame)

        self.patch(self.receiver, "frame_received", frame_received)
        protocols[0].dataReceived(BEGIN % 1 + BEGIN % 2)
        self.assertEqual(writes, [0, 1])

    def test_flush_writes_now(self) -> None:
        self.receiver.sender.send_octets(b"x")
        self.receiver.sender.flush()
        self.assertEqual(self.transport.value(), b"x")

    def test_a_line_feed_behind_each_frame_where_a_client_wants_it(self) -> None:
        self.protocol = self.make(trailing_eol=True)
        for number in range(2):
            self.receiver.sender.send_octets(BEGIN % number)
        self.clock.advance(0)
        self.assertEqual(self.transport.value(), BEGIN % 0 + b"\n" + BEGIN % 1 + b"\n")

    def test_the_line_feed_copies_no_large_body(self) -> None:
        self.protocol = self.make(trailing_eol=True)
        large = b"SEND\n\n" + b"x" * 100_000 + b"\0"
        writes: list[bytes] = []
        self.patch(self.transport, "write", writes.append)
        self.receiver.sender.send_octets(large)
        self.clock.advance(0)
        self.assertIs(writes[0], large)
        self.assertEqual(writes[1:], [b"\n"])

    def test_one_connection_that_can_not_write_does_not_stop_the_others(self) -> None:
        outbox = Outbox(self.clock)
        broken, fine = Transport(), Transport()
        receivers = [Recorder(), Recorder()]
        for receiver, transport in zip(receivers, (broken, fine), strict=True):
            StompFrameProtocol(receiver, outbox=outbox).makeConnection(transport)

        def write(octets: bytes) -> None:
            raise ZeroDivisionError

        broken.write = write  # type: ignore[method-assign]
        for receiver in receivers:
            receiver.sender.send_octets(b"x")
        self.clock.advance(0)
        self.assertEqual(fine.value(), b"x")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(broken.disconnecting)


class BackPressureTests(ProtocolCase):
    def test_the_receiver_is_told_when_the_transport_is_full_and_when_it_has_room(self) -> None:
        producer = self.transport.producer
        producer.pauseProducing()
        producer.pauseProducing()
        self.assertTrue(self.protocol.full)
        producer.resumeProducing()
        self.assertEqual(self.receiver.happened, ["paused", "resumed"])

    def test_a_full_transport_does_not_stop_the_reading_of_acks(self) -> None:
        self.transport.producer.pauseProducing()
        self.protocol.dataReceived(BEGIN % 1)
        self.assertEqual(self.names(), ["1"])

    def test_flushed_is_told_only_while_there_is_room(self) -> None:
        self.receiver.sender.send_octets(b"x")
        self.clock.advance(0)
        self.assertEqual(self.receiver.flushes, 1)
        self.transport.producer.pauseProducing()
        self.receiver.sender.send_octets(b"x")
        self.clock.advance(0)
        self.assertEqual(self.receiver.flushes, 1)

    def test_a_peer_that_reads_nothing_is_read_no_more_until_it_does(self) -> None:
        self.protocol = self.make(buffer=10)
        self.transport.producer.pauseProducing()
        for _ in range(20):
            self.receiver.sender.send_octets(b"x" * 10)
            self.clock.advance(0)
        self.assertEqual(self.transport.producerState, "paused")
        self.protocol.dataReceived(BEGIN % 1)
        self.assertEqual(self.names(), [])
        self.transport.producer.resumeProducing()
        self.assertEqual(self.names(), ["1"])
        self.assertEqual(self.transport.producerState, "producing")


class WaitingTests(ProtocolCase):
    """While a Deferred that frame_received returned has not fired, no further frame is read."""

    def test_frames_wait_in_order_whether_they_had_arrived_or_not(self) -> None:
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        self.receiver.answers = [first, second]
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2 + BEGIN % 3)
        self.assertEqual(self.names(), ["1"])
        self.assertEqual(self.transport.producerState, "paused")
        self.protocol.dataReceived(BEGIN % 4)
        first.callback(None)
        self.assertEqual(self.names(), ["1", "2"])
        self.assertEqual(self.transport.producerState, "paused")
        second.callback(None)
        self.assertEqual(self.names(), ["1", "2", "3", "4"])
        self.assertEqual(self.transport.producerState, "producing")

    def test_one_that_has_fired_holds_up_nothing(self) -> None:
        self.receiver.answers = [succeed(None)] * 3
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2 + BEGIN % 3)
        self.assertEqual(self.names(), ["1", "2", "3"])
        self.assertEqual(self.transport.producerState, "producing")

    def test_thousands_that_have_fired_behind_one_that_had_not(self) -> None:
        first: Deferred[None] = Deferred()
        self.receiver.answers = [first, *(succeed(None) for _ in range(4000))]
        self.protocol.dataReceived(b"".join(BEGIN % number for number in range(3000)))
        first.callback(None)
        self.assertEqual(len(self.receiver.frames), 3000)
        self.assertEqual(self.receiver.happened, [])

    def test_one_that_fails_ends_the_connection(self) -> None:
        wrong = ProtocolViolation("no")
        self.receiver.answers = [fail(wrong)]
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2)
        self.assertEqual(self.receiver.happened, [wrong])
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.names(), ["1"])

    def test_one_that_fires_after_the_connection_is_gone_does_nothing(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.receiver.answers = [waiting]
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        waiting.callback(None)
        self.assertEqual(self.names(), ["1"])


class WatchingTests(ProtocolCase):
    """While a frame waits for what its peer waits for, too, the end of the connection is noticed."""

    def setUp(self) -> None:
        super().setUp()
        self.waiting: Deferred[None] = Deferred()
        self.receiver.answers = [self.waiting]
        self.receiver.sender.watch_for_end()

    def test_it_is_read_until_something_comes(self) -> None:
        self.protocol.dataReceived(BEGIN % 1 + b"\n")
        self.assertEqual(self.transport.producerState, "producing")
        self.protocol.dataReceived(BEGIN % 2)
        self.assertEqual((self.names(), self.transport.producerState), (["1"], "paused"))
        self.protocol.dataReceived(BEGIN % 3)
        self.waiting.callback(None)
        self.assertEqual((self.names(), self.transport.producerState), (["1", "2", "3"], "producing"))
        self.protocol.dataReceived(BEGIN % 4)
        self.assertEqual(self.names()[3:], ["4"])

    def test_nothing_may_come_at_all(self) -> None:
        self.protocol.dataReceived(BEGIN % 1)
        self.waiting.callback(None)
        self.protocol.dataReceived(BEGIN % 2)
        self.assertEqual((self.names(), self.transport.producerState), (["1", "2"], "producing"))

    def test_where_more_has_come_already_it_is_read_no_further(self) -> None:
        for octets in (BEGIN % 1 + BEGIN % 2, BEGIN % 1 + b"B"):
            self.setUp()
            self.protocol.dataReceived(octets)
            self.assertEqual(self.transport.producerState, "paused")

    def test_the_next_frame_that_waits_is_like_any_other(self) -> None:
        self.receiver.answers.append(Deferred())
        self.protocol.dataReceived(BEGIN % 1)
        self.waiting.callback(None)
        self.protocol.dataReceived(BEGIN % 2)
        self.assertEqual(self.transport.producerState, "paused")

    def test_a_connection_that_is_closed_meanwhile_drops_what_comes(self) -> None:
        self.protocol.dataReceived(BEGIN % 1)
        self.receiver.sender.disconnect()
        self.protocol.dataReceived(BEGIN % 2)
        self.assertEqual((self.names(), self.protocol._buffer), (["1"], b""))

    def test_a_peer_that_sends_nothing_more_is_cut_in_the_end(self) -> None:
        self.protocol.dataReceived(BEGIN % 1)
        self.protocol.readConnectionLost()
        self.clock.advance(4.9)
        self.assertEqual((self.receiver.happened, self.transport.aborted), ([], False))
        self.clock.advance(0.2)
        self.assertTrue(self.transport.aborted)

    def test_one_that_has_sent_more_is_not(self) -> None:
        self.protocol.dataReceived(BEGIN % 1)
        self.protocol.dataReceived(BEGIN % 2)
        self.protocol.readConnectionLost()
        self.clock.advance(1000)
        self.assertFalse(self.transport.aborted)
        self.waiting.callback(None)
        self.assertEqual((self.names(), self.receiver.happened), (["1", "2"], ["input ended"]))

    def test_what_is_owed_in_time_is_sent(self) -> None:
        self.protocol.dataReceived(BEGIN % 1)
        self.protocol.readConnectionLost()
        self.clock.advance(4.9)
        self.waiting.callback(None)
        self.assertEqual(self.receiver.happened, ["input ended"])
        self.clock.advance(4.9)  # it has as long as any
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.2)
        self.assertTrue(self.transport.aborted)


class FaultTests(ProtocolCase):
    def test_octets_that_are_no_frame(self) -> None:
        self.protocol.dataReceived(BEGIN % 1 + b"SEND\nno colon\n\n\0" + BEGIN % 2)
        self.assertEqual(self.names(), ["1"])
        self.assertIsInstance(self.receiver.happened[0], FrameError)
        self.assertTrue(self.transport.disconnecting)

    def test_limits_are_those_given(self) -> None:
        self.protocol = self.make(limits=Limits(headers=1))
        self.protocol.dataReceived(b"SEND\na:1\nb:2\n\n\0")
        self.assertIn("too many headers", str(self.receiver.happened[0]))

    def test_a_receiver_that_breaks_ends_its_connection(self) -> None:
        self.receiver.answers = [ZeroDivisionError("secret")]
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("secret", str(self.receiver.happened[0]))
        self.assertEqual(self.names(), ["1"])
        self.assertTrue(self.transport.disconnecting)


class ClosingTests(ProtocolCase):
    """The last frame is sent, then the connection ends within a bounded time."""

    def test_what_is_queued_leaves_first(self) -> None:
        self.receiver.sender.send_octets(b"bye")
        self.receiver.sender.disconnect()
        self.assertEqual(self.transport.value(), b"bye")
        self.assertTrue(self.transport.disconnecting)

    def test_a_peer_that_does_not_close_is_cut(self) -> None:
        self.protocol = self.make(linger=2.0)
        self.receiver.sender.disconnect()
        self.clock.advance(1.9)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.2)
        self.assertTrue(self.transport.aborted)

    def test_one_that_does_leaves_no_timer(self) -> None:
        self.receiver.sender.start_heart_beat(1.0, 1.0)
        self.receiver.sender.disconnect()
        self.receiver.sender.disconnect()
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.receiver.happened, ["disconnected"])

    def test_nothing_is_read_or_sent_behind_it(self) -> None:
        self.receiver.sender.disconnect()
        self.protocol.dataReceived(BEGIN % 1)
        self.receiver.sender.send_octets(b"late")
        self.clock.advance(0)
        self.assertEqual(self.receiver.frames, [])
        self.assertEqual(self.transport.value(), b"")

    def test_frames_behind_the_one_that_ended_it_are_not_handled(self) -> None:
        """LineReceiver in raw mode doesn't look whether the transport is disconnecting."""

        def frame_received(frame: Frame) -> None:
            self.receiver.frames.append(frame)
            self.receiver.sender.disconnect()

        self.patch(self.receiver, "frame_received", frame_received)
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2)
        self.assertEqual(self.names(), ["1"])

    def test_it_ends_while_the_receiver_makes_it_wait(self) -> None:
        self.receiver.answers = [Deferred()]
        self.protocol.dataReceived(BEGIN % 1)
        self.receiver.sender.disconnect()
        self.assertEqual(self.transport.producerState, "producing")  # or it would not see the peer close
        self.assertTrue(self.transport.disconnecting)


class EndOfInputTests(ProtocolCase):
    """The peer sends nothing more: all that came is handled, then the receiver is told, once."""

    def ends(self, octets: bytes = b"") -> None:
        if octets:
            self.protocol.dataReceived(octets)
        self.protocol.readConnectionLost()

    def test_it_is_what_twisted_asks_for(self) -> None:
        verifyObject(IHalfCloseableProtocol, self.protocol)

    def test_the_receiver_may_send_and_then_closes(self) -> None:
        self.ends(BEGIN % 1)
        self.assertEqual((self.names(), self.receiver.happened), (["1"], ["input ended"]))
        self.receiver.sender.send_octets(b"owed")
        self.clock.advance(0)
        self.assertFalse(self.transport.disconnecting)
        self.receiver.sender.send_octets(b" too")
        self.receiver.sender.disconnect()
        self.assertEqual(self.transport.value(), b"owed too")
        self.assertTrue(self.transport.disconnecting)

    def test_one_that_does_not_is_cut_however_often_it_sends(self) -> None:
        self.protocol = self.make(linger=2.0)
        self.ends()
        self.clock.advance(1.5)
        self.receiver.sender.disconnect()
        self.clock.advance(0.4)
        self.assertFalse(self.transport.aborted)
        self.clock.advance(0.2)
        self.assertTrue(self.transport.aborted)

    def test_frames_that_wait_come_before_it(self) -> None:
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        self.receiver.answers = [first, None, second]
        self.protocol.dataReceived(BEGIN % 1 + BEGIN % 2)
        self.protocol.dataReceived(BEGIN % 3 + BEGIN % 4)
        self.ends()
        self.assertEqual((self.names(), self.receiver.happened), (["1"], []))
        self.clock.advance(1000)
        self.assertFalse(self.transport.aborted)
        first.callback(None)
        self.assertEqual((self.names(), self.receiver.happened), (["1", "2", "3"], []))
        second.callback(None)
        self.assertEqual((self.names(), self.receiver.happened), (["1", "2", "3", "4"], ["input ended"]))
        self.assertEqual(self.transport.producerState, "paused")  # there is nothing to read

    def test_so_do_those_that_came_too_fast(self) -> None:
        self.protocol = self.make(rate=Rate(self.clock, 100))
        self.ends(b"".join(BEGIN % number for number in range(10)))
        self.assertEqual(self.receiver.happened, [])
        self.clock.pump([0.5] * 20)
        self.assertEqual((len(self.names()), self.receiver.happened), (10, ["input ended"]))

    def test_those_of_a_peer_that_is_far_behind_when_it_reads_again(self) -> None:
        self.protocol = self.make(buffer=10)
        self.transport.producer.pauseProducing()
        for _ in range(20):
            self.receiver.sender.send_octets(b"x" * 10)
            self.clock.advance(0)
        self.ends(BEGIN % 1)
        self.assertEqual((self.names(), self.receiver.happened), ([], ["paused"]))
        self.transport.producer.resumeProducing()
        self.assertEqual(
            (self.names(), self.receiver.happened), (["1"], ["paused", "resumed", "input ended"])
        )

    def test_what_waits_when_it_is_told_at_once_is_handled_no_more(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.receiver.answers = [waiting]
        for number in (1, 2):
            self.protocol.dataReceived(BEGIN % number)
        self.receiver.sender.finish(at_once=True)
        waiting.callback(None)
        self.assertEqual((self.names(), self.receiver.happened), (["1"], ["input ended"]))
        self.receiver.sender.disconnect()
        self.assertEqual(self.transport.producerState, "producing")  # or it would not see the peer close

    def test_it_is_told_once(self) -> None:
        self.protocol = self.make(buffer=10)
        self.ends()
        for _ in range(2):
            self.transport.producer.pauseProducing()
            for _ in range(20):
                self.receiver.sender.send_octets(b"x" * 10)
                self.clock.advance(0)
            self.transport.producer.resumeProducing()
        self.assertEqual(self.receiver.happened.count("input ended"), 1)

    def test_half_a_frame_is_told_and_let_go(self) -> None:
        for half in (b"SEND\n", b"SEND\ndestination:/queue/a\n\n", BEGIN % 1 + b"SEND\n\nhello\n"):
            self.receiver = Recorder()
            self.protocol = self.make()
            self.ends(half)
            (error,) = self.receiver.happened
            self.assertIsInstance(error, FrameError)
            self.assertIn("in the middle of a frame", str(error))
            self.assertEqual(self.protocol._parser.unfinished, 0)

    def test_line_ends_behind_the_last_frame_are_none(self) -> None:
        self.ends(BEGIN % 1 + b"\r\n\n")
        self.assertEqual(self.receiver.happened, ["input ended"])

    def test_silence_is_no_fault_then_and_no_beats_are_sent(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.receiver.answers = [waiting]
        self.protocol = self.make(linger=1000.0)
        self.receiver.sender.start_heart_beat(0.0, 1.0)
        self.ends(BEGIN % 1)
        self.receiver.sender.start_heart_beat(1.0, 1.0)  # what was waited for was a login
        waiting.callback(None)
        self.clock.pump([0.5] * 100)
        self.assertEqual((self.receiver.happened, self.transport.value()), (["input ended"], b""))

    def test_behind_disconnect_it_is_the_end(self) -> None:
        self.receiver.sender.disconnect()
        self.transport.disconnecting = False
        self.ends()
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.receiver.happened, [])

    def test_frames_that_wait_behind_one_that_ends_the_connection_are_nothing(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.receiver.answers = [waiting]
        self.ends(BEGIN % 1 + BEGIN % 2)
        self.receiver.sender.disconnect()
        waiting.callback(None)
        self.assertEqual((self.names(), self.receiver.happened), (["1"], []))

    def test_a_receiver_that_breaks_ends_its_connection(self) -> None:
        def input_ended(error: StompError | None) -> None:
            raise ZeroDivisionError

        self.patch(self.receiver, "input_ended", input_ended)
        self.ends()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.transport.disconnecting)

    def test_no_timer_stays(self) -> None:
        self.ends()
        self.receiver.sender.disconnect()
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.receiver.happened, ["input ended", "disconnected"])


class HeartBeatTests(ProtocolCase):
    def test_a_beat_is_a_line_feed_and_any_octet_counts(self) -> None:
        self.receiver.sender.start_heart_beat(1.0, 1.0)
        for _ in range(8):
            self.clock.pump([0.1] * 10)
            self.protocol.dataReceived(b"S")  # half a frame is a sign of life
        self.assertEqual(set(self.transport.value()), {10})
        self.assertGreaterEqual(len(self.transport.value()), 8)
        self.assertEqual(self.receiver.happened, [])

    def test_silence_for_grace_intervals_ends_the_connection(self) -> None:
        self.protocol = self.make(grace=3.0)
        self.receiver.sender.start_heart_beat(0.0, 1.0)
        self.clock.pump([0.1] * 29)
        self.assertEqual(self.receiver.happened, [])
        self.clock.pump([0.1] * 2)
        self.assertIn("no heart-beat", str(self.receiver.happened[0]))
        self.assertTrue(self.transport.disconnecting)

    def test_none_is_sent_while_octets_are_on_their_way_anyhow(self) -> None:
        self.receiver.sender.start_heart_beat(1.0, 0.0)
        self.transport.producer.pauseProducing()
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.transport.value(), b"")

    def test_while_reading_is_paused_silence_means_nothing(self) -> None:
        self.receiver.sender.start_heart_beat(0.0, 1.0)
        waiting: Deferred[None] = Deferred()
        self.receiver.answers = [waiting]
        self.protocol.dataReceived(BEGIN % 1)
        self.clock.pump([0.5] * 100)
        self.assertEqual(self.receiver.happened, [])
        waiting.callback(None)
        self.clock.pump([0.1] * 30)
        self.assertIn("no heart-beat", str(self.receiver.happened[0]))

    def test_where_none_are_expected_idleness_may_be_bounded(self) -> None:
        for sending in (0.0, 1.0):
            self.receiver = Recorder()
            self.protocol = self.make(idle=10.0, grace=3.0)
            self.receiver.sender.start_heart_beat(sending, 0.0)
            for _ in range(3):
                self.clock.pump([0.5] * 19)
                self.protocol.dataReceived(b"\n")
            self.assertEqual(self.receiver.happened, [])
            self.clock.pump([0.5] * 21)
            self.assertIn("idle for too long", str(self.receiver.happened[0]))
            self.assertTrue(self.transport.disconnecting)

    def test_it_is_not_where_some_are_or_where_it_is_not_read(self) -> None:
        self.protocol = self.make(idle=10.0)
        self.receiver.sender.start_heart_beat(0.0, 60.0)
        self.clock.pump([1.0] * 100)
        self.assertEqual(self.receiver.happened, [])
        self.protocol = self.make(idle=10.0)
        self.receiver.sender.start_heart_beat(0.0, 0.0)
        self.receiver.answers = [Deferred()]
        self.protocol.dataReceived(BEGIN % 1)
        self.clock.pump([1.0] * 100)
        self.assertNotIn("idle for too long", str(self.receiver.happened))

    def test_none_without_agreement(self) -> None:
        self.receiver.sender.start_heart_beat(0.0, 0.0)
        self.clock.pump([10.0] * 100)
        self.assertEqual((self.transport.value(), self.receiver.happened), (b"", []))


class FactoryTests(SynchronousTestCase):
    def test_a_plain_factory_builds_it(self) -> None:
        factory = Factory.forProtocol(lambda: StompFrameProtocol(Recorder(), clock=Clock()))  # type: ignore[arg-type]
        protocol = factory.buildProtocol(None)  # type: ignore[arg-type]
        self.assertIsInstance(protocol, StompFrameProtocol)


class SocketTests(SynchronousTestCase):
    """Over a socket of Twisted's, which has one number for how much it reads and for when it is full."""

    def setUp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as port:
            self.theirs = socket.create_connection(port.getsockname())
            ours, _ = port.accept()
        for one in (ours, self.theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what the kernel holds does not count
            one.setblocking(False)
            self.addCleanup(one.close)
        self.receiver = Recorder()
        self.protocol = StompFrameProtocol(self.receiver, clock=Clock(), buffer=1024 * 1024)
        self.transport = Connection(ours, self.protocol, reactor=Descriptors())
        self.transport.connected = 1
        self.protocol.makeConnection(self.transport)

    def test_it_reads_less_at_a_time_than_it_may_keep_of_what_is_to_be_sent(self) -> None:
        self.assertEqual(self.transport.bufferSize, MOST)
        for number in range(60):
            self.receiver.sender.send_octets(b"x" * 16 * 1024)
            self.receiver.sender.flush()
            self.assertFalse(self.protocol.full, number)
        for _ in range(600):
            self.receiver.sender.send_octets(b"x" * 16 * 1024)
            self.receiver.sender.flush()
        self.assertTrue(self.protocol.full)
        self.assertEqual(self.receiver.happened, ["paused"])

    def test_it_has_room_when_all_is_sent_and_says_so_only_where_it_had_none(self) -> None:
        for octets, happened in ((512 * 1024, []), (4 * 1024 * 1024, ["paused", "resumed"])):
            self.receiver.sender.send_octets(b"x" * octets)
            self.receiver.sender.flush()
            while self.transport.dataBuffer or self.transport._tempDataBuffer:
                if select([self.theirs], [], [], 0.01)[0]:
                    self.theirs.recv(1024 * 1024)
                self.transport.doWrite()
            self.assertEqual(self.receiver.happened, happened)

    def test_with_many_that_send_much_each_is_read_less_at_a_time(self) -> None:
        share = self.protocol._outbox.read_share
        for _ in range(2):
            for other in range(7):
                share.of(other)
            self.protocol.dataReceived(b"\n" * self.transport.bufferSize)
        self.assertEqual(self.transport.bufferSize, TURN // 8)

    def test_in_the_middle_of_a_large_body_much_is_read_at_a_time(self) -> None:
        self.protocol.dataReceived(b"SEND\ncontent-length:9999999\n\n".ljust(MOST, b"x"))
        self.assertEqual(self.transport.bufferSize, AMID_BODY * MOST)
        self.protocol.dataReceived(b"x" * (9999999 - MOST + 29) + b"\0")
        self.assertEqual(self.transport.bufferSize, MOST)


class Descriptors:
    """As much of a reactor as a socket needs."""

    def addReader(self, reader: object) -> None:
        pass

    addWriter = removeReader = removeWriter = addReader
