"""Load: many unfriendly clients, in one thread."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterable, Sequence

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.client import Client


class Over(Exception):
    """The load has to end here: its time is up, or the broker is gone or has grown too large."""


class Load:
    """What a case does it does through this."""

    def __init__(
        self,
        port: int,
        seconds: float,
        must_end: Callable[[], str] = lambda: "",
        said: Callable[[], Callable[[bytes], None]] | None = None,
    ) -> None:
        """
        seconds -- that it may take
        must_end -- says why it has to end; empty: it has not
        said -- gives, for a new client, what is called with all that it says
        """
        self._port = port
        self.ends = time.monotonic() + seconds
        self._must_end = must_end
        self._said = said
        self._selector = selectors.DefaultSelector()
        self.clients: dict[Client, int] = {}  # and for what each is registered

    @property
    def left(self) -> float:
        """Seconds."""
        return self.ends - time.monotonic()

    def client(self, user: str, client_id: str = "", *, reads: bool = True) -> Client:
        """One whose CONNECT has not been answered yet."""
        try:
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        except OSError as error:
            raise Over(f"can't connect: {error}") from None
        sock.setblocking(False)
        client = Client(sock, None if self._said is None else self._said())
        self.clients[client] = 0
        client.says(frames.connect(user, client_id))
        client.reads = reads
        return client

    def connected(self, users: Iterable[str], client_ids: Sequence[str] = ()) -> list[Client]:
        """One for each of these, twenty at a time; they have CONNECTED."""
        found: list[Client] = []
        for number, user in enumerate(users):
            found.append(self.client(user, client_ids[number] if client_ids else ""))
            if number % 20 == 19:
                self.until(lambda: all(one.is_connected or one.is_gone for one in found))
        self.until(lambda: all(one.is_connected or one.is_gone for one in found))
        return found

    def until(self, true: Callable[[], bool], seconds: float = 1e9) -> bool:
        """Let all say and hear until it is so; False: it was not in that time.  Raises Over."""
        end = time.monotonic() + seconds
        while not true():
            now = time.monotonic()
            if now > end:
                return False
            if now > self.ends:
                raise Over("its time is up")
            why = self._must_end()
            if why:
                raise Over(why)
            self._turn(min(0.05, end - now))
        return True

    def goes_on(self, seconds: float) -> None:
        """Let all say and hear for so long."""
        self.until(lambda: False, seconds)

    def receipted(self, client: Client, receipt: object, seconds: float = 1e9) -> bool:
        """Does it get this one in that time?"""
        name = str(receipt).encode()
        self.until(lambda: name in client.receipts or client.is_gone, seconds)
        return name in client.receipts

    def leaves(self, client: Client) -> None:
        """It just goes."""
        client.end()
        if client in self.clients:
            if self.clients.pop(client):
                self._selector.unregister(client.socket)
            client.socket.close()

    def close(self) -> None:
        for client in list(self.clients):
            self.leaves(client)
        self._selector.close()

    def _turn(self, seconds: float) -> None:
        for client in list(self.clients):
            if client.is_gone:
                self.leaves(client)
                continue
            self._register(client)
        if not self.clients:
            time.sleep(min(seconds, 0.01))
            return
        for key, events in self._selector.select(seconds):
            client = key.data
            if client.is_gone:
                continue
            if events & selectors.EVENT_READ:
                client.read()
            if events & selectors.EVENT_WRITE and not client.is_gone:
                client.write()

    def _register(self, client: Client) -> None:
        # Before CONNECTED everybody reads.
        reads = client.reads or not client.is_connected
        wanted = selectors.EVENT_READ * reads | selectors.EVENT_WRITE * client.wants_to_write
        known = self.clients[client]
        if wanted == known:
            return
        if not known:
            self._selector.register(client.socket, wanted, client)
        elif wanted:
            self._selector.modify(client.socket, wanted, client)
        else:
            self._selector.unregister(client.socket)
        self.clients[client] = wanted
