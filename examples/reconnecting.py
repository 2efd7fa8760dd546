"""A client that connects again: what it has sent is kept until the broker has it, loops go on.

    python examples/reconnecting.py [ENDPOINT [ANOTHER]]

Stop the broker while this runs, and start it again.
"""

import sys

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater, react

from stomp_tx.client import StompClientService

ENDPOINTS = sys.argv[1:] or ["tcp:127.0.0.1:61613"]


async def main(reactor: IReactorTime) -> None:
    async with StompClientService(
        ENDPOINTS,
        on_connected=lambda client: print("connected to", client.headers["server"].partition("/")[0]),
        on_lost=lambda reason: print("left" if reason is None else f"lost: {reason}"),
        on_failed=lambda reason, attempt: print(f"attempt {attempt} failed: {reason}"),
    ) as client:
        jobs = await client.subscribe("/queue/jobs", ack="client-individual", prefetch=1)
        for number in range(5):
            await client.send("/queue/jobs", {"number": number}, headers={"persistent": "true"})
        async for message in jobs:
            async with message:  # its end acknowledges, an exception refuses
                number = message.value()["number"]
                await deferLater(reactor, 0.05)
                print(f"did job {number}")
            if number == 4:
                break


react(main)
