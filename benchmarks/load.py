"""The load generator: a closed loop over plain sockets and epoll, cheap enough not to be what is measured.

Frames are blobs encoded before, arriving frames are counted by their NUL octets in one buffer used again and
again, and no more than a window of messages is on its way: sent, and not yet seen by the slowest receiver or,
where the sender asks for receipts, not yet confirmed.
"""

from __future__ import annotations

import re
import resource
import select
import socket
import ssl
import time
from dataclasses import dataclass

from benchmarks import frames
from benchmarks.servers import Server

PATIENCE = 30.0  # seconds without an octet after which a slice fails
WARM_UP = 0.25  # seconds of load before the clock starts
ROOM = 1 << 20  # octets taken by one read
WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
ACK_ID = re.compile(rb"\nack:([^\n]+)")


class LoadError(Exception):
    """The server answered with something else than the load expects, closed, or fell silent."""


@dataclass(frozen=True)
class Slice:
    """What one stretch of load on one server showed: figures by their names, and who used how much CPU."""

    figures: dict[str, float]
    generator_cpu: float = 0.0  # shares of one core; both 0 where no server took part
    server_cpu: float = 0.0


class Meter:
    """Wall clock and the CPU time of both sides, from its making on."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.started, self.own, self.theirs = time.perf_counter(), own_cpu(), server.cpu()

    def slice(self, **figures: float) -> Slice:
        """The figures with the CPU shares since the meter was made."""
        wall = self.seconds()
        return Slice(figures, (own_cpu() - self.own) / wall, (self.server.cpu() - self.theirs) / wall)

    def seconds(self) -> float:
        return time.perf_counter() - self.started


def own_cpu() -> float:
    """Seconds of CPU this process has used, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def connect(server: Server) -> socket.socket:
    """A blocking socket that the server has answered with CONNECTED."""
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if server.site.certificate is not None:
        sock = server.site.certificate.client_context().wrap_socket(sock, server_hostname="127.0.0.1")
    ask(sock, frames.connect(server.login), b"CONNECTED\n")
    return sock


def subscriber(server: Server, destination: str, ack: str = "auto") -> socket.socket:
    """A connection whose SUBSCRIBE the server has confirmed."""
    sock = connect(server)
    ask(sock, frames.subscribe(destination, ack), b"RECEIPT\n")
    return sock


def ask(sock: socket.socket, octets: bytes, expected: bytes) -> None:
    """Send a frame and wait for the one frame that answers it."""
    sock.sendall(octets)
    answer = b""
    while not answer.rstrip(b"\r\n").endswith(b"\0"):
        data = sock.recv(65536)
        if not data:
            raise LoadError(f"closed instead of {expected.decode().strip()}: {shown(answer)}")
        answer += data
    if not answer.lstrip(b"\r\n").startswith(expected):
        raise LoadError(f"not {expected.decode().strip()} but {shown(answer)}")


def shown(octets: bytes) -> str:
    """The end of what a server sent, fit for one line."""
    return repr(octets[-300:]) if octets else "nothing"


class Side:
    """One connection of the load: counts messages, and holds what its socket did not take yet."""

    unsent = memoryview(b"")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.count = 0

    def read(self, room: bytearray) -> None:
        """Take what has arrived, as much as fits the room."""
        raise NotImplementedError

    def flush(self) -> bool:
        """Send as many octets as the socket takes; whether it took any."""
        try:
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except WOULD_BLOCK:
            return False
        return True

    def _take(self, room: bytearray) -> int:
        try:
            size = self.sock.recv_into(room)
        except WOULD_BLOCK:  # TLS: a record has arrived in part
            return 0
        if not size:
            last = room.rfind(b"ERROR\n")  # most often nobody wrote to the room since
            words = bytes(room[last : last + 300]).rstrip(b"\0") if last >= 0 else b""
            raise LoadError(f"the server closed a connection after {shown(words)}")
        return size


class Sender(Side):
    """A producer's side: sends one blob again and again, and counts the messages that RECEIPTs confirm."""

    def __init__(self, sock: socket.socket, blob: bytes, messages: int, receipt_every: int = 0) -> None:
        super().__init__(sock)
        self.blob = memoryview(blob)
        self.messages = messages  # in one blob
        self.receipt_every = receipt_every  # messages; 0: none asks for a receipt

    def read(self, room: bytearray) -> None:
        size = self._take(room)
        if size and (not self.receipt_every or room.find(b"ERROR\n", 0, size) >= 0):
            raise LoadError(f"the server said to the sender: {shown(bytes(room[:size]))}")
        self.count += self.receipt_every * room.count(0, 0, size)


