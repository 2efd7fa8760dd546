"""Jobs in a queue: each is done by one worker, and none is lost when a worker fails.

python examples/work_queue.py [tcp:host:port | tls:host:port]
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater, react

from stomp_tx.client import Message, connect

JOBS = 5


async def main(reactor: IReactorTime, endpoint: str = "tcp:127.0.0.1:61613") -> None:
    producer = await connect(endpoint)
    for number in range(JOBS):
        # The broker's RECEIPT says that it has the job.
        await producer.send("/queue/jobs", f"job {number}", receipt=True)
    await producer.disconnect()

    done = []
    all_done: Deferred[None] = Deferred()

    async def work(message: Message) -> None:
        await deferLater(reactor, 0.01)  # work hard
        if message.text() == "job 3" and not message.redelivered:
            await message.nack()  # not today: the broker gives it to another worker, or later to this one
            print("refused", message.text())
            return
        await message.ack()
        print("did", message.text())
        done.append(message)
        if len(done) == JOBS:
            all_done.callback(None)

    # Two workers. Neither holds more than two jobs at a time: the broker keeps the rest for who is free.
    workers = [await connect(endpoint) for _ in range(2)]
    for worker in workers:
        await worker.subscribe("/queue/jobs", work, ack="client-individual", prefetch=2)
    await all_done
    for worker in workers:
        await worker.disconnect()


if __name__ == "__main__":
    react(main, sys.argv[1:])
