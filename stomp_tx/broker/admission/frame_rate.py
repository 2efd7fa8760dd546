"""FrameRate: a session is given no more than so many frames a second."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import classImplements

from stomp_tx.interfaces import IFrameReceiver
from stomp_tx.net.rate import Rate
from stomp_tx.wire.frame import Frame


class FrameRate:
    """Hands frames on to a session.  After one that came too early nothing is read for a while."""

    def __init__(self, receiver: IFrameReceiver, rate: Rate) -> None:
        self.connected = receiver.connected
        self.frame_failed = receiver.frame_failed
        self.paused = receiver.paused
        self.resumed = receiver.resumed
        self.flushed = receiver.flushed
        self.input_ended = receiver.input_ended
        self._receiver = receiver
        self._rate = rate

    def frame_received(self, frame: Frame) -> Deferred[None] | None:
        waiting: Deferred[None] | None = self._receiver.frame_received(frame)
        pause = self._rate.came(1)
        if waiting is None:
            return pause
        if pause is None:
            return waiting
        return waiting.addCallback(lambda _: pause)

    def disconnected(self, reason: Failure) -> None:
        self._rate.stop()
        self._receiver.disconnected(reason)


classImplements(FrameRate, IFrameReceiver)
