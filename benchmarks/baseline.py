"""The baseline: what one Twisted process reaches in pure Python with almost no features.

No validation, no limits, no transactions, no engine: a yardstick for speed and nothing else.  The broker's
targets are ratios to it, so its speed is part of the project's promises: leave it as it is.
Usage: python -m benchmarks.baseline tcp:PORT:interface=127.0.0.1
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any, ClassVar

from twisted.internet import protocol
from twisted.protocols.basic import LineReceiver

Headers = dict[bytes, bytes]


class StompFrameProtocol(LineReceiver):
    """Octets to frames, the shortest way; headers stay octets and are never unescaped."""

    MAX_LENGTH = 1 << 24
    factory: Any
    transport: Any
    buf = b""

    def connectionMade(self) -> None:
        self.setRawMode()
        self.out: list[bytes] = []

    def rawDataReceived(self, data: bytes) -> None:
        if self.buf:
            data = self.buf + data
        pos = 0
        end = len(data)
        find = data.find
        while pos < end:
            c = data[pos]
            if c == 10 or c == 13:
                pos += 1
                continue
            hend = find(b"\n\n", pos)
            if hend < 0:
                break
            lines = data[pos:hend].split(b"\n")
            cmd = lines[0]
            headers = {}
            for i in range(len(lines) - 1, 0, -1):  # backwards: the first occurrence wins
                k, _, v = lines[i].partition(b":")
                headers[k] = v
            if b"content-length" in headers:
                bend = hend + 2 + int(headers[b"content-length"])
                if bend >= end:
                    break
                if data[bend]:
                    raise ValueError("no NUL after the body")
            else:
                bend = find(b"\0", hend + 2)
                if bend < 0:
                    break
            body = data[hend + 2 : bend]
            pos = bend + 1
            self.frameReceived(cmd, headers, body)
        self.buf = data[pos:]
        self.factory.flush()

    def frameReceived(self, cmd: bytes, headers: Headers, body: bytes) -> None:
        raise NotImplementedError


class Session(StompFrameProtocol):
    """One connection: CONNECT, SEND, SUBSCRIBE, ACK, DISCONNECT, and RECEIPT for whatever asks."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.subs: dict[bytes, Sub] = {}
        self.unacked: dict[bytes, tuple[Sub, Msg]] = {}
        self.ackseq = 0
        self.transport.setTcpNoDelay(True)

    def frameReceived(self, cmd: bytes, headers: Headers, body: bytes) -> None:
        self.dispatch[cmd](self, headers, body)
        r = headers.get(b"receipt")
        if r is not None:
            self.write(b"RECEIPT\nreceipt-id:" + r + b"\n\n\0")

    def write(self, b: bytes) -> None:
        if not self.out:
            self.factory.dirty.append(self)
        self.out.append(b)

    def do_connect(self, headers: Headers, body: bytes) -> None:
        self.write(b"CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0")

    def do_send(self, headers: Headers, body: bytes) -> None:
        self.factory.send(headers[b"destination"], headers, body)

    def do_subscribe(self, headers: Headers, body: bytes) -> None:
        sid = headers[b"id"]
        sub = Sub(self, sid, headers.get(b"ack", b"auto"), headers[b"destination"])
        self.subs[sid] = sub
        self.factory.subscribe(sub)

    def do_ack(self, headers: Headers, body: bytes) -> None:
        sub, _ = self.unacked.pop(headers[b"id"])
        sub.acked()

    def do_disconnect(self, headers: Headers, body: bytes) -> None:
        pass

    dispatch: ClassVar = {
        b"CONNECT": do_connect,
        b"STOMP": do_connect,
        b"SEND": do_send,
        b"SUBSCRIBE": do_subscribe,
        b"ACK": do_ack,
        b"DISCONNECT": do_disconnect,
    }

    def connectionLost(self, reason: object = None) -> None:
        for s in self.subs.values():
            self.factory.unsubscribe(s)


