"""Everyone who has subscribed to a topic hears each message.

python examples/publish_subscribe.py [tcp:host:port | tls:host:port]
"""

import sys

from twisted.internet.task import react

from stomp_tx.client import connect


async def main(reactor: object, endpoint: str = "tcp:127.0.0.1:61613") -> None:
    ann = await connect(endpoint)
    bob = await connect(endpoint)

    # A handler is called with each message as it comes. It may be `async def`, or return a Deferred.
    await ann.subscribe("/topic/weather", lambda message: print("ann heard", message.text()))

    # Without a handler, messages are iterated. Each is acknowledged by itself as the loop takes it.
    forecasts = await bob.subscribe("/topic/weather")

    for weather in ("rain", "snow", "sun"):
        await bob.send("/topic/weather", weather)

    async for message in forecasts:
        print("bob heard", message.text())
        if message.text() == "sun":
            await forecasts.unsubscribe()  # which ends the loop

    await ann.disconnect()
    await bob.disconnect()


if __name__ == "__main__":
    react(main, sys.argv[1:])
