"""Frames and octets that hypothesis makes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st

from stomp_tx.errors import FrameError
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits
from stomp_tx.wire.parser import FrameParser

quick = settings(deadline=None, max_examples=150)

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
interesting = st.sampled_from(
    ["\\", "\\\\", "\\n", ":", "\n", "\r", "\r\n", " x ", "a:b\\c\nd", "é", "\U0001f600"]
)
body_commands = st.sampled_from(["SEND", "MESSAGE", "ERROR"])


def headers(version: str) -> st.SearchStrategy[dict[str, str]]:
    """Headers that this version can carry; without content-length."""
    words = st.one_of(text, interesting)
    if version == "1.0":  # no escapes; values are trimmed
        plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=12)
        names = plain.map(lambda name: name.replace(":", ""))
        values = plain.map(lambda value: value.strip(" \t"))
    else:
        names = values = words
    return st.dictionaries(names.filter(lambda name: name not in ("", "content-length")), values, max_size=5)


def frames(version: str) -> st.SearchStrategy[Frame]:
    """Frames of this version, with a body of any octets or none."""
    with_body = st.builds(Frame, body_commands, headers(version), st.binary(max_size=40))
    without = st.builds(Frame, st.sampled_from(["ACK", "BEGIN", "RECEIPT"]), headers(version))
    return st.one_of(with_body, without)


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """The octets in pieces."""
    edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
    return [octets[start:end] for start, end in pairwise(edges)]


def parse(
    pieces: list[bytes], version: str | None = "1.2", limits: Limits | None = None
) -> tuple[list[Frame], str | None]:
    """The frames in these pieces, and the fault that ended it."""
    parser = FrameParser(limits)
    parser.version = version
    found: list[Frame] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (frame := parser.next_frame()) is not None:
                found.append(frame)
    except FrameError as error:
        return found, error.summary
    return found, None


def one(octets: bytes, version: str | None = "1.2", limits: Limits | None = None) -> Frame:
    """The one frame that these octets are: whole, and octet by octet."""
    found, fault = parse([octets], version, limits)
    assert fault is None, fault
    assert len(found) == 1, found
    assert parse([octets[i : i + 1] for i in range(len(octets))], version, limits) == (found, None)
    return found[0]


def fault(octets: bytes, version: str | None = "1.2", limits: Limits | None = None) -> str:
    """What is wrong with these octets: told without waiting for more, however they are cut."""
    found, summary = parse([octets], version, limits)
    assert summary is not None, found
    found, piecemeal = parse([octets[i : i + 1] for i in range(len(octets))], version, limits)
    assert piecemeal is not None, found
    return summary
