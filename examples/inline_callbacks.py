"""The same client without `async`: every operation is a Deferred, to be yielded as well as awaited.

python examples/inline_callbacks.py [tcp:host:port | tls:host:port]
"""

import sys
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import react

from stomp_tx.client import ConnectionLost, connect


@inlineCallbacks
def main(reactor: IReactorTime, endpoint: str = "tcp:127.0.0.1:61613") -> Generator[Deferred[Any], Any, None]:
    client = yield connect(endpoint, heart_beat_ms=(5000, 5000), connect_timeout=10)
    closed = client.when_closed()

    letters = yield client.subscribe("/queue/letters", ack="client")
    for text in ("dear", "sincerely"):
        yield client.send("/queue/letters", text, headers={"language": "en"}, receipt=True)

    while True:
        # It fails with SubscriptionEnded when no more come, with ConnectionLost when that is lost.
        letter = yield letters.next().addTimeout(10, reactor)
        print(letter.headers["language"], letter.text())
        if letter.text() == "sincerely":
            yield letter.ack(receipt=True)  # ack="client": this one and all before it
            break

    yield client.disconnect()
    reason = yield closed  # None: we wanted it so
    print("closed:", reason)

    try:
        yield client.send("/queue/letters", "too late")
    except ConnectionLost as error:
        print("not sent:", error)


if __name__ == "__main__":
    react(main, sys.argv[1:])