class Sub:
    """A subscription: a prefix encoded once, and credit where messages are acknowledged."""

    prefetch = 1000

    def __init__(self, session: Session, sid: bytes, ack: bytes, dest: bytes) -> None:
        self.session, self.sid, self.dest = session, sid, dest
        self.queue: Queue | None = None
        self.auto = ack == b"auto"
        self.credit = self.prefetch
        self.prefix = b"MESSAGE\nsubscription:" + sid + b"\nmessage-id:"

    def deliver(self, m: Msg) -> None:
        s = self.session
        if self.auto:
            s.write(b"".join((self.prefix, m.id, m.wire)))
        else:
            s.ackseq += 1
            a = b"%d" % s.ackseq
            s.unacked[a] = (self, m)
            self.credit -= 1
            s.write(b"".join((self.prefix, m.id, b"\nack:", a, m.wire)))

    def acked(self) -> None:
        self.credit += 1
        q = self.queue
        if q and q.msgs:
            q.drain()


class Msg:
    """A message: its id, and the part of its MESSAGE frame that all subscribers share."""

    __slots__ = ("id", "wire")

    def __init__(self, id: bytes, wire: bytes) -> None:
        self.id, self.wire = id, wire


class Queue:
    """One subscriber with credit gets each message, in turn."""

    def __init__(self) -> None:
        self.msgs: deque[Msg] = deque()
        self.subs: deque[Sub] = deque()

    def put(self, m: Msg) -> None:
        if self.msgs:
            self.msgs.append(m)
            return
        for _ in range(len(self.subs)):
            s = self.subs[0]
            self.subs.rotate(-1)
            if s.auto or s.credit > 0:
                s.deliver(m)
                return
        self.msgs.append(m)

    def drain(self) -> None:
        ms = self.msgs
        while ms:
            for _ in range(len(self.subs)):
                s = self.subs[0]
                self.subs.rotate(-1)
                if s.auto or s.credit > 0:
                    s.deliver(ms.popleft())
                    break
            else:
                return


class Factory(protocol.ServerFactory):
    """Topics, queues, and the connections that have something to write."""

    protocol = Session
    noisy = False
    SKIP = frozenset((b"destination", b"receipt", b"transaction", b"content-length"))

    def __init__(self) -> None:
        self.topics: dict[bytes, list[Sub]] = {}
        self.queues: dict[bytes, Queue] = {}
        self.n = 0
        self.dirty: list[Session] = []

    def flush(self) -> None:
        d = self.dirty
        if d:
            self.dirty = []
            for s in d:
                o = s.out
                s.out = []
                s.transport.write(b"".join(o))

    def send(self, dest: bytes, headers: Headers, body: bytes) -> None:
        self.n += 1
        parts = [b"\ndestination:", dest]
        for k, v in headers.items():
            if k not in self.SKIP:
                parts += (b"\n", k, b":", v)
        parts += (b"\ncontent-length:%d\n\n" % len(body), body, b"\0")
        m = Msg(b"m-%d" % self.n, b"".join(parts))
        if dest.startswith(b"/topic/"):
            for s in self.topics.get(dest, ()):
                s.deliver(m)
        else:
            q = self.queues.get(dest)
            if q is None:
                q = self.queues[dest] = Queue()
            q.put(m)

    def subscribe(self, sub: Sub) -> None:
        if sub.dest.startswith(b"/topic/"):
            self.topics.setdefault(sub.dest, []).append(sub)
        else:
            q = self.queues.get(sub.dest)
            if q is None:
                q = self.queues[sub.dest] = Queue()
            sub.queue = q
            q.subs.append(sub)
            q.drain()

    def unsubscribe(self, sub: Sub) -> None:
        if sub.queue:
            sub.queue.subs.remove(sub)
        else:
            self.topics[sub.dest].remove(sub)


if __name__ == "__main__":
    from benchmarks.listening import serve  # brings the reactor, which belongs to this process alone

    serve(sys.argv[1], Factory())
