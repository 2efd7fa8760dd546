"""The same client in a program of asyncio: no reactor to be seen.

python examples/with_asyncio.py [ENDPOINT]
"""

import asyncio
import sys

from stomp_tx.client import Message, StompClientService

ENDPOINT = sys.argv[1] if len(sys.argv) > 1 else "tcp:127.0.0.1:61613"


async def brew(message: Message) -> str:
    await asyncio.sleep(0.01)  # a handler is a task of asyncio
    return f"one {message.text()}"


async def main() -> None:
    async with StompClientService(ENDPOINT) as client:
        await client.respond("/queue/kitchen", brew)
        orders = [client.request("/queue/kitchen", tea) for tea in ("green tea", "black tea")]
        for reply in await asyncio.gather(*orders):
            print(reply.text())


asyncio.run(main())
