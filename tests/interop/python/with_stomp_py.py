"""The driver of stomp-py: a connection per protocol version, listeners called in its threads."""

import asyncio
import logging
import queue
import threading
from itertools import count

import stomp
from lines import PATIENCE, Failed, event, serve

CONNECTIONS = {"1.0": stomp.StompConnection10, "1.1": stomp.StompConnection11}


class Said(logging.Handler):
    """What stomp-py says in its log alone, such as why there is no connection."""

    lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


class Connection(stomp.ConnectionListener):
    def __init__(self):
        self.events = queue.Queue()
        self.messages = []
        self.subscriptions = {}
        self.numbers = count(1)
        self.receipts = {}
        self.heard_beats = 0

    # -- what stomp-py calls, in its threads --

    def on_message(self, frame):
        self.messages.append(frame.headers)
        self.events.put(event("MESSAGE", frame.headers, frame.body, len(self.messages) - 1))

    def on_error(self, frame):
        self.events.put(event("ERROR", frame.headers, frame.body))

    def on_receipt(self, frame):
        self.receipts[frame.headers["receipt-id"]].set()

    def on_heartbeat(self):
        self.heard_beats += 1

    def on_disconnected(self):
        self.events.put(event("END"))

    def receipt(self):
        """The name of a receipt to ask for; with what a header must escape, where the version can."""
        name = f"receipt {next(self.numbers)}"
        if self.version != "1.0":
            name += ": \\n \n"
        self.receipts[name] = threading.Event()
        return name

    def wait(self, receipt):
        if not self.receipts[receipt].wait(PATIENCE):
            raise Failed(f"no RECEIPT within {PATIENCE:g} seconds; heard: {self.has_heard()}")

    # -- what the test asks for --

    def connect(self, port, version, heart_beat, authority, host):
        self.version = version
        options = {}
        if heart_beat is not None:
            options = {"heartbeats": tuple(heart_beat), "heart_beat_receive_scale": 3}
        place = (host, port)
        self.stomp = CONNECTIONS.get(version, stomp.StompConnection12)(
            [place], try_loopback_connect=False, auto_decode=False, reconnect_attempts_max=1, **options
        )
        self.stomp.version = version  # as it is, but for one that stomp-py does not know
        self.stomp.set_listener("driver", self)
        if authority is not None:
            self.stomp.set_ssl([place], ca_certs=authority)
        try:
            self.stomp.connect(wait=True)
        except stomp.exception.ConnectFailedException:
            raise Failed(f"{Said.lines[-1:]}; heard: {self.has_heard()}") from None

    def send(self, destination, body, headers, transaction, receipt):
        if transaction is not None:
            headers["transaction"] = transaction
        if receipt:
            headers["receipt"] = self.receipt()
        self.stomp.send(destination, body, headers=dict(headers))
        if receipt:
            self.wait(headers["receipt"])

    def subscribe(self, destination, ack, headers):
        number = next(self.numbers)
        receipt = self.receipt()
        # A subscription of 1.0 needs no id: then it goes by its destination.
        name = {} if self.version == "1.0" else {"id": f"subscription {number}"}
        self.stomp.subscribe(destination, ack=ack, headers=headers, receipt=receipt, **name)
        self.wait(receipt)
        self.subscriptions[number] = name or {"destination": destination}
        return number

    def unsubscribe(self, subscription):
        receipt = self.receipt()
        self.stomp.unsubscribe(**self.subscriptions[subscription], receipt=receipt)
        self.wait(receipt)

    def named(self, key):
        headers = self.messages[key]
        if self.version == "1.0":
            return {"id": headers["message-id"]}
        if self.version == "1.1":
            return {"id": headers["message-id"], "subscription": headers["subscription"]}
        return {"id": headers["ack"]}

    def ack(self, key, transaction):
        receipt = self.receipt()
        self.stomp.ack(**self.named(key), transaction=transaction, receipt=receipt)
        self.wait(receipt)

    def nack(self, key, transaction):
        receipt = self.receipt()
        self.stomp.nack(**self.named(key), transaction=transaction, receipt=receipt)
        self.wait(receipt)

    def begin(self):
        receipt = self.receipt()
        transaction = self.stomp.begin(receipt=receipt)
        self.wait(receipt)
        return transaction

    def commit(self, transaction):
        receipt = self.receipt()
        self.stomp.commit(transaction, receipt=receipt)
        self.wait(receipt)

    def abort(self, transaction):
        receipt = self.receipt()
        self.stomp.abort(transaction, receipt=receipt)
        self.wait(receipt)

    def says(self, command):
        self.stomp.send_frame(command, {})

    def beats(self):
        return self.heard_beats

    def hears(self):
        try:
            return self.events.get(timeout=PATIENCE)
        except queue.Empty:
            raise Failed(f"nothing came within {PATIENCE:g} seconds") from None

    def has_heard(self):
        return [self.events.get() for _ in range(self.events.qsize())]

    def disconnect(self):
        # A name without escapes: stomp-py does not know the others again, and then waits for ever.
        self.receipts["goodbye"] = threading.Event()
        self.stomp.disconnect("goodbye")
        self.wait("goodbye")

    def drop(self):
        if self.stomp.is_connected():
            self.stomp.transport.disconnect_socket()


logging.getLogger("stomp.py").addHandler(Said(logging.WARNING))
asyncio.run(serve(Connection))
