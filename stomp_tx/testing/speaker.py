"""Speaker: one end of a conversation, for tests that say what the frames are."""

from __future__ import annotations

from collections.abc import Callable

from stomp_tx.wire.frame import Frame
from stomp_tx.wire.headers import Headers, texts
from stomp_tx.wire.parser import FrameParser


class Speaker:
    """Says frames, and hears them.

    version -- the protocol version that it speaks; None: it is not agreed on yet
    """

    def __init__(self, version: str | None, send: Callable[[bytes], object]) -> None:
        """
        send -- hands octets to the other end
        """
        self.version = version
        self._send = send
        self._parser = FrameParser()
        self._heard: list[Frame] = []

    # -- speaking -----------------------------------------------------------------------------------------

    def says(
        self, command: str, headers: Headers | None = None, body: bytes = b"", **more: str | int
    ) -> None:
        """Send a frame; keyword arguments are headers, ``_`` standing for ``-``."""
        together = {**texts(headers or {}), **named(more)}
        self.sends(Frame(command, together, body).encode(self.version or "1.2"))

    def sends(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._send(octets)

    # -- listening ----------------------------------------------------------------------------------------

    def hears_octets(self) -> bytes:
        """What the other end has said since, not taken for frames."""
        raise NotImplementedError

    def _listen(self) -> None:
        self._parser.version = self.version
        self._parser.feed(self.hears_octets())
        while (frame := self._parser.next_frame()) is not None:
            self._heard.append(frame)

    def everything(self) -> list[Frame]:
        """All frames that have come and were not taken yet."""
        self._listen()
        heard, self._heard = self._heard, []
        return heard

    def hears(self, command: str) -> Frame:
        """The next frame, which must have this command."""
        self._listen()
        assert self._heard, f"expected {command}, heard nothing"
        frame = self._heard.pop(0)
        assert frame.command == command, f"expected {command}, heard {frame!r}: {frame.body!r}"
        return frame

    def hears_nothing(self) -> bool:
        """Has nothing come?"""
        self._listen()
        return not self._heard


def named(headers: Headers) -> dict[str, str]:
    """Keyword arguments as headers: ``_`` stands for ``-``."""
    return {name.replace("_", "-"): value for name, value in texts(headers).items()}
