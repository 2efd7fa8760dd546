"""The driver of stomp_tx's own client, on the asyncio reactor as the driver's loop is asyncio's."""

import asyncio
from itertools import count

from lines import PATIENCE, Failed, event, serve
from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncioreactor.install(loop)

from twisted.internet import reactor  # noqa: E402  (a reactor is chosen before it is imported)
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.task import react  # noqa: E402

from stomp_tx.client import ErrorReceived, connect  # noqa: E402


def answer(deferred):
    """What an asyncio task can await."""
    return deferred.addTimeout(PATIENCE, reactor).asFuture(loop)


class Connection:
    client = None

    def __init__(self):
        self.events = asyncio.Queue()
        self.messages = []
        self.subscriptions = {}
        self.transactions = {}
        self.numbers = count(1)

    def message_received(self, message):
        self.messages.append(message)
        self.events.put_nowait(event("MESSAGE", message.headers, message.body, len(self.messages) - 1))

    def closed(self, reason):
        if isinstance(reason, ErrorReceived):
            self.events.put_nowait(event("ERROR", reason.headers, reason.body))
        self.events.put_nowait(event("END"))

    async def connect(self, port, version, heart_beat, authority, host):
        options = {} if heart_beat is None else {"heart_beat_ms": tuple(heart_beat)}
        kind = "tcp" if authority is None else "tls"
        connecting = connect(f"{kind}:{host}:{port}", ca_file=authority, versions=(version,), **options)
        self.client = await answer(connecting)
        if self.client.version != version:
            raise Failed(f"{self.client.version} was agreed on")
        self.client.when_closed().addCallback(self.closed)

    async def send(self, destination, body, headers, transaction, receipt):
        if transaction in self.transactions:
            sender = self.transactions[transaction]
        else:
            sender = self.client
        await answer(sender.send(destination, body, headers=headers, receipt=receipt))

    async def subscribe(self, destination, ack, headers):
        number = next(self.numbers)
        subscribing = self.client.subscribe(destination, self.message_received, ack=ack, headers=headers)
        self.subscriptions[number] = await answer(subscribing)
        return number

    async def unsubscribe(self, subscription):
        await answer(self.client.unsubscribe(self.subscriptions.pop(subscription)))

    async def ack(self, key, transaction):
        part_of = self.transactions.get(transaction)
        await answer(self.client.ack(self.messages[key], receipt=True, transaction=part_of))

    async def nack(self, key, transaction):
        part_of = self.transactions.get(transaction)
        await answer(self.client.nack(self.messages[key], receipt=True, transaction=part_of))

    async def begin(self):
        transaction = await answer(self.client.transaction().begin())
        self.transactions[transaction.id] = transaction
        return transaction.id

    async def commit(self, transaction):
        await answer(self.transactions.pop(transaction).commit())

    async def abort(self, transaction):
        await answer(self.transactions.pop(transaction).abort(receipt=True))

    def beats(self):
        return None  # it does not tell, but ends the connection when they stay away

    async def hears(self):
        try:
            return await asyncio.wait_for(self.events.get(), PATIENCE)
        except asyncio.TimeoutError:
            raise Failed(f"nothing came within {PATIENCE:g} seconds") from None

    def has_heard(self):
        return [self.events.get_nowait() for _ in range(self.events.qsize())]

    async def disconnect(self):
        await answer(self.client.disconnect())

    async def drop(self):
        if self.client is not None and self.client.connected:
            await answer(self.client.disconnect())


react(lambda reactor: Deferred.fromFuture(loop.create_task(serve(Connection))))
