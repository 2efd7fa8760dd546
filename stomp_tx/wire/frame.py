"""A frame, and its octets."""

from __future__ import annotations

import re

from stomp_tx.errors import FrameError
from stomp_tx.wire.commands import UNESCAPED_COMMANDS, V10, V12
from stomp_tx.wire.escaping import escape

SECRET = re.compile(r"pass(code|word)|authorization|credential|secret|token|api.?key|jwt", re.IGNORECASE)
"""Headers, in small letters, whose values are not for everybody to see."""


class Frame:
    """What travels: a command, headers and a body.

    ``headers`` are decoded text, in the order they stand in; of repeated ones only the first is kept (STOMP
    1.2, "Repeated Header Entries").  ``body`` is octets, always.  ``size`` is the octets that the frame took
    on the wire, 0 for one that did not arrive there.
    """

    __slots__ = ("body", "command", "headers", "size")

    def __init__(
        self, command: str, headers: dict[str, str] | None = None, body: bytes = b"", size: int = 0
    ) -> None:
        self.command = command
        self.headers = {} if headers is None else headers
        self.body = body
        self.size = size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return (self.command, self.headers, self.body) == (other.command, other.headers, other.body)

    __hash__ = None  # type: ignore[assignment]  # headers are a dict: a frame can't be a key

    def __repr__(self) -> str:
        """For logs: short, and without a passcode, or what else is a secret by its name."""
        headers = " ".join(
            f"{name}:{'***' if SECRET.search(name) else value[:60]!r}"
            for name, value in list(self.headers.items())[:12]
        )
        more = " ..." if len(self.headers) > 12 else ""
        return f"<{self.command[:20]} {headers}{more} body={len(self.body)} octets>"

    def encode(self, version: str = V12) -> bytes:
        """The frame's octets in this protocol version.

        A ``content-length`` is added when there is a body and none was given.  Raises FrameError when a
        header has no encoding: NUL, a line end or an empty name in a frame without escapes (CONNECT,
        CONNECTED, and all of 1.0), what is no text or half a surrogate, or a ``content-length`` that is not
        the body's.
        """
        try:
            return self._octets(version)
        except (AttributeError, TypeError, UnicodeEncodeError) as error:
            raise FrameError(f"{self._what_is_wrong() or error}") from error

    def _what_is_wrong(self) -> str | None:
        """With what has no encoding.  A value is not shown: it may be a passcode."""
        for name, value in self.headers.items():
            if not isinstance(name, str):
                return f"the name of a header is text, not {type(name).__name__}: {name!a:.60}"
            if not isinstance(value, str):
                return f"the header {name!a:.60} can't be sent: it is text, not {type(value).__name__}"
            if not _is_encodable(name) or not _is_encodable(value):
                return f"the header {name!a:.60} can't be sent: UTF-8 has no half surrogates"
        return None if isinstance(self.body, bytes) else f"a body is bytes, not {type(self.body).__name__}"

    def _octets(self, version: str) -> bytes:
        lines = [self.command]
        headers = self.headers
        if self.command in UNESCAPED_COMMANDS or version == V10:
            for name, value in headers.items():
                if "\n" in name or "\n" in value or ":" in name or "\r" in name or "\r" in value:
                    raise FrameError(
                        f"the header {name[:60]!a} can't be sent: it holds a line end or a colon",
                        f"{self._without_escapes(version)} has no escapes for them",
                    )
                lines.append(f"{name}:{value}")
        else:
            lines.extend(
                f"{escape(name, version)}:{escape(value, version)}" for name, value in headers.items()
            )
        if "" in headers:
            raise FrameError("a header without a name can't be sent")
        length = headers.get("content-length")
        if length is None:
            if self.body:
                lines.append(f"content-length:{len(self.body)}")
        elif length != str(len(self.body)):
            raise FrameError(f"content-length is {length[:20]!a}, but the body has {len(self.body)} octets")
        head = "\n".join(lines)
        if "\0" in head:
            name = next((name for name, value in headers.items() if "\0" in name + value), self.command)
            raise FrameError(f"the header {name[:60]!a} can't be sent: NUL ends a frame")
        return b"%b\n\n%b\0" % (head.encode(), self.body)

    def _without_escapes(self, version: str) -> str:
        return self.command if self.command in UNESCAPED_COMMANDS else f"STOMP {version}"


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
