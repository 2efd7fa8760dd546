"""The parser's cost is linear in the bytes: a copy of them at each read is what only a clock shows."""

from __future__ import annotations

import time

from stomp_tx.wire.parser import FrameParser


def seconds(mebibytes: int, head: bytes) -> float:
    parser = FrameParser()
    parser.version = "1.2"
    chunk = b"x" * 65536
    start = time.perf_counter()
    parser.feed(head)
    assert parser.next_frame() is None
    for _ in range(mebibytes * 16):
        parser.feed(chunk)
        assert parser.next_frame() is None
    parser.feed(b"\0")
    frame = parser.next_frame()
    assert frame is not None
    assert len(frame.body) == mebibytes << 20
    return time.perf_counter() - start


def test_a_large_body_in_chunks() -> None:
    for head in (b"SEND\ncontent-length:%d\n\n", b"SEND\n\n"):
        small = min(seconds(8, head % (8 << 20) if b"%" in head else head) for _ in range(3))
        large = min(seconds(64, head % (64 << 20) if b"%" in head else head) for _ in range(2))
        # Eight times the octets; a copy of all at each chunk would be 64 times the work.
        assert large < 24 * small + 0.5
