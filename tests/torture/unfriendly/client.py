"""Client: an unfriendly connection, which never waits."""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Callable

ACK = re.compile(rb"\nack:([^\n]*)")
RECEIPT = re.compile(rb"\nreceipt-id:([^\n]*)")


class Client:
    """Says what it is told to as fast as the broker reads; its Load calls ``write`` and ``read``.

    receipts -- those that it has got
    messages -- how many
    errors -- header blocks of ERRORs
    heard -- called with each MESSAGE, whole but for its NUL; None: they are only counted
    more -- once it has CONNECTED: called for what it says next, when all has been said; None, or no octets:
        nothing
    reads -- False: it reads nothing
    """

    def __init__(self, sock: socket.socket, said: Callable[[bytes], None] | None = None) -> None:
        self.socket = sock
        self.is_connected = False
        self.is_gone = False
        self.reads = True
        self.receipts: set[bytes] = set()
        self.messages = 0
        self.errors: list[bytes] = []
        self.heard: Callable[[bytes], None] | None = None
        self.more: Callable[[], bytes] | None = None
        self._said = said
        self._out: deque[memoryview] = deque()
        self._rest: list[bytes] = []  # of a frame that has not come whole

    def says(self, *octets: bytes) -> None:
        if self.is_gone:
            return
        for some in octets:
            if self._said is not None:
                self._said(some)
            self._out.append(memoryview(some))

    @property
    def has_said_all(self) -> bool:
        return not self._out

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out) or (self.more is not None and self.is_connected)

    def write(self) -> None:
        """As much as goes, up to a MiB: others have their turn."""
        if not self._out and self.more is not None and self.is_connected:
            octets = self.more()
            if octets:
                self.says(octets)
            else:
                self.more = None
        written = 0
        while self._out and written < 1 << 20:
            try:
                count = self.socket.send(self._out[0])
            except BlockingIOError:
                return
            except OSError:
                self.end()
                return
            written += count
            if count == len(self._out[0]):
                self._out.popleft()
            else:
                self._out[0] = self._out[0][count:]

    def read(self) -> None:
        try:
            octets = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        if not octets:
            self.end()
            return
        if b"\0" not in octets:
            self._rest.append(octets)
            return
        first, *others = octets.split(b"\0")
        self._hear(b"".join([*self._rest, first]))
        self._rest = [others.pop()]
        for one in others:
            self._hear(one)

    def end(self) -> None:
        """It is over; its Load closes the socket."""
        self.is_gone = True
        self.more = None
        self._out.clear()

    def _hear(self, frame: bytes) -> None:
        frame = frame.lstrip(b"\r\n")
        if frame.startswith(b"MESSAGE"):
            self.messages += 1
            if self.heard is not None:
                self.heard(frame)
        elif frame.startswith(b"RECEIPT"):
            found = RECEIPT.search(frame)
            if found is not None:
                self.receipts.add(found[1])
        elif frame.startswith(b"CONNECTED"):
            self.is_connected = True
        else:
            self.errors.append(frame.partition(b"\n\n")[0])


def ack_of(message: bytes) -> str:
    """What an ACK of this one names."""
    found = ACK.search(message)
    assert found is not None, message[:200]
    return found[1].decode()
