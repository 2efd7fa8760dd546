"""The parsers alone, without sockets: the broker's and the baseline's on the same octets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from benchmarks import baseline, frames
from benchmarks.load import Slice
from benchmarks.runner import Case, Result, Row, Settings, progress

READ = 65536  # octets: what one read of a Twisted transport brings

Feed = Callable[[bytes], int]  # takes one read, returns how many frames it completed

RICH = (
    b"SEND\ndestination:/topic/bench\ncontent-type:application/json\npersistent:true\npriority:4\n"
    b"correlation-id:0f9d6a\nreply-to:/temp-queue/answers\nexpires:0\nx-note:a\\cb\\nc\ncontent-length:100\n\n%b\0"
) % (b"x" * 100)

LOADS = {
    "small": frames.send("/topic/bench") * 4000,
    "rich": RICH * 2000,
    "large": frames.send("/topic/bench", 1 << 20) * 4,
}


def broker_feed() -> Feed:
    """The broker's parser; ImportError where there is none."""
    from stomp_tx.wire.parser import FrameParser

    parser = FrameParser()
    parser.version = "1.2"

    def feed(octets: bytes) -> int:
        parser.feed(octets)
        count = 0
        while parser.next_frame() is not None:
            count += 1
        return count

    return feed


class Counting(baseline.StompFrameProtocol):
    """The baseline's parser with nothing behind it."""

    def __init__(self) -> None:
        self.factory, self.count = self, 0

    def frameReceived(self, cmd: bytes, headers: baseline.Headers, body: bytes) -> None:
        self.count += 1

    def flush(self) -> None:
        """Nothing is ever written."""

    def feed(self, octets: bytes) -> int:
        before = self.count
        self.rawDataReceived(octets)
        return self.count - before


FEEDS: dict[str, Callable[[], Feed]] = {"baseline": lambda: Counting().feed, "stomp_tx": broker_feed}


def measure(feed: Feed, seconds: float) -> Slice:
    """Every load for a share of the time, in reads of 64 KiB."""
    figures = {}
    for name, octets in LOADS.items():
        reads = [octets[at : at + READ] for at in range(0, len(octets), READ)]
        passes = count = 0
        started = time.perf_counter()
        while (spent := time.perf_counter() - started) < seconds / len(LOADS) or not passes:
            passes += 1
            for read in reads:
                count += feed(read)
        figures[f"{name} frames"] = count / spent
        figures[f"{name} octets"] = passes * len(octets) / spent / 1e6
    return Slice(figures)


class ParserCase(Case):
    """A case without servers: the parsers run in the generator's own process."""

    def run(self, names: Sequence[str], settings: Settings) -> Result:
        result = Result(self)
        feeds: dict[str, Feed] = {}
        for name in names:
            if name in FEEDS:
                try:
                    feeds[name] = FEEDS[name]()
                except ImportError as error:
                    result.errors[name] = f"no parser: {error}"
        for turn in range(1, settings.rounds + 1):
            for name, feed in feeds.items():
                progress(f"{self.name}: round {turn} of {settings.rounds}, {name}")
                result.add(name, measure(feed, settings.seconds))
        return result


CASE = ParserCase(
    "parser",
    "octets to frames, in the generator's process: 100-octet bodies, nine headers, 1 MiB bodies",
    (
        Row("small frames", "frames/s"),
        Row("small octets", "MB/s"),
        Row("rich frames", "frames/s"),
        Row("rich octets", "MB/s"),
        Row("large octets", "MB/s"),
    ),
    measure=lambda server, settings: Slice({}),
    note="The parsers run in the generator's process, without sockets; the relay has none.",
)
