"""Connection: one client's, with asyncio; it hands on what it hears as soon as it has been read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from stomp_tx.wire import frames
from stomp_tx.wire.commands import V12
from stomp_tx.wire.frame import Frame
from stomp_tx.wire.parser import FrameParser

STOPPING = "the broker is stopping"


class Gone(Exception):
    """The connection is no more: the broker was killed, or has stopped."""


class Connection:
    """Frames out, frames in; ``over`` is done when the broker, or we, have closed it.

    heard -- called with each MESSAGE
    faults -- what came that should never come
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, faults: list[str], who: str
    ) -> None:
        self.heard: Callable[[Frame], None] = lambda frame: None
        self.who = who
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.unreceipted = 0
        self._faults = faults
        self._reader = reader
        self._writer = writer
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told: dict[str, Callable[[], None]] = {}
        self._receipts = 0
        self._fewer = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, port: int, faults: list[str], who: str) -> Connection:
        """A connection that was answered with CONNECTED.  Raises Gone."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            raise Gone from None
        self = cls(reader, writer, faults, who)
        self.send(frames.connect("localhost", accept_version=V12))
        await self._either(self._connected)
        return self

    def send(self, frame: Frame, told: Callable[[], None] | None = None) -> None:
        """Send it; ``told()`` is called when its RECEIPT comes."""
        if self.over.done() or self._writer.transport.is_closing():
            return
        if told is not None:
            self._receipts += 1
            frame.headers["receipt"] = str(self._receipts)
            self._told[str(self._receipts)] = told
            self.unreceipted += 1
        self._writer.write(frame.encode())

    async def ask(self, frame: Frame, told: Callable[[], None] = lambda: None) -> None:
        """Send it, and wait for its RECEIPT.  Raises Gone."""
        answered = asyncio.get_running_loop().create_future()

        def receipted() -> None:
            told()
            if not answered.done():
                answered.set_result(None)

        self.send(frame, receipted)
        await self._either(answered)

    async def drain(self, ahead: int) -> None:
        """Until no more than so many receipts are due.  Raises Gone."""
        while self.unreceipted > ahead:
            self._fewer.clear()
            waiting = asyncio.ensure_future(self._fewer.wait())
            try:
                await self._either(waiting)
            finally:
                waiting.cancel()
        try:
            await self._writer.drain()
        except OSError:
            raise Gone from None
        if self.over.done():
            raise Gone

    async def close(self) -> None:
        """Cut it: nothing that it still has is heard."""
        self._end()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _either(self, waited_for: asyncio.Future[Any]) -> None:
        await asyncio.wait([waited_for, self.over], return_when=asyncio.FIRST_COMPLETED)
        if not waited_for.done():
            raise Gone

    async def _read(self) -> None:
        parser = FrameParser()
        try:
            while octets := await self._reader.read(1 << 18):
                parser.feed(octets)
                while (frame := parser.next_frame()) is not None:
                    self._hear(frame)
                    if frame.command == "CONNECTED":
                        parser.version = V12
        except OSError:
            pass
        except Exception as error:
            self._faults.append(f"{self.who} could not go on: {error!r}")
        finally:
            self._end()

    def _hear(self, frame: Frame) -> None:
        if frame.command == "MESSAGE":
            self.heard(frame)
        elif frame.command == "RECEIPT":
            self.unreceipted -= 1
            self._fewer.set()
            told = self._told.pop(frame.headers["receipt-id"], None)
            if told is None:
                self._faults.append(f"{self.who} got a RECEIPT it did not ask for: {frame.headers}")
            else:
                told()
        elif frame.command == "CONNECTED":
            self._connected.set_result(None)
        elif frame.headers.get("message") != STOPPING:
            self._faults.append(f"{self.who} got {frame.command} {frame.headers}: {frame.body!r}")

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
        self._writer.transport.abort()
