"""The cases: what each slice of load does to a server, and what the broker has to reach."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections.abc import Callable
from functools import partial

from benchmarks import frames, parser
from benchmarks.load import (
    PATIENCE,
    WARM_UP,
    AckingReceiver,
    EchoReceiver,
    LoadError,
    Loop,
    Meter,
    Receiver,
    Slice,
    connect,
    subscriber,
)
from benchmarks.runner import Case, Row, Settings, Target
from benchmarks.servers import Server

WINDOW = 10 * frames.BATCH
PINGS = 5000  # in all rounds together
PING_ROUNDS = 20  # short and many: whatever disturbs the machine for a second then spoils few of them
IDLE = 2000
SETTLED = 100  # connections made before the idle ones, so that what the first ones cost is not counted
MIB = 1 << 20

_numbers = itertools.count(1)


def receivers(
    server: Server, destination: str, size: int, ack: str = "auto", count: int = 1
) -> list[Receiver]:
    """Confirmed subscribers, counting in the cheapest way that is right for the server."""

    def receiver() -> Receiver:
        sock = subscriber(server, destination, ack)
        if server.name == "relay":
            return EchoReceiver(sock, size)
        return Receiver(sock) if ack == "auto" else AckingReceiver(sock)

    return [receiver() for _ in range(count)]


def flood(
    server: Server, settings: Settings, *, kind: str, row: str, ack: str = "auto", count: int = 1
) -> Slice:
    """Deliveries per second of 100-octet messages, as fast as the slowest receiver takes them."""
    destination = f"/{kind}/bench-{next(_numbers)}"
    frame = frames.send(destination)
    subscribed = receivers(server, destination, len(frame), ack, count)
    loop = Loop(connect(server), subscribed, frame * frames.BATCH, frames.BATCH, WINDOW)
    try:
        turn_for(loop, WARM_UP)
        meter, before = Meter(server), loop.delivered()
        turn_for(loop, settings.seconds)
        found = meter.slice(**{row: (loop.delivered() - before) / meter.seconds()})
        loop.drain()  # the next slice starts with a server that has nothing left to do
        return found
    finally:
        loop.close()


def turn_for(loop: Loop, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        loop.turn()


def bodies(server: Server, settings: Settings, *, mib: int, row: str) -> Slice:
    """MiB per second of large bodies through a topic, until 64 MiB or two messages have arrived."""
    destination = f"/topic/bench-{next(_numbers)}"
    frame = frames.send(destination, mib * MIB)
    count = max(2, 64 // mib)
    loop = Loop(connect(server), receivers(server, destination, len(frame)), frame, 1, max(2, 8 // mib))
    try:
        meter = Meter(server)
        while loop.sent < count:
            loop.turn()
        loop.drain()
        return meter.slice(**{row: mib * count / meter.seconds()})
    finally:
        loop.close()


def latency(server: Server, settings: Settings) -> Slice:
    """Microseconds from sending one message to having it, with nothing else on its way."""
    destination = f"/topic/bench-{next(_numbers)}"
    frame, room = frames.send(destination), bytearray(65536)
    with subscriber(server, destination) as receiver, connect(server) as sender:
        for sock in (sender, receiver):
            # The kernel's time limit: Python's own would poll before each read, inside what is measured.
            sock.settimeout(None)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(PATIENCE), 0))

        def ping() -> float:
            started = time.perf_counter()
            sender.sendall(frame)
            while True:
                size = receiver.recv_into(room)
                if not size:
                    raise LoadError("the server closed a connection between pings")
                if room.find(0, 0, size) >= 0:
                    return time.perf_counter() - started

        for _ in range(50):
            ping()
        meter = Meter(server)
        micros = sorted(1e6 * ping() for _ in range(PINGS // PING_ROUNDS))
        p50, p99 = micros[len(micros) // 2], micros[len(micros) * 99 // 100]
        return meter.slice(**{"latency p50": p50, "latency p99": p99})


def idle(server: Server, settings: Settings) -> Slice:
    """KiB of the server's memory per connection that has one subscription of its own and says nothing."""
    opened: list[socket.socket] = []

    def open_more(count: int) -> float:
        for _ in range(count):
            opened.append(subscriber(server, f"/topic/bench-{next(_numbers)}"))
        time.sleep(0.3)
        return server.resident()

    try:
        meter = Meter(server)
        before = open_more(SETTLED)
        return meter.slice(idle=(open_more(IDLE) - before) / IDLE)
    finally:
        for sock in opened:
            sock.close()


def _flood(**how: object) -> Callable[[Server, Settings], Slice]:
    return partial(flood, **how)  # type: ignore[arg-type]


NO_QUEUES = (
    "The relay knows neither queues nor ACK: its figure is a floor, one subscriber hearing everything."
)

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(
            "topic",
            "one sender, one subscriber of a topic",
            (Row("topic 1-1", "msg/s", Target(">=", 0.6, "baseline")),),
            _flood(kind="topic", row="topic 1-1"),
        ),
        Case(
            "fan-out",
            "one sender, fifty subscribers of a topic; deliveries counted",
            (Row("topic 1-50", "msg/s", Target(">=", 0.85, "baseline")),),
            _flood(kind="topic", row="topic 1-50", count=50),
        ),
        Case(
            "queue-auto",
            "one sender, one subscriber of a queue, ack:auto",
            (Row("queue auto", "msg/s", Target(">=", 0.6, "baseline")),),
            _flood(kind="queue", row="queue auto"),
            note=NO_QUEUES,
        ),
        Case(
            "queue-individual",
            "one sender, one subscriber of a queue, each message acknowledged by itself",
            (Row("queue individual", "msg/s", Target(">=", 0.55, "baseline")),),
            _flood(kind="queue", row="queue individual", ack="client-individual"),
            note=NO_QUEUES,
        ),
        Case(
            "latency",
            f"one message at a time through a topic, {PINGS} of them",
            (Row("latency p50", "us", Target("<=", 1.25, "relay")), Row("latency p99", "us")),
            latency,
            rounds=PING_ROUNDS,
        ),
        Case(
            "idle",
            f"memory of {IDLE} silent connections, each with one subscription",
            (Row("idle", "KiB/conn", Target("<=", 16)),),
            idle,
            rounds=1,
        ),
        *(
            Case(
                f"body-{mib}",
                f"bodies of {mib} MiB through a topic",
                (Row(f"body {mib} MiB", "MiB/s"),),
                partial(bodies, mib=mib, row=f"body {mib} MiB"),
            )
            for mib in (1, 16, 64)
        ),
        Case(
            "tls",
            "as topic, over TLS",
            (Row("TLS topic 1-1", "msg/s"),),
            _flood(kind="topic", row="TLS topic 1-1"),
            tls=True,
        ),
        parser.CASE,
    )
}
