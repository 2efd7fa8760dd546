"""Throttle: a connection is read no faster than so many frames and octets a second."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from stomp_tx.interfaces import IFrameReceiver
from stomp_tx.wire.frame import Frame

BURST = 1.0
"""Seconds' worth of frames, and of octets, that may come at once."""

PAUSE = 0.05
"""Seconds more than it takes, so that some frames are read together and not one for each timer."""


@implementer(IFrameReceiver)
class Throttle:
    """Hands frames on to a session.  After one that came too early nothing is read for a while.

    frames, octets -- a second; 0: any number
    """

    def __init__(self, receiver: IFrameReceiver, clock: IReactorTime, frames: int, octets: int) -> None:
        self.connected = receiver.connected
        self.frame_failed = receiver.frame_failed
        self.paused = receiver.paused
        self.resumed = receiver.resumed
        self.flushed = receiver.flushed
        self._receiver = receiver
        self._clock = clock
        self._per_frame = 1 / frames if frames else 0.0  # seconds
        self._per_octet = 1 / octets if octets else 0.0
        # When what has come would have come at the rate that is allowed.
        self._frames_until = self._octets_until = clock.seconds() - BURST
        self._timer: IDelayedCall | None = None
        self._waits: Deferred[None] | None = None

    def frame_received(self, frame: Frame) -> Deferred[None] | None:
        waiting: Deferred[None] | None = self._receiver.frame_received(frame)
        earliest = self._clock.seconds() - BURST
        self._frames_until = max(self._frames_until, earliest) + self._per_frame
        self._octets_until = max(self._octets_until, earliest) + self._per_octet * frame.size
        if waiting is not None:
            return waiting.addCallback(lambda _: self._pause())
        return self._pause()

    def _pause(self) -> Deferred[None] | None:
        seconds = max(self._frames_until, self._octets_until) - self._clock.seconds()
        if seconds <= 0:
            return None
        self._waits = Deferred()
        self._timer = self._clock.callLater(seconds + PAUSE, self._go_on)
        return self._waits

    def _go_on(self) -> None:
        waits, self._waits, self._timer = self._waits, None, None
        if waits is not None:
            waits.callback(None)

    def disconnected(self, reason: Failure) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._go_on()
        self._receiver.disconnected(reason)
