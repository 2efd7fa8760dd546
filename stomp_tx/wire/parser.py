"""Octets to frames, pulled: ``feed`` what came, then take ``next_frame`` until it is None."""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO

from stomp_tx.errors import FrameError, FrameTooLarge, UnexpectedTLS
from stomp_tx.wire.commands import BODY_COMMANDS, UNESCAPED_COMMANDS, V10, V12
from stomp_tx.wire.escaping import unescape
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.limits import Limits

# Between frames: line ends are heart-beats or padding; stray NULs are skipped, as RabbitMQ and ActiveMQ do.
_PADDING = b"\n\r\0"
# Whoever sends line feeds alone, sends millions: those go three times as fast as a choice of octets.
_ALL_PADDING = re.compile(rb"\n*[\n\r\0]*")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_HTTP = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ")
_HTTP_ANSWER = b"HTTP/"
_TLS = {  # the first octet of a record
    0x16: ("this is a TLS handshake", "the port speaks plain STOMP: connect without TLS, or to the TLS port"),
    0x15: ("this is a TLS alert", "the port speaks TLS, and what connected to it does not"),
}


class FrameParser:
    """Takes octets in pieces of any size and gives whole frames.

    The same frames come out however the octets are cut, and the cost is linear in their number.  After a
    FrameError the parser is of no further use.

    ``version`` is None until the protocol version is agreed on, and then one of "1.0", "1.1", "1.2": set it
    between two frames.  Until then (that is, for CONNECT and CONNECTED) the ``connect_frame`` limit applies.

    Line ends (STOMP 1.2, "STOMP Frames"): 1.2, and a frame before the version is known, may end each line
    with CR LF or LF.  1.0 and 1.1 have LF alone, and a CR is data; but clients of theirs that write CR LF
    exist, so a frame whose *command* line ends in CR LF is read as 1.2 would.
    """

    __slots__ = (
        "_block_limit",
        "_body",
        "_data",
        "_frame_limit",
        "_head",
        "_need",
        "_pos",
        "_short",
        "_skipped",
        "_unusual",
        "_version",
        "limits",
    )

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits = limits or Limits()
        self._data = b""
        self._pos = 0  # what lies before it in _data is done with
        self._skipped = 0  # octets between frames, before the version is known
        self._unusual = True  # _data may hold a backslash or a CR, or the version is 1.0
        self._body: BytesIO | None = None  # a body that is still arriving
        self._need = 0  # octets that body will have; -1: as many as there are before NUL
        self._head: tuple[str, dict[str, str], int] = ("", {}, 0)
        self.version = None
        # A header block this short is within every limit on headers (the shortest one, "a:", takes 3 octets).
        self._short = min(limits.header_line, 3 * limits.headers, limits.header_block, limits.connect_frame)

    @property
    def version(self) -> str | None:
        """The protocol version that was agreed on; None until then.  Set it between two frames."""
        return self._version

    @version.setter
    def version(self, version: str | None) -> None:
        self._version = version
        self._unusual = True  # until the next feed has looked
        limits = self.limits
        self._frame_limit = min(limits.connect_frame, limits.frame) if version is None else limits.frame
        self._block_limit = min(limits.header_block, self._frame_limit)

    def feed(self, data: bytes) -> None:
        """Octets that have arrived.  Take what frames they complete before feeding more."""
        if self._pos < len(self._data):
            data = self._data[self._pos :] + data
        self._data = data
        self._pos = 0
        # One look at all of a read, so that the usual frame needs none of its own.
        self._unusual = b"\\" in data or b"\r" in data or self._version == V10

    def next_frame(self) -> Frame | None:
        """The next whole frame, or None when more octets are needed.  Raises FrameError."""
        if self._body is not None:
            return self._resume_body(self._body)
        data = self._data
        pos = self._pos
        end = len(data)
        if pos < end and data[pos] < 14 and data[pos] in _PADDING:
            pos = self._behind_padding(data, pos)
        self._pos = pos
        if pos == end:
            return None

        stop = data.find(b"\n\n", pos)
        start = stop + 2
        if stop < 0 or (self._unusual and b"\r" in data[pos:stop]):
            stop, start = self._end_of_block(data, pos, stop)
            if stop < 0:
                return None
        try:
            head = data[pos:stop].decode()
        except UnicodeDecodeError as error:
            self._check_language(data, pos)
            raise FrameError("a header is not UTF-8", "commands and headers are encoded in UTF-8") from error
        if "\0" in head:
            self._check_language(data, pos)
            raise _early_nul()
        lines = head.split("\n")
        if stop - pos > self._short:
            self._check_block(lines, stop - pos)

        headers: dict[str, str] = {}
        if self._unusual and ("\\" in head or "\r" in head or self._version == V10):
            command = self._read_unusual(head, headers)
        else:
            rest = iter(lines)
            command = next(rest)
            for line in rest:
                name, colon, value = line.partition(":")
                if not colon:
                    raise self._no_colon(command, line)
                if name not in headers:
                    headers[name] = value
        if "" in headers:
            raise FrameError("a header has no name", "a header line is NAME:VALUE")

        length = headers.get("content-length")
        if length is not None and (command in BODY_COMMANDS or self._version != V10):
            stop = start + _octets(length)
            if stop >= end:
                self._begin_body(command, headers, start, stop - start)
                return None
            if data[stop]:
                raise _no_nul(stop - start)
        else:
            stop = data.find(b"\0", start)
            if stop < 0:
                self._begin_body(command, headers, start, -1)
                return None
        next_pos = stop + 1
        if next_pos - pos > self._frame_limit:
            raise self._too_large()
        if stop > start and command not in BODY_COMMANDS:
            self._check_bodiless(command, data[start:stop])
            stop = start
        self._pos = next_pos
        return Frame(command, headers, data[start:stop], next_pos - pos)

    def receipt_of_failed(self) -> str | None:
        """What the frame that is none asked for as its ``receipt``, if that much of it can be read.

        Asked after a FrameError, which then can be told to be about that frame.
        """
        if self._body is not None:
            return self._head[1].get("receipt")
        lines = self._data[self._pos : self._pos + self._block_limit].split(b"\n")
        for line in lines[1:-1]:  # the command; and the last one may be the half of a line
            name, _, value = line.removesuffix(b"\r").partition(b":")
            if not name:
                break  # the blank line
            if name == b"receipt":
                try:
                    text = value.decode()
                    return text.strip(" \t") if self._version == V10 else unescape(text, self._version or V12)
                except (UnicodeDecodeError, FrameError):
                    break
        return None

    @property
    def unfinished(self) -> int:
        """Octets that are kept of a frame that has not come whole."""
        body = self._body
        return len(self._data) - self._pos if body is None else body.tell()

    @property
    def is_amid_frame(self) -> bool:
        """Has a frame begun that has not come whole?  Ask when there is no next one."""
        return self._body is not None or self._pos < len(self._data)

    @property
    def is_empty(self) -> bool:
        """Is nothing left of what has come, but line ends and what else may stand between frames?"""
        return self._body is None and not self._data[self._pos :].strip(_PADDING)

    def forget(self) -> None:
        """Let go of all that has come: nobody will take a frame any more."""
        self._body = None
        self._data = b""
        self._pos = 0

    # -- the header block ---------------------------------------------------------------------------------

    def _behind_padding(self, data: bytes, pos: int) -> int:
        """Where what comes between frames ends.  A stranger may send only so much of it."""
        found = _ALL_PADDING.match(data, pos)
        assert found is not None  # it matches nothing at all, too
        if self._version is None:
            self._skipped += found.end() - pos
            if self._skipped > self._frame_limit:
                raise FrameTooLarge(
                    "too many octets before CONNECT", f"{self._frame_limit} line ends may come before it"
                )
        return found.end()

    def _end_of_block(self, data: bytes, pos: int, stop: int) -> tuple[int, int]:
        """Where the header block's last line ends and where the body begins; (-1, 0) when it isn't here yet.

        ``stop`` is where an empty LF line was found, or -1; there may be a CR LF one before it.
        """
        self._check_language(data, pos)
        first = data.find(b"\n", pos)
        if (first > pos and data[first - 1] == 13) or self._version in (None, V12):
            blank = _BLANK_LINE.search(data, pos)
            if blank is not None:
                return blank.start(), blank.end()
        elif stop >= 0:
            return stop, stop + 2
        self._check_unfinished(data, pos)
        return -1, 0

    def _check_language(self, data: bytes, pos: int) -> None:
        """Say what it is that arrives where STOMP should begin, if it is something well known."""
        if self._version is not None:
            return
        known = _TLS.get(data[pos])
        if known is not None:
            raise UnexpectedTLS(*known)
        if data.startswith(_HTTP, pos):
            raise FrameError("this is an HTTP request", "the port speaks STOMP, not HTTP")
        if data.startswith(_HTTP_ANSWER, pos):
            raise FrameError("this is an HTTP answer", "the port speaks HTTP, not STOMP: connect to another")

    def _check_unfinished(self, data: bytes, pos: int) -> None:
        """Refuse at once what can't become a header block, so that nobody waits for its end."""
        if data.find(b"\0", pos) >= 0:
            raise _early_nul()
        if len(data) - pos > self._block_limit:
            raise self._block_too_long()
        line = len(data) - max(data.rfind(b"\n", pos) + 1, pos)
        if line > 4 * self.limits.header_line:  # a character takes four octets at most
            raise self._line_too_long()

    def _check_block(self, lines: list[str], octets: int) -> None:
        if octets > self._block_limit:
            raise self._block_too_long()
        if len(lines) - 1 > self.limits.headers:
            raise FrameTooLarge("too many headers", f"a frame may have {self.limits.headers} headers")
        if max(map(len, lines)) > self.limits.header_line:
            raise self._line_too_long()

    def _read_unusual(self, head: str, headers: dict[str, str]) -> str:
        """Fill ``headers`` from a block that holds escapes or CRs, or is of 1.0; the command."""
        version = self._version
        if "\r" in head and (version in (None, V12) or head.partition("\n")[0].endswith("\r")):
            head = head.replace("\r\n", "\n").removesuffix("\r")
            if "\r" in head:
                raise FrameError(
                    "a carriage return inside a header",
                    "CR may stand before LF only; in STOMP 1.2 it is written \\r inside a header",
                )
        lines = iter(head.split("\n"))
        command = next(lines)
        escaped = version not in (None, V10) and command not in UNESCAPED_COMMANDS
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise self._no_colon(command, line)
            if "\\" in line and escaped:
                name = unescape(name, version or V12)
                value = unescape(value, version or V12)
            elif version == V10:
                value = value.strip(" \t")  # 1.0's own examples pad them
            if name not in headers:
                headers[name] = value
        return command

    def _no_colon(self, command: str, line: str) -> FrameError:
        # Not a word of CONNECT is repeated, a second one neither: this might be its passcode.
        is_connect = self._version is None or command.strip().upper() in ("CONNECT", "STOMP")
        what = "a line of CONNECT" if is_connect else ascii(line[:60])
        return FrameError("a header line has no colon", f"{what} is not NAME:VALUE")

    def _block_too_long(self) -> FrameTooLarge:
        return FrameTooLarge(
            "header block too long", f"a frame's headers may have {self._block_limit} octets"
        )

    def _line_too_long(self) -> FrameTooLarge:
        return FrameTooLarge(
            "header line too long", f"a header line may have {self.limits.header_line} characters"
        )

    # -- the body -----------------------------------------------------------------------------------------

    def _check_bodiless(self, command: str, piece: bytes) -> None:
        """Raise where this piece of a body may not be; 1.0 ignores it ("SUBSCRIBE": the body is ignored).

        Before the version is known line ends are ignored: clients of 1.0 write CONNECT with one.  Anything
        else would be the next frame of a client that forgot the NUL.
        """
        if self._version != V10 and (self._version is not None or piece.strip(b"\r\n")):
            raise FrameError(
                f"{command[:20]!a} may not have a body", "only SEND, MESSAGE and ERROR may (STOMP 1.2, Body)"
            )

    def _too_large(self) -> FrameTooLarge:
        before = " before the session is open" if self._version is None else ""
        return FrameTooLarge("frame too large", f"a frame may have {self._frame_limit} octets{before}")

    def _begin_body(self, command: str, headers: dict[str, str], start: int, need: int) -> None:
        """Keep what there is of a body that has not arrived whole; it grows without being copied anew."""
        self._body = body = BytesIO()
        piece = memoryview(self._data)[start:]
        body.write(piece)
        self._need = need
        self._head = command, headers, start - self._pos
        self._data = b""
        self._pos = 0
        self._check_growing(body, piece)

    def _check_growing(self, body: BytesIO, piece: memoryview) -> None:
        command, _, head = self._head
        expected = max(self._need, body.tell())
        if head + expected + 1 > self._frame_limit:
            raise self._too_large()
        if expected and command not in BODY_COMMANDS:
            self._check_bodiless(command, bytes(piece))

    def _resume_body(self, body: BytesIO) -> Frame | None:
        data = self._data
        missing = data.find(b"\0") if self._need < 0 else self._need - body.tell()
        if missing < 0 or missing >= len(data):
            body.write(data)
            self._data = b""
            self._check_growing(body, memoryview(data))
            return None
        if data[missing]:
            raise _no_nul(self._need)
        piece = memoryview(data)[:missing]
        body.write(piece)
        self._check_growing(body, piece)
        self._pos = missing + 1
        self._body = None
        command, headers, head = self._head
        octets = body.getvalue()
        return Frame(command, headers, octets if command in BODY_COMMANDS else b"", head + len(octets) + 1)


@lru_cache(1024)
def _octets(text: str) -> int:
    """The number in a content-length header (remembered: producers repeat themselves)."""
    # int() would take "+5", " 5", "1_000" and the digits of other scripts.
    if not (text.isascii() and text.isdigit()):
        raise FrameError(
            "content-length is not a number", f"{text[:40]!a} is no count of octets: digits only"
        )
    if len(text) > 18:
        raise FrameTooLarge("frame too large", f"content-length is {text[:40]}")
    return int(text)


def _early_nul() -> FrameError:
    return FrameError(
        "NUL before the blank line",
        "a blank line ends the headers, with a body or without one; NUL comes after it",
    )


def _no_nul(length: int) -> FrameError:
    return FrameError(
        "no NUL after the body", f"content-length says {length} octets, and the octet after them is not NUL"
    )
