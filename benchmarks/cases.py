"""The cases: what each slice of load does to a server, and what the broker has to reach."""

from __future__ import annotations

import itertools
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks import frames, logins, parser
from benchmarks.load import (
    PATIENCE,
    WARM_UP,
    AckingReceiver,
    EchoReceiver,
    LoadError,
    Loop,
    Meter,
    Receiver,
    Sender,
    Slice,
    ask,
    connect,
    subscriber,
)
from benchmarks.runner import Case, Row, Settings, Target, progress
from benchmarks.servers import CHECKOUT, Server

WINDOW = 10 * frames.BATCH
DURABLE_WINDOW = 5 * frames.BATCH  # where RabbitMQ is fastest: it loses a tenth at 4,000, a third at 40,000
RECEIPT_EVERY = 10
FILL_RECEIPT_EVERY = 100  # while nobody reads
PINGS = 5000  # in all rounds together
PING_ROUNDS = 20  # short and many: whatever disturbs the machine for a second then spoils few of them
IDLE = 2000
SETTLED = 100  # connections made before the idle ones, so that what the first ones cost is not counted
CLIENT_MESSAGES = {"stomp-tx": 100_000, "stomp-py": 30_000, "stompman": 10_000}  # about a second of each
PATTERNS = 100_000  # wildcard subscriptions
CONNECTIONS = 20  # that hold them
NAMES = 16_000  # topics sent to in turns: more than anything remembers the way to
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
    subscribed = receivers(server, destination, len(frames.send(destination)), ack, count)
    sender = Sender(connect(server), frames.batch(destination), frames.BATCH)
    return steady(Loop(sender, subscribed, WINDOW), server, settings, row)


def guarded(server: Server, settings: Settings) -> Slice:
    """Messages per second through a topic, and through a queue, each acknowledged."""
    topic = flood(server, settings, kind="topic", row="guarded topic")
    queue = flood(server, settings, kind="queue", row="guarded queue", ack="client-individual")
    return Slice(topic.figures | queue.figures, queue.generator_cpu, queue.server_cpu)


