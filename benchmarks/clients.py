"""Clients under load: one sends to a queue what the other one receives, both in this process.

    python -m benchmarks.clients NAME PORT COUNT

prints how many messages a second came through, 100 octets each, without receipts, ack:auto.  The last one is
named as the end of it; what was sent before the clock started is the warm-up.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

BODY = b"x" * 100
LAST = b"!" * 100
PATIENCE = 60.0  # seconds
DESTINATION = "/queue/bench-clients"


def stomp_tx(port: int, count: int) -> float:
    """This project's: a plain handler, SENDs that are awaited."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from stomp_tx.client import Message, connect

    rate = 0.0

    async def main(_: Any) -> None:
        nonlocal rate
        endpoint = f"tcp:127.0.0.1:{port}"
        receiver, sender = await connect(endpoint), await connect(endpoint)
        ended: Deferred[None] = Deferred()

        def received(message: Message) -> None:
            if message.body == LAST:
                ended.callback(None)

        async def through(count: int) -> None:
            nonlocal ended
            ended = Deferred()
            for _ in range(count - 1):
                await sender.send(DESTINATION, BODY)
            await sender.send(DESTINATION, LAST)
            await ended.addTimeout(PATIENCE, reactor)

        await receiver.subscribe(DESTINATION, received)
        await through(count // 10)
        began = time.perf_counter()
        await through(count)
        rate = count / (time.perf_counter() - began)
        await sender.disconnect()
        await receiver.disconnect()

    try:
        react(main)
    except SystemExit:
        pass
    return rate


def stomp_py(port: int, count: int) -> float:
    """stomp.py: a thread reads, another one sends."""
    import stomp  # type: ignore[import-untyped]

    ended = threading.Event()
    last = LAST.decode()

    class Listener(stomp.ConnectionListener):  # type: ignore[misc]
        def on_message(self, frame: Any) -> None:
            if frame.body == last:
                ended.set()

    def connected() -> Any:
        connection = stomp.Connection12([("127.0.0.1", port)])
        connection.connect(wait=True)
        return connection

    def through(count: int) -> None:
        ended.clear()
        body = BODY.decode()
        for _ in range(count - 1):
            sender.send(DESTINATION, body)
        sender.send(DESTINATION, last)
        if not ended.wait(PATIENCE):
            raise TimeoutError("messages are missing")

    receiver, sender = connected(), connected()
    receiver.set_listener("", Listener())
    receiver.subscribe(DESTINATION, id="1", ack="auto")
    time.sleep(0.2)
    through(count // 10)
    began = time.perf_counter()
    through(count)
    rate = count / (time.perf_counter() - began)
    sender.disconnect()
    receiver.disconnect()
    return rate


def stompman(port: int, count: int) -> float:
    """stompman: asyncio, awaited SENDs."""
    import stompman as library  # type: ignore[import-untyped]

    async def main() -> float:
        server = library.ConnectionParameters(host="127.0.0.1", port=port, login="", passcode="")
        ended = asyncio.Event()

        async def received(frame: Any) -> None:
            if frame.body == LAST:
                ended.set()

        async with library.Client(servers=[server]) as receiver, library.Client(servers=[server]) as sender:

            async def through(count: int) -> None:
                ended.clear()
                for _ in range(count - 1):
                    await sender.send(body=BODY, destination=DESTINATION)
                await sender.send(body=LAST, destination=DESTINATION)
                await asyncio.wait_for(ended.wait(), PATIENCE)

            subscription = await receiver.subscribe(
                DESTINATION, received, ack="auto", on_suppressed_exception=lambda error, frame: None
            )
            await asyncio.sleep(0.2)
            await through(count // 10)
            began = time.perf_counter()
            await through(count)
            rate = count / (time.perf_counter() - began)
            await subscription.unsubscribe()
            return rate

    return asyncio.run(main())


CLIENTS: dict[str, Callable[[int, int], float]] = {
    "stomp-tx": stomp_tx,
    "stomp-py": stomp_py,
    "stompman": stompman,
}

if __name__ == "__main__":
    print(CLIENTS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3])))
