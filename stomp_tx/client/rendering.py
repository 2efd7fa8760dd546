"""What a client sends most, as octets: SEND frames, of which many have the same head."""

from __future__ import annotations

from collections.abc import Mapping

from stomp_tx.errors import FrameError
from stomp_tx.wire import frames

_OWN_ARGUMENT = {
    "content-length": "content_length=",
    "receipt": "receipt=",
    "transaction": "transaction=",
}


def send_head(
    destination: str, content_type: str | None, headers: Mapping[str, str] | None, version: str
) -> bytes:
    """A SEND frame up to where further header lines may follow.  Raises FrameError for what can't be sent."""
    for name in headers or ():
        if name in _OWN_ARGUMENT:
            raise FrameError(f"{name} is not among headers: send() has an argument {_OWN_ARGUMENT[name]}")
    if headers is not None and "content-type" in headers:
        content_type = None
    frame = frames.send(destination, content_type=content_type, headers=headers)
    return frame.encode(version)[: -len(b"\n\0")]


def send_octets(head: bytes, body: bytes, content_length: bool) -> bytes:
    """The whole SEND frame.  Raises FrameError for a body with NUL in it whose length is not to be told."""
    if content_length:
        return b"%bcontent-length:%d\n\n%b\0" % (head, len(body), body)
    if b"\0" in body:
        raise FrameError("the body has a NUL in it", "without content-length a NUL ends the frame")
    return b"%b\n%b\0" % (head, body)