def clients(server: Server, settings: Settings) -> Slice:
    """Messages per second from one client to another, for this project's client and for two others."""
    figures = {}
    for name, row in (("stomp-tx", "client"), ("stomp-py", "stomp.py"), ("stompman", "stompman")):
        count = int(CLIENT_MESSAGES[name] * settings.seconds)
        command = [sys.executable, "-m", "benchmarks.clients", name, str(server.port), str(count)]
        ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=4 * PATIENCE)
        if ran.returncode:
            raise LoadError(f"{name}: {(ran.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
        figures[row] = float(ran.stdout.split()[-1])
    for other in ("stomp.py", "stompman"):
        figures[f"client / {other}"] = figures["client"] / figures[other]
    return Slice(figures)


def persistent(server: Server, settings: Settings) -> Slice:
    """Messages per second through a queue, delivered and acknowledged: kept in memory, then on disk."""

    def through(row: str, persistent: bool) -> Slice:
        destination = f"/queue/bench-{next(_numbers)}"
        receiver = AckingReceiver(subscriber(server, destination, "client-individual"))
        blob = frames.batch(destination, persistent, RECEIPT_EVERY)
        sender = Sender(connect(server), blob, frames.BATCH, RECEIPT_EVERY)
        return steady(Loop(sender, [receiver], DURABLE_WINDOW), server, settings, row)

    memory, disk = through("not persistent", False), through("persistent", True)
    figures = memory.figures | disk.figures
    figures["persistent / not"] = figures["persistent"] / figures["not persistent"]
    return Slice(figures, disk.generator_cpu, disk.server_cpu)


def steady(loop: Loop, server: Server, settings: Settings, row: str) -> Slice:
    """Deliveries per second while the loop turns; the server is left with nothing to do."""
    try:
        turn_for(loop, WARM_UP)
        meter, before = Meter(server), loop.delivered()
        turn_for(loop, settings.seconds)
        found = meter.slice(**{row: (loop.delivered() - before) / meter.seconds()})
        if not found.figures[row]:
            raise LoadError("nothing arrived while the clock ran")
        loop.drain()
        return found
    finally:
        loop.close()


class EverOther(Sender):
    """A sender to many topics, one after the other."""

    def __init__(self, sock: socket.socket, destinations: list[str]) -> None:
        self._blobs = itertools.cycle(
            b"".join(map(frames.send, destinations[at : at + frames.BATCH]))
            for at in range(0, len(destinations), frames.BATCH)
        )
        super().__init__(sock, b"", frames.BATCH)

    @property
    def blob(self) -> memoryview:
        return memoryview(next(self._blobs))

    @blob.setter
    def blob(self, blob: bytes) -> None:
        """There are others."""


def wildcards(server: Server, settings: Settings) -> Slice:
    """Messages to ever other topics, each of interest to one subscription of 101, then of 100,001."""
    names = [f"{number}.of.a.b" for number in range(NAMES)]

    def through(row: str) -> Slice:
        root = f"/topic/bench-{next(_numbers)}"
        others = [connect(server) for _ in range(CONNECTIONS)]
        try:
            meter, before = Meter(server), server.resident()
            count = PATTERNS if row == "wildcards 100,000" else 100
            # Each begins as one of the names does, and asks for something else at the end.
            asked = [f"{root}.{number % NAMES}.*.a.{number}.>" for number in range(count)]
            for at, sock in enumerate(others):
                mine = enumerate(asked[at::CONNECTIONS])
                sock.sendall(b"".join(itertools.starmap(frames.subscribe_to, mine)))
                ask(sock, frames.subscribe(f"{root}.none"), b"RECEIPT\n")
            taken = (server.resident() - before) / count
            figures = {"wildcard memory": taken, "to subscribe": meter.seconds()}
            everything = Receiver(subscriber(server, f"{root}.>"))
            sender = EverOther(connect(server), [f"{root}.{name}" for name in names])
            found = steady(Loop(sender, [everything], WINDOW), server, settings, row)
            return Slice(found.figures | figures, found.generator_cpu, found.server_cpu)
        finally:
            for sock in others:
                sock.close()

    few, many = through("wildcards 100"), through("wildcards 100,000")
    figures = few.figures | many.figures
    figures["100,000 / 100"] = figures["wildcards 100,000"] / figures["wildcards 100"]
    return Slice(figures, many.generator_cpu, many.server_cpu)


def backlog(server: Server, settings: Settings) -> Slice:
    """A queue on disk fills up in fifths while nobody reads it, then one consumer empties it."""
    destination = f"/queue/bench-{next(_numbers)}"
    blob = frames.batch(destination, True, FILL_RECEIPT_EVERY)
    loop = Loop(Sender(connect(server), blob, frames.BATCH, FILL_RECEIPT_EVERY), [], DURABLE_WINDOW)

    def fill(fifth: int) -> float:
        """Messages per second until a fifth more are safe."""
        progress(f"backlog: fifth {fifth} of 5")
        before, started = loop.done, time.perf_counter()
        while loop.done - before < settings.backlog / 5:
            loop.turn()
        return (loop.done - before) / (time.perf_counter() - started)

    try:
        turn_for(loop, WARM_UP)
        meter, before = Meter(server), server.resident()
        rates = [fill(fifth) for fifth in range(1, 6)]
        loop.drain()
        figures = {
            "backlog fill": statistics.harmonic_mean(rates),  # over all of it, since the parts are equal
            "fill last / first": rates[-1] / rates[0],
            "backlog memory": (server.resident() - before) / 1024,
        }
        progress("backlog: emptying")
        started, consumer = time.perf_counter(), connect(server)
        # Nobody waits for the receipt of this SUBSCRIBE: messages would arrive behind it.
        consumer.sendall(frames.subscribe(destination, "client-individual"))
        loop.join(AckingReceiver(consumer))
        loop.drain()
        figures["backlog drain"] = loop.sent / (time.perf_counter() - started)
        return meter.slice(**figures)
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
    subscribed = receivers(server, destination, len(frame))
    loop = Loop(Sender(connect(server), frame, 1), subscribed, max(2, 8 // mib))
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
        Case(
            "persistent",
            "as queue-individual, with receipts: messages kept in memory, and with persistent:true",
            (
                Row("persistent", "msg/s", Target(">=", 3, "rabbitmq")),
                Row("not persistent", "msg/s"),
                Row("persistent / not", "ratio", Target(">=", 0.35)),
            ),
            persistent,
            servers=("rabbitmq", "stomp_tx"),
            durable=True,
            note="The CPU shares are those of the persistent messages.",
        ),
        Case(
            "backlog",
            "persistent messages fill a queue while nobody reads it, then one consumer empties it",
            (
                Row("backlog fill", "msg/s"),
                Row("fill last / first", "ratio", Target(">=", 0.7)),
                Row("backlog memory", "MiB", Target("<=", 100)),
                Row("backlog drain", "msg/s"),
            ),
            backlog,
            servers=("stomp_tx",),
            durable=True,
            rounds=1,
        ),
        Case(
            "clients",
            "clients through a queue of the broker: both ends in one process, awaited SENDs without receipts",
            (
                Row("client", "msg/s"),
                Row("stomp.py", "msg/s"),
                Row("stompman", "msg/s"),
                Row("client / stomp.py", "ratio", Target(">=", 2)),
                Row("client / stompman", "ratio", Target(">=", 5)),
            ),
            clients,
            servers=("stomp_tx",),
            note="stomp.py (threads) and stompman (asyncio) are the other clients in Python.",
        ),
        Case(
            "guarded",
            "topic and queue-individual, beside a broker where everybody has logged in and has roles",
            (
                Row("guarded topic", "msg/s", Target("<=", 1 / 0.95, "guarded")),
                Row("guarded queue", "msg/s", Target("<=", 1 / 0.95, "guarded")),
            ),
            guarded,
            servers=("guarded", "stomp_tx"),
            note="The broker without users may be no more than 1 / 0.95 times as fast.",
        ),
        Case(
            "wildcards",
            f"topics never the same, one pattern that matches, beside 100 that do not, and {PATTERNS:,}",
            (
                Row("wildcards 100", "msg/s"),
                Row("wildcards 100,000", "msg/s"),
                Row("100,000 / 100", "ratio", Target(">=", 0.7)),
                Row("wildcard memory", "KiB each"),
                Row("to subscribe", "s"),
            ),
            wildcards,
            servers=("stomp_tx",),
            rounds=1,
        ),
        logins.CASE,
        parser.CASE,
    )
}
