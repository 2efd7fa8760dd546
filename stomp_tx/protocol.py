"""StompFrameProtocol: octets to frames and back, over any transport.  It knows no command."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import classImplements

from stomp_tx.errors import FrameError, IdleTooLong, NoHeartBeat, StompError
from stomp_tx.interfaces import IFrameReceiver, IFrameSender
from stomp_tx.net.frame_memory import FrameMemory
from stomp_tx.net.heartbeat import Beat, Monitor
from stomp_tx.net.input_state import InputState
from stomp_tx.net.keepalive import Keepalive
from stomp_tx.net.outbound import FAR_BEHIND, Outbound
from stomp_tx.net.outbox import Outbox
from stomp_tx.net.rate import Rate
from stomp_tx.net.read_share import MOST
from stomp_tx.net.tls.faults import explained
from stomp_tx.timer import Timer
from stomp_tx.wire.commands import V12
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from stomp_tx.wire.parser import FrameParser

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Outbox", "StompFrameProtocol"]

AMID_BODY = 8
"""In the middle of a large frame so many times as much is read at a time: nothing but copying comes of it."""

DROPPED = 16 * 1024 * 1024
"""Octets that a peer may still send when it was told that the connection is over, before it is cut."""

OPEN, DRAINING, FINISHING, ENDED, CLOSED = InputState


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
    rate -- how many octets are read a second, whatever they are; None: as many as come
    frame_memory -- counts what this connection keeps of frames that have not come whole
    reads_on -- read whatever waits to be sent.  One of the two sides has to: else both may wait for the other

    Frames leave in one write for each reactor turn.  While a Deferred that the receiver returned has not
    fired, or more came than ``rate`` allows, the transport is paused, and so is the watch over the peer's
    heart-beat.
    """

    line_mode = 0  # raw from the first octet
    transport: Any  # an ITransport that is an IConsumer and an IPushProducer as well
    log = Logger()

    receiver: IFrameReceiver
    outgoing: list[bytes]
    full: bool

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
        rate: Rate | None = None,
        frame_memory: FrameMemory | None = None,
        reads_on: bool = False,
    ) -> None:
        if outbox is None:
            if clock is None:
                raise TypeError("StompFrameProtocol needs an outbox or a clock")
            outbox = Outbox(clock)
        self.receiver = receiver
        self.outgoing = []
        self.full = False
        self._outbox = outbox
        self._outbound = Outbound(
            buffer,
            inf if reads_on else FAR_BEHIND * buffer,
            b"\n" if trailing_eol else b"",
            self._is_full,
            self._has_room,
            self._stop_reading,
        )
        self._parser = FrameParser(limits)
        self._grace = grace
        self._idle = idle
        self._keepalive = keepalive
        self._linger = linger
        self._buffer = b""  # LineReceiver's: what arrived while reading was paused
        self._socket: Connection | None = None  # the transport, where it is a plain TCP or unix one
        self._input: InputState = OPEN
        self._peer_has_ended = False  # it sends nothing more
        # What is given the octets that come, in place of the parser.
        self._divert: Callable[[bytes], None] | None = None
        self._watches_end = False  # when the next wait begins: see watch_for_end
        self._ends_at_once = False
        self._waiting = 0  # for so many things nothing more is read
        self._fires_at_once = False  # what is waited for now, if it fires
        self._rate = rate
        # Of a read that is larger, the rest waits with LineReceiver: a tenth of a second's octets at a time.
        self._piece = 0 if rate is None else max(1, rate.per_second // 10)
        self._frame_memory = frame_memory
        self._read_size = MOST
        self._dropped = 0
        self._beat: Beat | None = None
        self._monitor: Monitor | None = None
        self._cut = Timer(outbox.clock)

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
            transport.bufferSize = MOST  # how much it reads at a time; as for writing, Outbound knows better
        self._outbound.connect(transport)
        self._in_turn(partial(self.receiver.connected, self))

    def rawDataReceived(self, data: bytes) -> None:
        """Octets have come: each frame that they end goes to the receiver."""
        if self._divert is not None:
            self._divert(data)
            return
        if self._monitor is not None:
            self._monitor.heard()
        rate = self._rate
        if rate is not None and len(data) > self._piece:
            self._buffer = data[self._piece :] + self._buffer  # LineReceiver comes back with it
            data = data[: self._piece]
        self._parser.feed(data)
        self._in_turn(self._read_frames)
        if self._frame_memory is not None:
            self._frame_memory.kept(self, self._parser.unfinished)
        if len(data) >= self._read_size and self._socket is not None:
            size = self._outbox.read_share.of(self)
            if 2 * self._parser.unfinished >= size:
                size *= AMID_BODY
            self._read_size = self._socket.bufferSize = size
        if rate is not None:
            waiting = rate.came(len(data))
            if waiting is not None:
                self._wait_for(waiting)

    def readConnectionLost(self) -> None:
        """The peer sends nothing more.  What has come and waits is handled first."""
        self._peer_has_ended = True
        if self._input is CLOSED:
            self.transport.loseConnection()
            return
        if self._monitor is not None:
            self._monitor.stop()
        if self._input is not OPEN:
            return
        self._input = DRAINING
        if self._is_watching_end and not self._ends_at_once:
            self._cut.set(self._linger, self.abort)
        elif self._is_watching_end or not self.paused:
            self._end_input()

    def writeConnectionLost(self) -> None:
        """We send nothing more, as ``disconnect`` wanted it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone, and so is all that was queued: the receiver is ``disconnected``."""
        reason = explained(reason, self.transport)
        self._close()
        self._cut.cancel()
        self.outgoing.clear()
        self._outbox.read_share.forget(self)
        if self._rate is not None:
            self._rate.stop()
        self._in_turn(partial(self.receiver.disconnected, reason))

    # -- the outbound half calls --------------------------------------------------------------------------

    def _is_full(self) -> None:
        self.full = True
        if self._input is not CLOSED:
            self.receiver.paused()

    def _has_room(self) -> None:
        self.full = False
        if self._input is CLOSED:
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
            while True:  # a parser whose connection is over has no next frame: see _close
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
        if self._input is not CLOSED:
            try:
                self.receiver.frame_failed(error)
            finally:
                self.disconnect()

    def end_for(self, error: StompError) -> None:
        """The same for what is about no frame of this connection, at any time."""
        self._in_turn(partial(self.fail, error))

    def _wait_for(self, waiting: Deferred[None]) -> None:
        self._waiting += 1
        self._fires_at_once = True
        waiting.addBoth(self._go_on)
        self._fires_at_once = False
        if self._waiting and self._input is not CLOSED:  # the frame may have ended the connection, too
            if self._watches_end and not self.paused and self._parser.is_empty and not self._buffer:
                self._divert = self._keep
            else:
                self._stop_reading()
        self._watches_end = False

    def _go_on(self, result: object) -> None:
        whoever_called_reads_on = self._fires_at_once
        self._waiting -= 1
        if isinstance(result, Failure):
            self._in_turn(partial(self.fail, result.value or StompError(str(result))))
        if not whoever_called_reads_on:
            self._read_on()

    @property
    def _is_watching_end(self) -> bool:
        return self._divert is not None and self._input is not CLOSED

    def _keep(self, data: bytes) -> None:
        """Something has come from a peer that waits: what follows is read when this is."""
        if self._monitor is not None:
            self._monitor.heard()
        if not data.strip(b"\n"):
            return  # a heart-beat
        self._divert = None
        self._buffer = data + self._buffer  # LineReceiver comes back with it
        self._stop_reading()

    def _drop(self, data: bytes) -> None:
        """What comes behind the last frame is read: closing sends no RST then.  Up to a point."""
        self._dropped += len(data)
        if self._dropped > DROPPED:
            self.abort()

    def _stop_reading(self) -> None:
        if not self.paused:
            if self._monitor is not None:
                self._monitor.suspend()
            LineReceiver.pauseProducing(self)

    def _read_on(self) -> None:
        """Read again, if nothing is in the way of it any more."""
        if self._waiting or self._outbound.is_far_behind or self._input >= ENDED:
            return
        self._divert = None
        # What the parser still holds comes first: LineReceiver feeds only what arrived after it.
        self._in_turn(self._read_frames)
        if self._input is CLOSED:
            return
        if self._frame_memory is not None:
            self._frame_memory.kept(self, self._parser.unfinished)
        if self._waiting or self._outbound.is_far_behind:
            return
        if self._input is not OPEN:
            self.paused = False
            self.dataReceived(b"")  # what LineReceiver holds
            if not self.paused:
                self._end_input()
            return
        if self._monitor is not None:
            self._monitor.resume()
        LineReceiver.resumeProducing(self)

    def _end_input(self) -> None:
        """Nothing is left of what has come: the receiver's ``input_ended``, once."""
        if self._input >= ENDED:
            return
        error = None
        if self._input is DRAINING and self._parser.is_amid_frame:
            error = FrameError(
                "the end came in the middle of a frame",
                "a frame ends with a NUL byte: what came after the last one is not handled",
            )
        if self._input is FINISHING:
            self.pauseProducing()  # until ``disconnect``
        self._input = ENDED
        self._stop_timers()
        self._cut.set(self._linger, self.abort)
        self._let_go()
        self._in_turn(partial(self._tell_end, error))

    def _tell_end(self, error: StompError | None) -> None:
        try:
            self.receiver.input_ended(error)
        except Exception as unexpected:
            self.fail(unexpected)

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
        if self._input is CLOSED:
            self.outgoing.clear()
            return
        if self.outgoing:
            self._outbound.write(self.outgoing)
            if self._beat is not None:
                self._beat.said()
        if not self.full and self._input is not CLOSED:
            self.receiver.flushed()

    def start_heart_beat(self, sending: float, receiving: float) -> None:
        clock = self._outbox.clock
        if sending:
            self._beat = Beat(clock, sending, self._send_beat)
        if self._peer_has_ended:
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

    def _stop_timers(self) -> None:
        for timer in (self._beat, self._monitor):
            if timer is not None:
                timer.stop()
        self._beat = self._monitor = None

    def finish(self, at_once: bool) -> None:
        if self._input is not OPEN:
            return
        self._input = FINISHING
        if at_once or not self.paused:
            self._end_input()
        else:
            self._cut.set(self._linger, self._end_input)

    def watch_for_end(self, at_once: bool = False) -> None:
        self._watches_end = True
        self._ends_at_once = at_once

    def disconnect(self) -> None:
        if self._input is CLOSED:
            return
        if self.outgoing:
            self._outbound.write(self.outgoing)
        has_ended = self._input is ENDED
        self._close()
        transport = self.transport
        transport.unregisterProducer()
        if self.paused:
            self.paused = False
            if not self._peer_has_ended:
                transport.resumeProducing()
        if not has_ended:
            self._cut.set(self._linger, self.abort)
        if self._socket is not None and not self._peer_has_ended:
            # Half-close: had we closed with octets unread, an RST would destroy our last frame on its way.
            self._socket.loseWriteConnection()
        else:
            transport.loseConnection()

    def abort(self) -> None:
        self._close()
        self.transport.abortConnection()

    def _close(self) -> None:
        self._input = CLOSED
        self._divert = self._drop
        self._stop_timers()
        self._let_go()

    def _let_go(self) -> None:
        """What has come of a frame is for nobody any more."""
        self._parser.forget()
        if self._frame_memory is not None:
            self._frame_memory.kept(self, 0)

    def peer(self) -> IAddress:
        peer: IAddress = self.transport.getPeer()
        return peer

    def peer_certificate(self) -> Certificate | None:
        get = getattr(self.transport, "getPeerCertificate", None)
        found = None if get is None else get()
        return None if found is None else found.to_cryptography()


classImplements(StompFrameProtocol, IFrameSender, IHalfCloseableProtocol)
