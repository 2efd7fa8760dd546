"""The random conversations of test_model.py with a broker on a file: a slow disk, and an end at any moment.

What was sent and receipted is delivered, or waits; what was acknowledged and receipted does not come again;
what was neither may be there or not.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations.queue import Queue
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite import lane as stored
from stomp_tx.engine.sqlite import row_reads
from stomp_tx.wire.frame import Frame
from tests.broker.on_file import BrokerOnFile
from tests.conversation import Client

QUEUE = "/queue/a"
CLIENTS = 3


class Party:
    """A client, and what it believes of its own messages."""

    def __init__(self, model: Model, version: str) -> None:
        self.model = model
        self.version = version
        self.open()

    def open(self) -> None:
        self.client: Client = self.model.broker.connect(self.version)
        self.mode: str | None = None
        self.holding: list[Frame] = []
        self.transaction: tuple[list[bytes], list[bytes]] | None = None  # sent, acknowledged
        self.unsure: dict[str, tuple[list[bytes], list[bytes]]] = {}  # the same, by the receipt to come

    def listen(self) -> None:
        for frame in self.client.everything():
            if frame.command == "RECEIPT":
                sent, acknowledged = self.unsure.pop(frame.headers["receipt-id"])
                self.model.is_safe(sent, acknowledged)
            elif frame.command == "MESSAGE":
                self.model.came(frame)
                if self.mode == "auto":
                    self.model.unsure_gone.add(frame.body)
                else:
                    self.holding.append(frame)
            else:
                raise AssertionError((frame, frame.body))

    def leaves(self) -> None:
        """Its connection is gone: what was not receipted may be done or not."""
        for sent, acknowledged in self.unsure.values():
            self.model.unsure_there.update(sent)
            self.model.unsure_gone.update(acknowledged)


class Model:
    """there -- bodies that must come again, if nobody acknowledges them
    gone -- those that must not
    unsure_there, unsure_gone -- those that may (sent, or acknowledged, and not receipted)
    """

    def __init__(self, path: str, versions: list[str]) -> None:
        limits = EngineLimits(window_length=4)
        self.broker = BrokerOnFile(path, limits, nack_delay=0.1, attempts=0, prefetch=4)
        self.numbers = 0
        self.there: set[bytes] = set()
        self.gone: set[bytes] = set()
        self.unsure_there: set[bytes] = set()
        self.unsure_gone: set[bytes] = set()
        self.seen: set[bytes] = set()  # delivered in an earlier life, or in this one
        self.held = False
        self.parties = [Party(self, version) for version in versions]

    def is_safe(self, sent: list[bytes], acknowledged: list[bytes]) -> None:
        self.there.update(sent)
        self.there.difference_update(acknowledged)
        self.gone.update(acknowledged)

    def came(self, frame: Frame) -> None:
        assert frame.body not in self.gone, f"{frame.body!r} comes again though its ACK was receipted"
        again = frame.headers.get("redelivered") == "true"
        assert again or frame.body not in self.seen, f"{frame.body!r} comes again and does not say so"
        self.seen.add(frame.body)

    def receipt(self, party: Party, sent: list[bytes], acknowledged: list[bytes]) -> str:
        self.numbers += 1
        party.unsure[str(self.numbers)] = sent, acknowledged
        return str(self.numbers)

    # -- the steps ----------------------------------------------------------------------------------------

    def send(self, party: Party) -> None:
        self.numbers += 1
        body = b"%06d" % self.numbers
        headers = {"destination": QUEUE, "persistent": "true"}
        if party.transaction is not None:
            headers["transaction"] = "t"
            party.transaction[0].append(body)
        else:
            headers["receipt"] = self.receipt(party, [body], [])
        party.client.says("SEND", headers, body)

    def subscribe(self, party: Party, mode: str, credit: int) -> None:
        if party.mode is None:
            party.mode = mode
            party.client.subscribes(QUEUE, ack=mode, prefetch_count=str(credit))

    def answer(self, party: Party, nack: bool, which: int) -> None:
        if not party.holding or (nack and party.version == "1.0"):
            return
        index = which % len(party.holding)
        frame = party.holding[index]
        first = 0 if party.mode == "client" else index
        covered = [one.body for one in party.holding[first : index + 1]]
        del party.holding[first : index + 1]
        more = {}
        if party.transaction is not None:
            more["transaction"] = "t"
            if not nack:
                party.transaction[1].extend(covered)
        else:
            more["receipt"] = self.receipt(party, [], [] if nack else covered)
        party.client.acks(frame, "NACK" if nack else "ACK", **more)

    def begin(self, party: Party) -> None:
        if party.transaction is None:
            party.transaction = [], []
            party.client.says("BEGIN", transaction="t")

    def commit(self, party: Party) -> None:
        if party.transaction is not None:
            sent, acknowledged = party.transaction
            party.transaction = None
            receipt = self.receipt(party, sent, acknowledged)
            party.client.says("COMMIT", transaction="t", receipt=receipt)

    def abort(self, party: Party) -> None:
        if party.transaction is not None:
            party.client.says("ABORT", transaction="t")
            self.hang_up(party)

    def unsubscribe(self, party: Party) -> None:
        if party.mode is not None and party.transaction is None:
            party.client.says("UNSUBSCRIBE", id="1")
            party.listen()
            party.mode, party.holding = None, []

    def hang_up(self, party: Party) -> None:
        party.listen()
        party.leaves()
        party.client.hangs_up()
        party.open()

    def wait(self, seconds: float) -> None:
        self.broker.clock.advance(seconds)

    def disk_held(self) -> None:
        self.held = not self.held
        if self.held:
            self.broker.disk.held = True
        else:
            self.broker.disk.goes_on()

    def disk_step(self) -> None:
        self.broker.turn()
        self.broker.disk.step()

    def kill(self) -> None:
        for party in self.parties:
            party.listen()
            party.leaves()
        self.broker.dies()
        self.broker = self.broker.again()
        self.broker.disk.held = self.held
        for party in self.parties:
            party.open()

    # -- what must hold -----------------------------------------------------------------------------------

    def check(self) -> None:
        for party in self.parties:
            party.listen()
        held = [frame.body for party in self.parties for frame in party.holding]
        assert len(held) == len(set(held)), "a message is in flight twice"
        queue = self.broker.factory.registry.get(QUEUE)
        if queue is not None and queue.subscriptions:
            assert isinstance(queue, Queue)
            credit = sum(one.credit for one in queue.subscriptions if one.ready)
            found: Any = self.broker.engine._lanes[QUEUE]
            assert found.queue.demand == credit, "demand is not the credit there is"
            if not self.held:
                assert not (found.depth()[0] and credit), "a message waits though somebody is ready"

    def finish(self) -> None:
        self.held = False
        self.broker.disk.goes_on()
        for party in self.parties:
            party.listen()
            assert not party.unsure, "a receipt is owed"
            party.leaves()
            party.client.hangs_up()
            for other in self.parties:
                other.listen()  # what it held may have gone to another
        self.broker.clock.advance(1000)
        assert self.broker.factory.sessions == {}
        last = self.broker.connect()
        last.subscribes(QUEUE, ack="client", prefetch_count="0")
        frames = last.everything()
        for frame in frames:
            self.came(frame)
        bodies = [frame.body for frame in frames]
        assert len(bodies) == len(set(bodies)), "a message is there twice"
        missing = self.there - set(bodies) - self.unsure_gone
        assert not missing, f"{missing} are lost"
        odd = set(bodies) - self.there - self.unsure_there
        assert not odd, f"{odd} are there, and should not be"
        if frames:
            last.acks(frames[-1], receipt="all")
            last.hears("RECEIPT")
        last.hangs_up()
        self.broker.clock.advance(1000)
        engine: Any = self.broker.engine
        assert (engine.octets, engine.stored_octets, engine._lanes) == (0, 0, {})
        assert not any(owner.octets for owner in self.broker.factory.broker.account.owners)
        assert (self.broker.rows(), self.broker.rows("queue")) == (0, 0)


who = st.integers(0, CLIENTS - 1)
modes = st.sampled_from(["auto", "client", "client-individual"])
STEPS = st.one_of(
    st.tuples(st.just("send"), who),
    st.tuples(st.just("send"), who),
    st.tuples(st.just("subscribe"), who, modes, st.integers(1, 3)),
    st.tuples(st.just("subscribe"), who, modes, st.integers(1, 3)),
    st.tuples(st.just("answer"), who, st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("answer"), who, st.just(False), st.integers(0, 5)),
    st.tuples(st.just("answer"), who, st.just(False), st.just(0)),
    st.tuples(st.sampled_from(["begin", "commit", "abort", "unsubscribe", "hang_up"]), who),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.2, 1.0])),
    st.tuples(st.sampled_from(["disk_held", "disk_step", "disk_step", "kill"])),
)


class ModelTests(SynchronousTestCase):
    def setUp(self) -> None:
        for module, name, value in ((row_reads, "PAGE", 5), (stored, "PAGE", 5), (stored, "LOW", 2)):
            self.patch(module, name, value)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.sampled_from(["1.0", "1.1", "1.2"]), min_size=CLIENTS, max_size=CLIENTS),
        st.lists(STEPS, min_size=10, max_size=60),
    )
    def test_what_was_promised_is_kept(self, versions: list[str], steps: list[tuple[Any, ...]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            model = Model(os.path.join(folder, "db"), versions)
            try:
                for name, *arguments in steps:
                    if arguments and name != "wait":
                        arguments[0] = model.parties[arguments[0]]
                    getattr(model, name)(*arguments)
                    model.check()
                model.finish()
            finally:
                model.broker.dies()
