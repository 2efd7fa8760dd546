"""Outgoing: what a session says, and when each of those who said it may go on."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from stomp_tx.client.arguments import NOTHING
from stomp_tx.client.codecs import Codecs
from stomp_tx.client.deferred import ClientDeferred, failed
from stomp_tx.client.session.receipts import Receipts
from stomp_tx.client.session.status import Status
from stomp_tx.errors import FrameError
from stomp_tx.interfaces import IFrameSender
from stomp_tx.wire import frames
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers, texts

FLUSH = 64 * 1024
"""Bytes queued within one reactor turn from which on they go to the transport, so that it can say "full"."""

HEADS = 1000
"""Heads of SEND frames that are remembered."""

_OWN_ARGUMENT = frozenset({"content-length", "receipt", "transaction"})


class Heads:
    """The header lines of SEND frames; of many to one destination they are encoded once."""

    def __init__(self) -> None:
        self._heads: dict[tuple[str, str | None, str], bytes] = {}

    def of(self, destination: str, content_type: str | None, headers: Headers | None, version: str) -> bytes:
        """Those of one, to which others may be added.  Raises FrameError for what can't be sent."""
        if not isinstance(destination, str) or not destination:
            raise FrameError(f"a destination is a name such as /queue/a, not {destination!a:.60}")
        if headers:
            return _head(destination, content_type, headers, version)
        if not isinstance(content_type, (str, NOTHING)):
            raise FrameError(f"content_type is text, not {content_type!a:.60}")
        head = self._heads.get((destination, content_type, version))
        if head is None:
            head = _head(destination, content_type, None, version)
            if len(self._heads) >= HEADS:
                self._heads.clear()
            self._heads[destination, content_type, version] = head
        return head

    def clear(self) -> None:
        """Forget them."""
        self._heads.clear()


def _head(destination: str, content_type: str | None, headers: Headers | None, version: str) -> bytes:
    if headers:
        headers = texts(headers)
        for name in _OWN_ARGUMENT & headers.keys():
            raise FrameError(f"{name} is not among headers: send() has an argument for it")
        if "content-type" in headers:
            content_type = None
    frame = frames.send(destination, content_type=content_type, headers=headers)
    return frame.encode(version)[len(b"SEND\n") : -len(b"\n\0")]


def check_body(body: bytes, content_length: bool) -> None:
    """Raises FrameError where it can't be sent so."""
    if not content_length and b"\0" in body:
        raise FrameError("the body has a NUL in it", "without content-length a NUL ends the frame")


class Outgoing:
    """What one session says.

    status -- the session's
    codecs -- of what is sent, and of what comes

    What is said is queued at once, so that order is kept, and then:  with a receipt, its Deferred fires when
    the RECEIPT has come;  without one, when the transport takes more.  When the session is over nothing is
    sent and the Deferred has failed with ConnectionLost; for what has no encoding it is FrameError.
    """

    sender: IFrameSender

    def __init__(self, status: Status, codecs: Codecs, receipts: Receipts) -> None:
        self.status = status
        self.codecs = codecs
        self._transactions = 0
        self._receipts = receipts
        self._heads = Heads()
        self._queued = 0  # bytes since the last flush
        self._wait_for_room: deque[Deferred[None]] = deque()

    def perform(self, frame: Frame, receipt: bool = False) -> Deferred[None]:
        """Send a frame."""
        status = self.status
        if status.is_over:
            return failed(status.lost())
        answer = None
        name = ""
        if receipt:
            name, answer = self._receipts.expect()
            # First: a broker that can't read the rest of the frame can say which one it was all the same.
            frame.headers = {"receipt": name, **frame.headers}
            frame.headers["receipt"] = name
        try:
            octets = frame.encode(status.version)
        except Exception as error:  # it is made of what a user gave
            self._receipts.forget(name)
            return failed(error)
        return self._write(octets, answer)

    def send(
        self,
        destination: str,
        body: Any,
        content_type: str | None = None,
        headers: Headers | None = None,
        *,
        receipt: bool = False,
        transaction: str | None = None,
        content_length: bool = True,
        name: str | None = None,
    ) -> Deferred[None]:
        """SEND; see StompClient.send.  Of many to one destination only what differs is encoded.

        transaction -- its id
        name -- what the broker is to know the message by, if it comes a second time
        """
        status = self.status
        if status.is_over:
            return failed(status.lost())
        if type(body) is not bytes:
            try:
                body, content_type = self.codecs.body_of(body, content_type)
            except Exception as error:  # of a user's codec
                return failed(error)
        wanted = ""
        try:
            head = self._heads.of(destination, content_type, headers, status.version)
            begin = b"SEND\n"
            if name is not None:
                head += self._named(name, headers)
            if transaction is not None:
                head += b"transaction:%b\n" % transaction.encode()
            answer = None
            if receipt:
                wanted, answer = self._receipts.expect()
                begin = b"SEND\nreceipt:%b\n" % wanted.encode()
            octets = _with_body(begin, head, body, content_length)
        except Exception as error:  # it is made of what a user gave
            self._receipts.forget(wanted)
            return failed(error)
        return self._write(octets, answer)

    @property
    def receipts(self) -> int:
        """How many RECEIPTs are outstanding."""
        return len(self._receipts)

    def new_transaction(self) -> str:
        """A name for a transaction: no other one of this session has it."""
        self._transactions += 1
        return f"{self._transactions}"

    def _named(self, name: str, headers: Headers | None) -> bytes:
        header = self.status.dialect.dedupe
        if not header or (headers and header in headers):
            return b""  # it knows none, or the user has named it
        return b"%b:%b\n" % (header.encode(), name.encode())

    def _write(self, octets: bytes, answer: Deferred[None] | None) -> Deferred[None]:
        sender = self.sender
        sender.send_octets(octets)
        self._queued += len(octets)
        if self._queued >= FLUSH:
            # A loop of awaited SENDs never leaves this reactor turn until one of them has to wait.
            self._queued = 0
            sender.flush()
        return self.room() if answer is None else answer

    def room(self) -> Deferred[None]:
        """Fires when the transport takes more; it may have fired already."""
        if not self.sender.full:
            return succeed(None)
        room: Deferred[None] = ClientDeferred(self._wait_for_room.remove)
        self._wait_for_room.append(room)
        return room

    # -- for the session ----------------------------------------------------------------------------------

    def flushed(self) -> None:
        """What was queued has gone to the transport."""
        self._queued = 0

    def resumed(self) -> None:
        """The transport takes more: those who wait may go on, one by one, until it is full again."""
        self._queued = 0
        waiting = self._wait_for_room
        while waiting and not self.sender.full:
            waiting.popleft().callback(None)

    def end(self) -> None:
        """The session is over: those who wait are told."""
        lost = self.status.lost
        self._heads.clear()
        for answer in self._receipts.forget_all():
            if not answer.called:  # by one of those told before
                answer.errback(Failure(lost()))
        while self._wait_for_room:
            self._wait_for_room.popleft().errback(Failure(lost()))


def _with_body(begin: bytes, head: bytes, body: bytes, content_length: bool) -> bytes:
    if content_length:
        return b"%b%bcontent-length:%d\n\n%b\0" % (begin, head, len(body), body)
    check_body(body, False)
    return b"%b%b\n%b\0" % (begin, head, body)
