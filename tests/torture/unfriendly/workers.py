"""Workers: they take a message, send a result, then acknowledge (2)."""

from __future__ import annotations

from collections.abc import Callable

from tests.torture.unfriendly import frames
from tests.torture.unfriendly.case import Case
from tests.torture.unfriendly.client import Client, ack_of
from tests.torture.unfriendly.load import Load
from tests.torture.unfriendly.settings import HOSTILE

USER = HOSTILE[0]
JOBS = f"/queue/{USER}.jobs"
RESULTS = f"/queue/{USER}.results"
JOB = b"j" * 20_000
RESULT = b"r" * 10_000


class Workers(Case):
    """Base of those: each ACK makes more room than the result takes."""

    holds_others = True
    jobs = 150
    persistent = "false"
    in_transactions = False

    def run(self, load: Load) -> None:
        many = self.count(self.jobs)
        producers = load.connected([USER] * 3)
        for number in range(many):
            job = frames.send(JOBS, JOB, persistent=self.persistent, receipt=number)
            producers[number % 3].says(job)
        load.goes_on(1.0)  # the limit is reached, they wait
        self.workers = load.connected([USER] * 3)
        for worker in self.workers:
            worker.heard = self._works(worker)
            worker.says(frames.subscribe("w", JOBS, ack="client-individual", prefetch_count=10))
        [consumer] = load.connected([USER])
        consumer.says(frames.subscribe("c", RESULTS))
        try:
            load.until(lambda: self._done() >= many)
        finally:
            found = f"{self._done()} of {many}; {consumer.messages} results"
            self.claim("work done", self._done() >= many, found)

    def _done(self) -> int:
        return sum(len(worker.receipts) for worker in self.workers)

    def _works(self, worker: Client) -> Callable[[bytes], None]:
        def work(message: bytes) -> None:
            id = ack_of(message)
            if self.in_transactions:
                worker.says(
                    frames.begin(id),
                    frames.send(RESULTS, RESULT, persistent=self.persistent, transaction=id),
                    frames.ack(id, transaction=id),
                    frames.commit(id, receipt=id),
                )
            else:
                worker.says(
                    frames.send(RESULTS, RESULT, persistent=self.persistent), frames.ack(id, receipt=id)
                )

        return work


class Total(Workers):
    """three workers take, SEND a result, then ACK, when total_octets (1 MiB) is reached by what they take"""

    name = "2-total"
    assignments = ("engine_limits.total_octets=1MiB",)


class Stored(Workers):
    """the same with persistent messages, when stored_octets (1 MiB) is reached"""

    name = "2-stored"
    assignments = ("engine_limits.stored_octets=1MiB",)
    persistent = "true"


class Transactions(Workers):
    """the same with total_octets, and BEGIN and COMMIT around each"""

    name = "2-transactions"
    assignments = ("engine_limits.total_octets=1MiB",)
    in_transactions = True
