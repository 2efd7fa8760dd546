"""A queue under random conversations: no message is lost, none is delivered twice at a time.

Clients send, subscribe, acknowledge, refuse, begin, commit, abort, stop reading, unsubscribe and hang up at
random.  After each step the broker's books must balance; at the end a last consumer must get exactly what
nobody acknowledged, in its order.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations.queue import Queue
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.wire.frame import Frame
from tests.conversation import Broker, Client

QUEUE = "/queue/a"
CLIENTS = 3


class Party:
    """A client, and what it believes of its own messages."""

    def __init__(self, broker: Broker, version: str) -> None:
        self.broker = broker
        self.version = version
        self.open()

    def open(self) -> None:
        self.client: Client = self.broker.connect(self.version)
        self.mode: str | None = None
        self.holding: list[Frame] = []
        self.in_transaction: list[Frame] | None = None
        self.unsent: list[bytes] = []
        self.paused = False

    def listen(self) -> list[bytes]:
        """Take what came; the bodies that ack mode auto made ours."""
        mine = []
        for frame in self.client.everything():
            assert frame.command == "MESSAGE", (frame, frame.body)
            if self.mode == "auto":
                mine.append(frame.body)
            else:
                self.holding.append(frame)
        return mine


class Model:
    def __init__(self, versions: list[str]) -> None:
        self.broker = Broker(nack_delay=0.1, prefetch=4)
        self.parties = [Party(self.broker, version) for version in versions]
        self.sent = 0
        self.owed: list[bytes] = []  # in the order in which they were enqueued

    def body(self) -> bytes:
        self.sent += 1
        return b"%d" % self.sent

    # -- the steps ----------------------------------------------------------------------------------------

    def send(self, party: Party) -> None:
        body = self.body()
        headers = {"destination": QUEUE}
        if party.in_transaction is not None:
            headers["transaction"] = "t"
            party.unsent.append(body)
        else:
            self.owed.append(body)
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
        covered = party.holding[first : index + 1]
        del party.holding[first : index + 1]
        more = {}
        if party.in_transaction is not None:
            more["transaction"] = "t"
            if not nack:
                party.in_transaction.extend(covered)
        elif not nack:
            for one in covered:
                self.owed.remove(one.body)
        party.client.acks(frame, "NACK" if nack else "ACK", **more)

    def begin(self, party: Party) -> None:
        if party.in_transaction is None:
            party.in_transaction = []
            party.client.says("BEGIN", transaction="t")

    def commit(self, party: Party) -> None:
        if party.in_transaction is not None:
            for frame in party.in_transaction:
                self.owed.remove(frame.body)
            self.owed.extend(party.unsent)
            party.in_transaction, party.unsent = None, []
            party.client.says("COMMIT", transaction="t")

    def abort(self, party: Party) -> None:
        if party.in_transaction is not None:
            party.client.says("ABORT", transaction="t")
            party.in_transaction, party.unsent = None, []
            # What it took is owed to the broker again, in the order it came in; simplest is to leave.
            self.hang_up(party)

    def unsubscribe(self, party: Party) -> None:
        if party.mode is not None and party.in_transaction is None:
            self.arrives()
            party.client.says("UNSUBSCRIBE", id="1")
            party.mode, party.holding = None, []

    def pause(self, party: Party) -> None:
        producer = party.client.transport.producer
        if party.paused:
            producer.resumeProducing()
        else:
            producer.pauseProducing()
        party.paused = not party.paused

    def hang_up(self, party: Party) -> None:
        self.arrives()
        party.client.hangs_up()
        party.open()

    def wait(self, seconds: float) -> None:
        self.broker.clock.advance(seconds)

    # -- what must hold -----------------------------------------------------------------------------------

    def listen(self) -> None:
        for party in self.parties:
            for body in party.listen():
                self.owed.remove(body)

    def check(self) -> None:
        self.listen()
        held = [frame.body for party in self.parties for frame in party.holding]
        assert len(held) == len(set(held)), "a message is in flight twice"
        assert set(held) <= set(self.owed), "a message came that was not owed"
        assert isinstance(self.broker.engine, MemoryEngine)
        account = self.broker.factory.broker.account
        assert sum(owner.octets for owner in account.owners) == account.octets, "the account is wrong"
        queue = self.broker.factory.registry.get(QUEUE)
        if queue is not None:
            assert isinstance(queue, Queue)
            ready = [one for one in queue.subscriptions if one.ready]
            asked = self.broker.engine._lanes[QUEUE].queue.demand
            assert asked == sum(one.credit for one in ready), "demand is not the credit there is"
            waiting = self.broker.engine._lanes[QUEUE].waiting.messages
            assert not (waiting and ready), "a message waits though somebody is ready"

    def arrives(self) -> None:
        """What is on its way comes: in mode auto, what a cut connection had not sent yet is lost."""
        self.broker.clock.pump([0.0] * 100)
        self.listen()

    def finish(self) -> None:
        for party in self.parties:
            self.arrives()
            party.client.hangs_up()
            self.listen()  # what it held may have gone to another
        self.broker.clock.advance(1000)
        assert self.broker.factory.sessions == {}
        last = self.broker.connect()
        last.subscribes(QUEUE)
        self.broker.clock.pump([0.0] * 100)  # a prefetch in each turn
        assert last.hears_bodies() == self.owed, "what is left is not what was not acknowledged"
        last.hangs_up()
        account = self.broker.factory.broker.account
        assert account.octets == 0
        assert not any(owner.octets for owner in account.owners)
        assert self.broker.engine._lanes == {}
        assert self.broker.clock.getDelayedCalls() == []


who = st.integers(0, CLIENTS - 1)
STEPS = st.one_of(
    st.tuples(st.just("send"), who),
    st.tuples(st.just("send"), who),
    st.tuples(st.just("send"), who),
    st.tuples(
        st.just("subscribe"), who, st.sampled_from(["auto", "client", "client-individual"]), st.integers(1, 3)
    ),
    st.tuples(st.just("answer"), who, st.booleans(), st.integers(0, 5)),
    st.tuples(st.just("answer"), who, st.just(False), st.integers(0, 5)),
    st.tuples(st.sampled_from(["begin", "commit", "abort", "unsubscribe", "pause", "hang_up"]), who),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.05, 0.2, 1.0])),
)


class ModelTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(st.sampled_from(["1.0", "1.1", "1.2"]), min_size=CLIENTS, max_size=CLIENTS),
        st.lists(STEPS, max_size=60),
    )
    def test_the_books_balance(self, versions: list[str], steps: list[tuple[object, ...]]) -> None:
        model = Model(versions)
        for name, *arguments in steps:
            if name != "wait":
                arguments[0] = model.parties[arguments[0]]  # type: ignore[call-overload,index]
            getattr(model, str(name))(*arguments)
            model.check()
        model.finish()
