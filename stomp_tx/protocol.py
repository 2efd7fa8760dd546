"""StompFrameProtocol: octets to frames and back, over any transport.  It knows no command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.errors import FrameError, IdleTooLong, NoHeartBeat, StompError
from stomp_tx.interfaces import IFrameReceiver, IFrameSender
from stomp_tx.net.frame_memory import FrameMemory
from stomp_tx.net.heartbeat import Beat, Monitor
from stomp_tx.net.keepalive import Keepalive
from stomp_tx.net.rate import Rate
from stomp_tx.net.read_share import MOST, ReadShare
from stomp_tx.net.tls.faults import explained
from stomp_tx.wire.commands import V12
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from stomp_tx.wire.parser import FrameParser

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

FAR_BEHIND = 16
"""A peer that does not read is read no more when this many send buffers wait for it.

A full transport alone is no reason to stop reading: the ACKs that free what it is full of would go unread.
But what is owed for each frame, its RECEIPT, is sent all the same, and must not pile up for ever.
"""

AMID_BODY = 8
"""In the middle of a large frame so many times as much is read at a time: nothing but copying comes of it."""

_SMALL = 64 * 1024
"""Octets of a frame that is copied once more rather than written in two pieces."""

DROPPED = 16 * 1024 * 1024
"""Octets that a peer may still send when it was told that the connection is over, before it is cut."""


class Outbox:
    """The connections that have something to send, written once each at the end of a reactor turn.

    All connections of one factory share one: what one read brings is handled whole, then each connection
    that got something from it is written once.

    share -- of the turn, for reading
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.share = ReadShare()
        self.in_turn = False  # somebody will flush at the end of what runs now
        self._dirty: list[StompFrameProtocol] = []
        self._scheduled: IDelayedCall | None = None

    def add(self, protocol: StompFrameProtocol) -> None:
        """This connection has something to send, and had nothing before."""
        self._dirty.append(protocol)
        if not self.in_turn and self._scheduled is None:
            self._scheduled = self.clock.callLater(0, self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = None
        self.flush()

    def flush(self) -> None:
        """Write every connection that has something to send, and what comes of that."""
        # A transport with room may be given more by its receiver: twice, then others get their turn.
        for _ in range(2):
            dirty = self._dirty
            if not dirty:
                return
            self._dirty = []
            self.in_turn = True
            try:
                for protocol in dirty:
                    try:
                        protocol.flush()
                    except Exception as error:  # one connection's fault is not the others'
                        protocol.fail(error)
            finally:
                self.in_turn = False
        if self._dirty and self._scheduled is None:
            self._scheduled = self.clock.callLater(0, self._flush_scheduled)


@implementer(IPushProducer)
class _Outbound:
    """The transport's view of what we send: it tells us when its buffer is full.

    Not the protocol itself: a full outbound side must not stop the reading of the ACKs that free it.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: StompFrameProtocol) -> None:
        self._protocol = protocol

    def pauseProducing(self) -> None:
        self._protocol.outbound_filling()

    def resumeProducing(self) -> None:
        if self._protocol.full:
            self._protocol.outbound_has_room()

    def stopProducing(self) -> None:
        self._protocol.outbound_full()


@implementer(IFrameSender, IHalfCloseableProtocol)
class StompFrameProtocol(LineReceiver):
    """One connection, for a client or a server: whole frames to ``receiver``, frames from it to the peer.

    receiver -- gets this protocol as its IFrameSender
    outbox -- shared by connections that send to one another; each has its own when None is given
    clock -- for heart-beats and the bounded close; needed when no outbox is given
    limits -- how large an arriving frame may be
    grace -- the peer is dead after this many of its heart-beat intervals in silence
    idle -- seconds of silence that end a connection whose peer has promised no heart-beats; 0.0: none do
    keepalive -- how TCP finds out that a silent peer is gone; None: it does not
    linger -- seconds that a connection which ends has for sending what is owed, and the peer for reading it
    buffer -- octets that may wait in the transport before the receiver is paused
    trailing_eol -- end each frame with a line feed after its NUL, for clients that want one
    pace -- how many octets are read a second, whatever they are; None: as many as come
    unfinished -- counts what this connection keeps of frames that have not come whole
    reads_on -- read whatever waits to be sent.  One of the two sides has to: else both may wait for the other

    Frames leave in one write for each reactor turn.  While a Deferred that the receiver returned has not
    fired, or more came than ``pace`` allows, the transport is paused, and so is the watch over the peer's
    heart-beat.
    """

    line_mode = 0  # raw from the first octet
    transport: Any  # an ITransport that is an IConsumer and an IPushProducer as well
    log = Logger()

    def __init__(
        self,
        receiver: IFrameReceiver,
        *,
        outbox: Outbox | None = None,
        clock: IReactorTime | None = None,
        limits: Limits | None = None,
        grace: float = 2.0,
        idle: float = 0.0,
        keepalive: Keepalive | None = None,
        linger: float = 5.0,
        buffer: int = 1024 * 1024,
        trailing_eol: bool = False,
        pace: Rate | None = None,
        unfinished: FrameMemory | None = None,
        reads_on: bool = False,
    ) -> None:
        if outbox is None:
            if clock is None:
                raise TypeError("StompFrameProtocol needs an outbox or a clock")
            outbox = Outbox(clock)
        self.receiver = receiver
        self.full = False
        self._outbox = outbox
        self._parser = FrameParser(limits)
        self._grace = grace
        self._idle = idle
        self._keepalive = keepalive
        self._linger = linger
        self._buffer = b""  # LineReceiver's: what arrived while reading was paused
        self._send_buffer = buffer
        self._reads_on = reads_on
        self._end = b"\n" if trailing_eol else b""
        self._socket: Connection | None = None  # the transport, where it is a plain TCP or unix one
        self._behind = 0  # octets written since the transport was full
        self.outgoing: list[bytes] = []
        self._closing = False
        self._at_end = False  # the peer sends nothing more
        self._is_finishing = False  # we read nothing more
        self._input_is_over = False  # and the receiver was told
        self._watches_end = False  # when the next wait begins: see watch_for_end
        self._ends_at_once = False
        self._waiting = 0  # for so many things nothing more is read
        self._pace = pace
        # Of a read that is larger, the rest waits with LineReceiver: a tenth of a second's octets at a time.
        self._piece = 0 if pace is None else max(1, pace.per_second // 10)
        self._unfinished = unfinished
        self._read_size = MOST
        self._dropped = 0
        self._beat: Beat | None = None
        self._monitor: Monitor | None = None
        self._cut: IDelayedCall | None = None

    # -- the transport calls ------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """The transport is there: the receiver is ``connected``."""
        transport = self.transport
        if ITCPTransport.providedBy(transport):
            try:
                transport.setTcpNoDelay(True)
            except OSError:
                pass  # a unix socket, which calls itself TCP in Twisted before 25
        if self._keepalive is not None:
            self._keepalive.watch(transport)
        if isinstance(transport, Connection):
            self._socket = transport
            # To Twisted this is how much it reads at a time, too: see outbound_filling.
            transport.bufferSize = MOST
        transport.registerProducer(_Outbound(self), True)
        self._in_turn(lambda: self.receiver.connected(self))

    def rawDataReceived(self, data: bytes) -> None:
        """Octets have come: each frame that they end goes to the receiver."""
        if self._closing:
            # What comes behind the last frame is read and dropped: closing sends no RST then.  Up to a point.
            self._dropped += len(data)
            if self._dropped > DROPPED:
                self.abort()
            return
        if self._monitor is not None:
            self._monitor.heard()
        pace = self._pace
        if pace is not None and len(data) > self._piece:
            self._buffer = data[self._piece :] + self._buffer  # LineReceiver comes back with it
            data = data[: self._piece]
        self._parser.feed(data)
        self._in_turn(self._read_frames)
        if self._unfinished is not None:
            self._unfinished.kept(self, self._parser.unfinished)
        if len(data) >= self._read_size and self._socket is not None:
            size = self._outbox.share.of(self)
            if 2 * self._parser.unfinished >= size:
                size *= AMID_BODY
            self._read_size = self._socket.bufferSize = size
        if pace is not None:
            waiting = pace.came(len(data))
            if waiting is not None:
                self._wait_for(waiting)

    def readConnectionLost(self) -> None:
        """The peer sends nothing more.  What has come and waits is handled first."""
        self._at_end = True
        if self._closing:
            self.transport.loseConnection()
            return
        if self._monitor is not None:
            self._monitor.stop()
        if self._is_watching_end and not self._ends_at_once:
            self._cut_after(self._linger, self.abort)
        elif self._is_watching_end or not self.paused:
            self._end_input()

    def writeConnectionLost(self) -> None:
        """We send nothing more, as ``disconnect`` wanted it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone, and so is all that was queued: the receiver is ``disconnected``."""
        reason = explained(reason, self.transport)
        self._closing = True
        self._stop_timers()
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        self.outgoing.clear()
        self._let_go()
        self._outbox.share.forget(self)
        if self._pace is not None:
            self._pace.stop()
        self._in_turn(lambda: self.receiver.disconnected(reason))

    def outbound_filling(self) -> None:
        """The transport has more to send than it would like: it says so with each write."""
        socket = self._socket
        if socket is None or len(socket.dataBuffer) + socket._tempDataLen > self._send_buffer:
            self.outbound_full()

    def outbound_full(self) -> None:
        """The transport has as much to send as it takes."""
        if not self.full:
            self.full = True
            if not self._closing:
                self.receiver.paused()

    def outbound_has_room(self) -> None:
        """The transport has sent what it had."""
        self.full = False
        self._behind = 0
        if self._closing:
            return
        self._in_turn(self.receiver.resumed)
        if self.paused and not self.full:
            self._read_on()

    # -- reading ------------------------------------------------------------------------------------------

    def _in_turn(self, work: Callable[[], None]) -> None:
        """Do the work, then write what came of it, once for each connection."""
        outbox = self._outbox
        if outbox.in_turn:
            work()
            return
        outbox.in_turn = True
        try:
            work()
        finally:
            outbox.in_turn = False
            outbox.flush()

    def _read_frames(self) -> None:
        next_frame = self._parser.next_frame
        frame_received = self.receiver.frame_received
        try:
            while not self._closing:
                frame = next_frame()
                if frame is None:
                    return
                waiting = frame_received(frame)
                if waiting is not None:
                    self._wait_for(waiting)
                    if self._waiting:
                        return
        except FrameError as error:
            error.receipt = self._parser.receipt_of_failed()
            self.fail(error)
        except Exception as error:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Tell the receiver what was wrong, and end the connection whatever it does about it."""
        if not isinstance(error, StompError):
            self.log.failure("unexpected error on a connection", Failure(error))
            error = StompError("internal error", "the server could not handle this frame; its log says more")
        if not self._closing:
            try:
                self.receiver.frame_failed(error)
            finally:
                self.disconnect()

    def end_for(self, error: StompError) -> None:
        """The same for what is about no frame of this connection, at any time."""
        self._in_turn(lambda: self.fail(error))

    def _wait_for(self, waiting: Deferred[None]) -> None:
        stopped = False

        def go_on(result: object) -> None:
            self._waiting -= 1
            if isinstance(result, Failure):
                failure = result
                self._in_turn(lambda: self.fail(failure.value or StompError(str(failure))))
            if stopped:  # where it had fired already, whoever called reads on
                self._read_on()

        self._waiting += 1
        waiting.addBoth(go_on)
        if self._waiting and not self._closing:  # the frame may have ended the connection, too
            stopped = True
            if self._watches_end and not self.paused and self._parser.is_empty and not self._buffer:
                # In place of asking with each read whether this is the case.
                self.rawDataReceived = self._keep  # type: ignore[method-assign]
            else:
                self._stop_reading()
        self._watches_end = False

    @property
    def _is_watching_end(self) -> bool:
        return "rawDataReceived" in self.__dict__

    def _stop_watching_end(self) -> None:
        self.__dict__.pop("rawDataReceived", None)

    def _keep(self, data: bytes) -> None:
        """Something has come from a peer that waits: what follows is read when this is."""
        if self._monitor is not None:
            self._monitor.heard()
        if not data.strip(b"\n"):
            return  # a heart-beat
        self._stop_watching_end()
        self._buffer = data + self._buffer  # LineReceiver comes back with it
        self._stop_reading()

    def _stop_reading(self) -> None:
        if not self.paused:
            if self._monitor is not None:
                self._monitor.suspend()
            LineReceiver.pauseProducing(self)

    def _read_on(self) -> None:
        """Read again, if nothing is in the way of it any more."""
        if self._waiting or self._is_far_behind or self._closing:
            return
        self._stop_watching_end()
        # What the parser still holds comes first: LineReceiver feeds only what arrived after it.
        self._in_turn(self._read_frames)
        if self._unfinished is not None and not self._closing:
            self._unfinished.kept(self, self._parser.unfinished)
        if self._waiting or self._is_far_behind or self._closing:
            return
        if self._at_end or self._is_finishing:
            self.paused = False
            self.dataReceived(b"")  # what LineReceiver holds
            if not self.paused and not self._closing:
                self._end_input()
            return
        if self._monitor is not None:
            self._monitor.resume()
        LineReceiver.resumeProducing(self)

    def _end_input(self) -> None:
        """Nothing is left of what has come: the receiver's ``input_ended``, once."""
        if self._input_is_over:
            return
        self._input_is_over = True
        self._stop_timers()
        if self._is_finishing:
            self.pauseProducing()  # until ``disconnect``
        self._cut_after(self._linger, self.abort)
        error = None
        if self._parser.is_amid_frame and not self._is_finishing:
            error = FrameError(
                "the end came in the middle of a frame",
                "a frame ends with a NUL byte: what came after the last one is not handled",
            )
        self._let_go()
        self._in_turn(lambda: self._tell_end(error))

    def _cut_after(self, seconds: float, cut: Callable[[], None]) -> None:
        if self._cut is not None and self._cut.active():
            self._cut.cancel()
        self._cut = self._outbox.clock.callLater(seconds, cut)

    def _tell_end(self, error: StompError | None) -> None:
        try:
            self.receiver.input_ended(error)
        except Exception as unexpected:
            self.fail(unexpected)

    @property
    def _is_far_behind(self) -> bool:
        return self._behind > FAR_BEHIND * self._send_buffer and not self._reads_on

    # -- IFrameSender -------------------------------------------------------------------------------------

    @property
    def version(self) -> str | None:
        return self._parser.version

    @version.setter
    def version(self, version: str | None) -> None:
        self._parser.version = version

    def send_frame(self, frame: Frame) -> None:
        self.send_octets(frame.encode(self._parser.version or V12))

    def send_octets(self, octets: bytes) -> None:
        outgoing = self.outgoing
        if not outgoing:
            self._outbox.add(self)
        outgoing.append(octets)

    def going_out(self) -> None:
        self._outbox.add(self)

    def flush(self) -> None:
        self._write_out()
        if not self.full and not self._closing:
            self.receiver.flushed()

    def _write_out(self) -> None:
        out = self.outgoing
        if not out:
            return
        end = self._end
        if len(out) > 1 or (end and len(out[0]) < _SMALL):
            out.append(b"")  # an end behind the last one, too
            octets = end.join(out)
            end = b""
        else:
            octets = out[0]
        out.clear()
        if self._closing:
            return
        socket = self._socket
        if socket is not None and not socket.dataBuffer and not socket._tempDataBuffer:
            # Nothing waits to be sent: what the reactor would do a turn later, after asking the kernel twice,
            # is done now.  What the socket does not take, or its error, is the reactor's.
            sent = socket.writeSomeData(octets)
            if isinstance(sent, int):
                octets = octets[sent:]
        if octets:
            self.transport.write(octets)
            if self.full:
                self._behind += len(octets)
                if self._is_far_behind:
                    self._stop_reading()
        if end:
            self.transport.write(end)
        if self._beat is not None:
            self._beat.said()

    def start_heart_beat(self, sending: float, receiving: float) -> None:
        clock = self._outbox.clock
        if sending:
            self._beat = Beat(clock, sending, self._send_beat)
        if self._at_end:
            return
        if receiving:
            self._monitor = Monitor(clock, receiving * self._grace, self._peer_is_silent)
        elif self._idle:
            self._monitor = Monitor(clock, self._idle, self._peer_is_idle)

    def _send_beat(self) -> None:
        # With a full transport octets are on their way already, and beats would pile up behind them.
        if not self.full:
            self.transport.write(b"\n")

    def _peer_is_silent(self) -> None:
        self.end_for(NoHeartBeat())

    def _peer_is_idle(self) -> None:
        self.end_for(IdleTooLong(self._idle))

    def _let_go(self) -> None:
        """What has come of a frame is for nobody any more."""
        self._parser.forget()
        if self._unfinished is not None:
            self._unfinished.kept(self, 0)

    def _stop_timers(self) -> None:
        for timer in (self._beat, self._monitor):
            if timer is not None:
                timer.stop()
        self._beat = self._monitor = None

    def finish(self, at_once: bool) -> None:
        if self._closing or self._at_end or self._is_finishing:
            return
        self._is_finishing = True
        if at_once or not self.paused:
            self._end_input()
        else:
            self._cut_after(self._linger, self._end_input)

    def watch_for_end(self, at_once: bool = False) -> None:
        self._watches_end = True
        self._ends_at_once = at_once

    def disconnect(self) -> None:
        if self._closing:
            return
        self._write_out()
        self._closing = True
        self._stop_timers()
        self._let_go()
        transport = self.transport
        transport.unregisterProducer()
        self._stop_watching_end()
        if self.paused:
            self.paused = False
            if not self._at_end:
                transport.resumeProducing()
        if not self._input_is_over:
            self._cut_after(self._linger, self.abort)
        if self._socket is not None and not self._at_end:
            # Half-close: had we closed with octets unread, an RST would destroy our last frame on its way.
            self._socket.loseWriteConnection()
        else:
            transport.loseConnection()

    def abort(self) -> None:
        self._closing = True
        self._stop_timers()
        self.transport.abortConnection()

    def peer(self) -> IAddress:
        peer: IAddress = self.transport.getPeer()
        return peer

    def peer_certificate(self) -> Certificate | None:
        get = getattr(self.transport, "getPeerCertificate", None)
        found = None if get is None else get()
        return None if found is None else found.to_cryptography()
