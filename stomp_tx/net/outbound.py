"""Outbound: the sending half of a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import classImplements

FAR_BEHIND = 16
"""A peer that does not read is read no more when this many send buffers wait for it.

A full transport alone is no reason to stop reading: the ACKs that free what it is full of would go unread.
But what is owed for each frame, its RECEIPT, is sent all the same, and must not pile up for ever.
"""

_SMALL = 64 * 1024
"""Octets of a frame that is copied once more rather than written in two pieces."""


class Outbound:
    """Writes to the transport, and notices when its buffer is full.

    To the transport it is what produces, and the protocol is not: a full outbound side must not stop the
    reading of the ACKs that free it.

    buffer -- octets that may wait in the transport before it is full
    far_behind -- of so many more the peer is far behind
    end -- written behind each frame
    full, has_room -- called when the transport has as much to send as it takes, and when it has sent that
    fell_behind -- called with each write for a peer that is far behind
    """

    __slots__ = (
        "_behind",
        "_buffer",
        "_end",
        "_far_behind",
        "_fell_behind",
        "_full",
        "_has_room",
        "_is_full",
        "_socket",
        "_transport",
    )

    def __init__(
        self,
        buffer: int,
        far_behind: float,
        end: bytes,
        full: Callable[[], None],
        has_room: Callable[[], None],
        fell_behind: Callable[[], None],
    ) -> None:
        self._buffer = buffer
        self._far_behind = far_behind
        self._end = end
        self._full = full
        self._has_room = has_room
        self._fell_behind = fell_behind
        self._is_full = False
        self._behind = 0  # octets written since the transport was full
        self._transport: Any = None
        self._socket: Connection | None = None  # the transport, where it is a plain TCP or unix one

    @property
    def is_far_behind(self) -> bool:
        """Does so much wait for the peer that nothing more is read from it?"""
        return self._behind > self._far_behind

    def connect(self, transport: Any) -> None:
        """This is the transport from now on."""
        self._transport = transport
        if isinstance(transport, Connection):
            self._socket = transport
        transport.registerProducer(self, True)

    def write(self, frames: list[bytes]) -> None:
        """Give these to the transport, one at least; the list is empty then."""
        end = self._end
        if len(frames) > 1 or (end and len(frames[0]) < _SMALL):
            frames.append(b"")  # an end behind the last one, too
            octets = end.join(frames)
            end = b""
        else:
            octets = frames[0]
        frames.clear()
        socket = self._socket
        if socket is not None and not socket.dataBuffer and not socket._tempDataBuffer:
            # Nothing waits to be sent: what the reactor would do a turn later, after asking the kernel twice,
            # is done now.  What the socket does not take, or its error, is the reactor's.
            sent = socket.writeSomeData(octets)
            if isinstance(sent, int):
                octets = octets[sent:]
        if octets:
            self._transport.write(octets)
            if self._is_full:
                self._behind += len(octets)
                if self.is_far_behind:
                    self._fell_behind()
        if end:
            self._transport.write(end)

    # -- the transport calls ------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport has more to send than it would like: it says so with each write."""
        # A socket of Twisted's says so of more than it reads at a time: that one number is for both.
        socket = self._socket
        if socket is None or len(socket.dataBuffer) + socket._tempDataLen > self._buffer:
            self.stopProducing()

    def stopProducing(self) -> None:
        """The transport has as much to send as it takes."""
        if not self._is_full:
            self._is_full = True
            self._full()

    def resumeProducing(self) -> None:
        """The transport has sent what it had."""
        if self._is_full:
            self._is_full = False
            self._behind = 0
            self._has_room()


classImplements(Outbound, IPushProducer)