class Receiver(Side):
    """A subscriber's side: counts frames, keeps none."""

    def read(self, room: bytearray) -> None:
        self.count += room.count(0, 0, self._take(room))


class EchoReceiver(Receiver):
    """A subscriber's side of the relay, which gives octets back as they came: frames counted by their size.

    Looking for NUL octets would be half of the generator's work here, and the relay would wait for it."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        super().__init__(sock)
        self.size, self.octets = size, 0

    def read(self, room: bytearray) -> None:
        self.octets += self._take(room)
        self.count = self.octets // self.size


class AckingReceiver(Receiver):
    """A subscriber's side that acknowledges each message by its `ack` header."""

    tail = b""  # the beginning of a frame whose end has not arrived

    def read(self, room: bytearray) -> None:
        data = b"".join((self.tail, memoryview(room)[: self._take(room)]))
        end = data.rfind(b"\0") + 1
        self.tail = data[end:]
        ids = ACK_ID.findall(data, 0, end)
        if ids:
            self.count += len(ids)
            self.unsent = memoryview(b"".join((self.unsent, frames.acks(ids))))
            self.flush()


class Loop:
    """The closed loop between one sender and its receivers."""

    def __init__(self, sender: Sender, receivers: list[Receiver], window: int) -> None:
        self.sender, self.receivers, self.window = sender, receivers, window  # messages
        self.sent = self.done = 0  # messages: begun to be sent; seen by every receiver, and confirmed
        self._room = bytearray(ROOM)
        self._sides: dict[int, Side] = {}
        self._counting: list[Side] = [*receivers, *([sender] if sender.receipt_every else [])]
        self._poll = select.epoll()
        self._listening: dict[int, int] = {}
        for side in (sender, *receivers):
            self._watch(side)
        self._heard = time.perf_counter()

    def join(self, receiver: Receiver) -> None:
        """One more receiver, that is going to see everything sent so far."""
        self.receivers.append(receiver)
        self._counting.append(receiver)
        self._watch(receiver)
        self.done = min(self.done, receiver.count)

    def turn(self, more: bool = True) -> None:
        """Send what the window has room for, unless no more is wanted, and read what has arrived."""
        sender = self.sender
        if more and not sender.unsent and self.sent - self.done + sender.messages <= self.window:
            sender.unsent = sender.blob
            self.sent += sender.messages
        wait = 0.0 if sender.unsent and sender.flush() else 1.0
        self._listen(sender, bool(sender.unsent) and wait > 0)
        events = self._poll.poll(wait)
        for fd, event in events:
            side = self._sides[fd]
            if event & select.EPOLLOUT:
                side.flush()
            if event & ~select.EPOLLOUT:
                side.read(self._room)
            if side is not sender:
                self._listen(side, bool(side.unsent))
        self.done = min(side.count for side in self._counting)
        self._mind_silence(bool(events) or wait == 0.0)

    def drain(self) -> None:
        """Wait until every receiver has seen all that was sent and has acknowledged it."""
        while self.done < self.sent or any(side.unsent for side in self._sides.values()):
            self.turn(more=False)

    def delivered(self) -> int:
        """Messages that arrived, each counted once for each receiver."""
        return sum(receiver.count for receiver in self.receivers)

    def close(self) -> None:
        self._poll.close()
        for side in self._sides.values():
            side.sock.close()

    def _watch(self, side: Side) -> None:
        fd = side.sock.fileno()
        side.sock.setblocking(False)
        self._poll.register(fd, select.EPOLLIN)
        self._sides[fd], self._listening[fd] = side, select.EPOLLIN

    def _listen(self, side: Side, writable: bool) -> None:
        fd = side.sock.fileno()
        wanted = select.EPOLLIN | select.EPOLLOUT if writable else select.EPOLLIN
        if self._listening[fd] != wanted:
            self._listening[fd] = wanted
            self._poll.modify(fd, wanted)

    def _mind_silence(self, alive: bool) -> None:
        now = time.perf_counter()
        if alive:
            self._heard = now
        elif now - self._heard > PATIENCE:
            missing = self.sent - self.done
            raise LoadError(f"nothing arrived for {PATIENCE:.0f} s, {missing} messages are on their way")
