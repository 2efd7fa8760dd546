"""What a test says of frames."""

from __future__ import annotations

from stomp_tx.wire.frame import Frame
from stomp_tx.wire.parser import FrameParser


def frames_in(octets: bytes, version: str = "1.2") -> list[Frame]:
    """The whole frames that these octets are.  Raises FrameError when they are none."""
    parser = FrameParser()
    parser.version = version
    parser.feed(octets)
    frames = []
    while (frame := parser.next_frame()) is not None:
        frames.append(frame)
    return frames


def assert_frame(
    frame: Frame, command: str, *, body: bytes | str | None = None, **headers: str | None
) -> None:
    """Is it this command, with this body and these headers, whatever others it has?

    ``_`` in a header's name stands for ``-``; None says that there is no such header.
    """
    wrong = []
    if frame.command != command:
        wrong.append(f"the command is {frame.command}, not {command}")
    octets = body.encode() if isinstance(body, str) else body
    if octets is not None and frame.body != octets:
        wrong.append(f"the body is {frame.body[:200]!r}, not {octets[:200]!r}")
    for name, value in headers.items():
        name = name.replace("_", "-")
        found = frame.headers.get(name)
        if found != value:
            wrong.append(f"the header {name} is {found!r}, not {value!r}")
    if wrong:
        raise AssertionError(f"{'; '.join(wrong)}: {frame!r} {dict(frame.headers)!r}")
