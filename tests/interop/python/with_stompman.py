"""The driver of stompman, which is of asyncio and speaks STOMP 1.2 alone."""

import asyncio
import ssl
from itertools import count

import stompman
from lines import PATIENCE, Failed, event, serve
from stompman.connection import Connection as Stream


class WatchedStream(Stream):
    """stompman's own connection, telling what its client keeps to itself."""

    owner: "Connection"

    async def read_frames(self):
        try:
            async for frame in super().read_frames():
                if isinstance(frame, stompman.HeartbeatFrame):
                    self.owner.heard_beats += 1
                self.owner.last_frame = frame
                yield frame
        except stompman.ConnectionLostError:
            self.owner.events.put_nowait(event("END"))
            raise


class Connection:
    def __init__(self):
        self.events = asyncio.Queue()
        self.messages = []
        self.subscriptions = {}
        self.transactions = {}
        self.numbers = count(1)
        self.heard_beats = 0
        self.last_frame = None
        self.leave = asyncio.Event()

    # -- what stompman calls --

    async def message_received(self, frame):
        self.messages.append(frame)
        self.events.put_nowait(event("MESSAGE", frame.headers, frame.body, len(self.messages) - 1))

    def error_received(self, frame):
        self.events.put_nowait(event("ERROR", frame.headers, frame.body))

    # -- what the test asks for --

    async def connect(self, port, version, heart_beat, authority, host):
        assert version == "1.2", version
        options = {}
        if heart_beat is not None:
            options["heartbeat"] = stompman.Heartbeat(*heart_beat)
        if authority is not None:
            options["ssl"] = ssl.create_default_context(cafile=authority)
        self.client = stompman.Client(
            [stompman.ConnectionParameters(host, port, login="guest", passcode="guest")],
            connect_retry_attempts=1,
            on_error_frame=self.error_received,
            connection_class=type("OurStream", (WatchedStream,), {"owner": self}),
            **options,
        )
        # The client's beginning and end belong into one task.
        connected = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self.live(connected))
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([self.task, connected], return_when=asyncio.FIRST_COMPLETED)
        if not connected.done():
            raise Failed(described(self.task.exception()))

    async def live(self, connected):
        async with self.client:
            connected.set_result(None)
            await self.leave.wait()
            for subscription in self.subscriptions.values():
                await subscription.unsubscribe()

    async def send(self, destination, body, headers, transaction, receipt):
        if transaction in self.transactions:
            _, sender = self.transactions[transaction]
            await sender.send(body, destination, headers=headers)
            return
        if transaction is not None:
            headers["transaction"] = transaction
        await self.client.send(
            body, destination, headers=headers, receipt_timeout=PATIENCE if receipt else None
        )

    async def subscribe(self, destination, ack, headers):
        number = next(self.numbers)
        self.subscriptions[number] = await self.client.subscribe_with_manual_ack(
            destination, self.message_received, ack=ack, headers=headers, receipt_timeout=PATIENCE
        )
        return number

    async def unsubscribe(self, subscription):
        await self.subscriptions.pop(subscription).unsubscribe()

    async def ack(self, key, transaction):
        assert transaction is None, "stompman has no such thing"
        await self.messages[key].ack()

    async def nack(self, key, transaction):
        assert transaction is None, "stompman has no such thing"
        await self.messages[key].nack()

    async def begin(self):
        context = self.client.begin()
        transaction = await context.__aenter__()
        self.transactions[transaction.id] = context, transaction
        return transaction.id

    async def commit(self, transaction):
        context, _ = self.transactions.pop(transaction)
        await context.__aexit__(None, None, None)

    async def abort(self, transaction):
        context, _ = self.transactions.pop(transaction)
        await context.__aexit__(Failed, Failed("abort"), None)

    def beats(self):
        return self.heard_beats

    async def hears(self):
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.events.get()
        except TimeoutError:
            raise Failed(f"nothing came within {PATIENCE:g} seconds") from None

    def has_heard(self):
        return [self.events.get_nowait() for _ in range(self.events.qsize())]

    async def disconnect(self):
        self.leave.set()
        async with asyncio.timeout(PATIENCE):
            await self.task
        if not isinstance(self.last_frame, stompman.ReceiptFrame):
            raise Failed(f"no RECEIPT for DISCONNECT: the last frame was {self.last_frame}")

    async def drop(self):
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=PATIENCE)


def described(error):
    if hasattr(error, "exceptions"):  # a group of them
        return "; ".join(described(one) for one in error.exceptions)
    return f"{type(error).__name__}: {error}"


asyncio.run(serve(Connection))
