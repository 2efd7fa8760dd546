"""An SQLiteEngine under a random life, against a simple account of what it owes.

Messages are appended, published, taken, settled, batched, expired; the disk is slow, full, and well again;
the process is killed or stopped, and begins anew.  Windows and pages are tiny: most is in the file.

What comes must be owed, in its order, and no more than was asked for; at each quiet moment the engine's books
must agree with a recount; after each end the file must hold what was safe, and nothing else.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.account import Owner
from stomp_tx.address import base_of
from stomp_tx.engine import waiting
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite import lane as stored
from stomp_tx.engine.sqlite import row_reads, row_writes
from stomp_tx.interfaces import IClaim, Safe
from stomp_tx.message import PERSISTENT, USUAL_PRIORITY, Batch, Keeping, Message, Outcome
from tests.broker.on_file import open_engine

A, B, D, TOPIC, DEAD = "/queue/a", "/queue/b", "/dsub/d", "/topic/t", "/queue/dead"
QUEUES = (A, B, D, DEAD)
LIMITS = {"window_length": 3, "window_octets": 10_000, "queue_length": 6}


class Owed:
    """What the account says of one message.

    status -- "pending": not safe yet; "waiting"; "taken"; "leaving": accepted, but that is not safe yet;
        "dropped": its queue is no more, but that is not safe yet; "gone"
    attempts -- as its next delivery must say; ``exactly`` or at least, and at most ``refused`` (or once)
    """

    def __init__(self, body: bytes, queue: str, keeping: Keeping | None, number: int) -> None:
        self.body = body
        self.queue = queue
        self.persistent = keeping is not None and keeping.persistent
        self.expires = 0 if keeping is None else keeping.expires
        self.priority = USUAL_PRIORITY if keeping is None else keeping.priority
        self.number = number  # its place among all
        self.status = "pending"
        self.attempts = 0
        self.exactly = True
        self.refused = 0
        self.buried = False  # it has expired
        self.arrived = 0  # in which step
        self.message: Message | None = None  # while it is taken

    def __repr__(self) -> str:
        kind = "persistent" if self.persistent else "not persistent"
        return f"<{self.body!r} in {self.queue}, {kind}, {self.status}, attempts {self.attempts}>"

    def comes_back(self) -> None:
        """It was refused, or to accept it has failed."""
        self.attempts += 1
        self.refused += 1
        self.status = "waiting"
        self.message = None

    def stays(self) -> None:
        """To bury it has failed: that may count as an attempt, or not."""
        if self.exactly:
            self.exactly = False
            self.refused = self.attempts
        self.refused += 1
        self.status = "waiting"


class Life:
    """An engine, and the account."""

    def __init__(self, path: str, overflow: str) -> None:
        self.path = path
        self.limits = EngineLimits(overflow=overflow, **LIMITS)
        self.owed: dict[tuple[str, bytes], Owed] = {}
        self.numbers = 0
        self.step = 0
        self.seconds = 1000.0
        self.bound = False
        self.binding_unsure = False
        self.full = self.held = False
        self.begins()

    def begins(self) -> None:
        self.clock = Clock()
        self.engine, self.disk = open_engine(self.path, self.clock, lambda: self.seconds, self.limits)
        self.has_failed = self.full
        self.disk.full, self.disk.held = self.full, self.held
        self.owners = [Owner("ann"), Owner("bob")]
        self.claims: dict[str, IClaim] = {}
        self.asked = dict.fromkeys(QUEUES, 0)
        self.auto = dict.fromkeys(QUEUES, False)
        self.batches: list[tuple[list[Owed], list[Owed]]] = []  # those that are not safe yet

    # -- the account --------------------------------------------------------------------------------------

    def new(self, queue: str, keeping: Keeping | None, body: bytes = b"") -> Owed:
        self.numbers += 1
        owed = Owed(body or b"%d" % self.numbers, queue, keeping, self.numbers)
        self.owed[queue, owed.body] = owed
        return owed

    def message(
        self, address: str, persistent: bool, expires: int, priority: int = USUAL_PRIORITY
    ) -> Message:
        owner = self.owners[self.numbers % 2]
        message = Message("id", address, address, {}, b"%d" % (self.numbers + 1), 100, owner)
        if expires or priority != USUAL_PRIORITY:
            message.keeping = Keeping(persistent, expires, priority=priority)
        elif persistent:
            message.keeping = PERSISTENT
        return message

    def those(self, queue: str | None, *status: str) -> list[Owed]:
        return [one for one in self.owed.values() if one.status in status and queue in (None, one.queue)]

    def when_safe(self, safe: Safe, done: Callable[[], None], failed: Callable[[], None]) -> None:
        def told(result: object) -> object:
            if isinstance(result, Failure):
                assert self.disk.full, result
                failed()
            else:
                done()
            return result

        if safe is None:
            done()
        else:
            safe.addBoth(told)

    def take(self, queue: str, message: Message) -> bool:
        """The taker."""
        self.asked[queue] -= 1
        assert self.asked[queue] >= 0, "more than was asked for"
        owed = self.owed.get((queue, message.body))
        assert owed is not None, f"{message} was never sent"
        if owed.status == "leaving":
            assert self.disk.full, f"{owed} comes again though it was accepted"
            owed.stays() if owed.buried else owed.comes_back()
        assert owed.status == "waiting", f"{owed} comes"
        before = [
            one
            for one in self.those(queue, "waiting")
            if one.persistent == owed.persistent
            and (-one.priority, one.number) < (-owed.priority, owed.number)
            # Who waits for messages gets those that arrive together in the order in which they were sent; and
            # one that does not persist needs not wait for what stands behind others that do.
            and (one.priority == owed.priority or (one.persistent and one.arrived < self.step))
        ]
        assert not before, f"{owed} comes before {before}"
        self.check_attempts(message, owed)
        if self.auto[queue]:
            owed.status = "leaving" if owed.persistent else "gone"
            return True
        owed.status, owed.message = "taken", message
        return False

    def check_attempts(self, message: Message, owed: Owed) -> None:
        if owed.exactly:
            assert message.attempts == owed.attempts, (message, owed)
        else:
            assert owed.attempts <= message.attempts <= max(1, owed.refused), (message, owed)
        owed.attempts, owed.exactly = message.attempts, True

    def browsed(self, queue: str) -> list[tuple[Message, Owed]]:
        """What waits, by the engine: what must be there is, and nothing else, each once, in its order."""
        found = []
        for page in self.engine.browse(queue):
            for message in page:
                owed = self.owed[queue, message.body]
                assert owed.status in ("waiting", "leaving"), f"{owed} is found waiting"
                found.append((message, owed))
        bodies = [message.body for message, _ in found]
        assert len(bodies) == len(set(bodies)), f"twice: {bodies}"
        if self.engine._page_reader.can_all_be_read:
            # (One that does not persist may be on its way to the file, for want of memory.)
            spilling = any(lane.spilling for lane in self.engine._lanes.values() if lane.queue.name == queue)
            missing = [
                one
                for one in self.those(queue, "waiting")
                if one.body not in bodies and (one.persistent or not spilling)
            ]
            assert not missing, f"{missing} are not found waiting"
        places = [(-owed.priority, message.position) for message, owed in found]
        assert places == sorted(places), f"out of order: {found}"
        return found

    # -- the steps ----------------------------------------------------------------------------------------

    def append(self, queue: str, persistent: bool, expires: int, priority: int = USUAL_PRIORITY) -> None:
        if queue == D:
            return self.publish(persistent, expires, priority)
        message = self.message(queue, persistent, expires, priority)
        self.appended([self.new(queue, message.keeping)], lambda: self.engine.append(message), persistent)

    def publish(self, persistent: bool, expires: int, priority: int = USUAL_PRIORITY) -> None:
        message = self.message(TOPIC, persistent, expires, priority)
        if self.bound:
            new = [self.new(D, message.keeping)]
            self.appended(new, lambda: self.engine.publish(message), persistent)
        else:
            self.numbers += 1
            self.engine.publish(message)

    def appended(self, new: list[Owed], append: Callable[[], Safe], persistent: bool) -> None:
        if not persistent:
            self.arrive(new)
            append()
        else:
            self.when_safe(append(), lambda: self.arrive(new), lambda: self.drop(new))

    def arrive(self, new: list[Owed]) -> None:
        for one in new:
            if one.status == "pending":
                one.status = "waiting"
                one.arrived = self.step

    def drop(self, new: list[Owed]) -> None:
        for one in new:
            one.status = "gone"

    def request(self, queue: str, count: int, auto: bool) -> None:
        if queue == D and not self.bound:
            return
        if queue not in self.claims:
            self.auto[queue] = auto
            self.claims[queue] = self.engine.consume(queue, lambda message: self.take(queue, message))
        self.asked[queue] = max(0, self.asked[queue] + count)
        self.claims[queue].request(count)

    def pick(self, queue: str, which: int) -> None:
        found = self.browsed(queue)
        if not found or queue not in self.claims:
            return
        message, owed = found[which % len(found)]
        picked = self.claims[queue].pick(message)
        if picked is None:
            assert message.is_persistent
        elif picked:
            assert owed.status == "waiting", f"{owed} is picked"
            self.check_attempts(message, owed)
            owed.status, owed.message = "taken", message
        else:
            assert owed.status == "leaving" or self.full, f"{owed} can't be picked"

    def withdraw(self, queue: str, which: int) -> None:
        found = self.browsed(queue)
        if not found:
            return
        message, owed = found[which % len(found)]
        leaving = [owed] if owed.status == "waiting" else []
        batch: tuple[list[Owed], list[Owed]] = [], [one for one in leaving if one.persistent]
        self.batches.append(batch)
        for one in leaving:
            one.status, one.buried = "leaving", True

        def done() -> None:
            self.batches.remove(batch)
            self.drop([one for one in leaving if one.status == "leaving"])

        def failed() -> None:
            self.batches.remove(batch)
            for one in leaving:
                if one.status == "leaving":
                    one.stays()

        self.when_safe(self.engine.withdraw(message), done, failed)

    def leave(self, queue: str) -> None:
        if queue in self.claims:
            self.asked[queue] = 0
            self.claims.pop(queue).stop()

    def settle(self, which: int, outcome: Outcome) -> None:
        taken = self.those(None, "taken")
        if taken:
            one = taken[which % len(taken)]
            stores = one.persistent and outcome is not Outcome.RELEASED
            self.settled([one], outcome, [], stores, lambda settled: self.engine.settle(*settled[0]))

    def commit(self, which: int, outcome: Outcome, appended: list[tuple[str, bool]]) -> None:
        taken = self.those(None, "taken")[which:][:3]
        messages, new = [], []
        for queue, persistent in appended:
            address = TOPIC if queue == D else queue
            message = self.message(address, persistent, 0)
            messages.append(message)
            if queue != D or self.bound:
                new.append(self.new(queue, message.keeping))
            else:
                self.numbers += 1
        stores = any(one.is_persistent for one in messages) or (
            outcome is not Outcome.RELEASED and any(one.persistent for one in taken)
        )
        self.settled(
            taken, outcome, new, stores, lambda settled: self.engine.commit(Batch(messages, settled))
        )

    def settled(
        self,
        taken: list[Owed],
        outcome: Outcome,
        new: list[Owed],
        stores: bool,
        tell: Callable[[list[tuple[Message, Outcome]]], Safe],
    ) -> None:
        told = []
        for one in taken:
            assert one.message is not None
            told.append((one.message, outcome))
            one.message = None
            if outcome is Outcome.ACCEPTED:
                one.status = "leaving"
            elif outcome is Outcome.REJECTED:
                one.comes_back()
            else:
                one.status = "waiting"
        leaving = taken if outcome is Outcome.ACCEPTED else []
        batch = [one for one in new if one.persistent], [one for one in leaving if one.persistent]
        if not stores:
            self.arrive(new)
        self.batches.append(batch)

        def done() -> None:
            self.batches.remove(batch)
            for one in new:
                if not one.persistent and one.status == "pending":
                    self.numbers += 1
                    one.number = self.numbers  # it gets its place now
            self.arrive(new)
            self.drop([one for one in leaving if one.status == "leaving"])

        def failed() -> None:
            self.batches.remove(batch)
            self.drop(new)
            for one in leaving:
                if one.status == "leaving":
                    one.comes_back()

        self.when_safe(tell(told), done, failed)

    def expire(self, seconds: float) -> None:
        self.seconds += seconds
        now = int(self.seconds * 1000)
        commit = self.engine.commit
        buried: list[tuple[list[Owed], list[Owed]]] = []

        def judge(message: Message) -> list[Message]:
            one = self.owed[base_of(message.address), message.body]
            assert one.status == "waiting", f"{one} expires"
            assert 0 < one.expires <= now, f"{one} expires too early"
            one.status, one.buried = "leaving", True
            letter = None
            if one.number % 2:
                letter = Message("id", DEAD, DEAD, {}, b"dead " + message.body, 100)
                letter.keeping = PERSISTENT if one.persistent else None
            new = [] if letter is None else [self.new(DEAD, letter.keeping, letter.body)]
            buried.append((new, [one]))
            if not one.persistent:
                self.arrive(new)
            return [] if letter is None else [letter]

        def committed(batch: Batch) -> Safe:
            if not buried:
                return commit(batch)  # (by a taker, meanwhile)
            new, leaving = buried.pop()
            kept = [one for one in new if one.persistent], [one for one in leaving if one.persistent]
            self.batches.append(kept)
            safe = commit(batch)

            def done() -> None:
                self.batches.remove(kept)
                self.arrive(new)
                self.drop([one for one in leaving if one.status == "leaving"])

            def failed() -> None:
                self.batches.remove(kept)
                self.drop(new)
                for one in leaving:
                    if one.status == "leaving":
                        one.stays()

            self.when_safe(safe, done, failed)
            return safe

        with mock.patch.object(self.engine, "commit", committed):
            self.engine.expire(now, judge)

    def bind(self) -> None:
        if self.bound:
            return
        self.bound = self.binding_unsure = True
        life = self.engine

        def failed() -> None:
            self.bound = False
            self.drop([one for one in self.those(D, "pending", "waiting", "leaving")])

        def done() -> None:
            self.binding_unsure = False

        self.when_safe(life.bind(D, TOPIC), done, failed)

    def unbind(self) -> None:
        if self.bound and not self.those(D, "taken"):
            self.leave(D)
            self.bound, self.binding_unsure = False, True
            for one in self.those(D, "pending", "waiting", "leaving"):
                one.status = "dropped" if one.persistent else "gone"
            self.engine.unbind(D)

    def disk_full(self) -> None:
        self.full = self.disk.full = not self.full
        self.has_failed = True

    def disk_held(self) -> None:
        self.held = not self.held
        if self.held:
            self.disk.held = True
        else:
            self.disk.goes_on()

    def disk_step(self) -> None:
        self.disk.step()

    def turn(self) -> None:
        self.clock.advance(0)

    def kill(self) -> None:
        self.engine._file.close()
        for one in self.those(None, "taken"):
            one.attempts, one.refused = max(1, one.attempts), max(1, one.refused)
        self.is_reopened(orderly=False)

    def stop(self) -> None:
        for queue in list(self.claims):
            self.leave(queue)
        self.held = False
        self.disk.goes_on()
        in_flight = self.those(None, "taken")
        for one in in_flight:
            one.attempts, one.refused = max(1, one.attempts), max(1, one.refused)
        stopped = self.engine.stop()
        self.clock.advance(0)
        assert stopped.called, "it does not stop"
        stopped.addErrback(lambda failure: failure.trap(AssertionError))
        self.is_reopened(orderly=not in_flight and not self.has_failed)

    # -- what must hold -----------------------------------------------------------------------------------

    def is_reopened(self, orderly: bool) -> None:
        """What was safe is there, and what was not is there as a whole or not at all."""
        batches = self.batches
        self.begins()
        self.batches = []
        there = self.in_the_file()
        for new, leaving in batches:
            states = {one.body in there[one.queue] for one in new if one.status != "dropped"} | {
                one.body not in there[one.queue] for one in leaving if one.status != "dropped"
            }
            assert len(states) < 2, f"half a batch: {new}, {leaving}"
        if self.binding_unsure:
            self.bound, self.binding_unsure = D in self.engine.bindings, False
        assert (D in self.engine.bindings) == self.bound
        for one in self.owed.values():
            is_there = one.body in there[one.queue]
            if one.status in ("waiting", "taken"):
                assert is_there == one.persistent, f"{one} is {'' if is_there else 'not '}there"
            elif one.status == "gone":
                assert not is_there, f"{one} is there again"
            else:
                assert one.persistent or not is_there
            if one.status == "leaving" and is_there and not one.buried:
                one.attempts, one.refused = max(1, one.attempts), max(1, one.refused)
            one.status = "waiting" if is_there else "gone"
            one.message = None
            if not orderly and one.exactly:
                one.exactly = False
                one.attempts = min(one.attempts, 1)
                one.refused = max(1, one.refused)
        sent = {(one.queue, one.body) for one in self.owed.values()}
        assert {(queue, body) for queue, bodies in there.items() for body in bodies} <= sent

    def in_the_file(self) -> dict[str, set[bytes]]:
        assert self.engine._file.reader is not None
        found: dict[str, set[bytes]] = {queue: set() for queue in QUEUES}
        for name, body in self.engine._file.reader.execute(
            "SELECT queue.name, message.body FROM message JOIN queue ON queue.number = message.queue"
        ):
            found[base_of(name)].add(body)
        return found

    def check_when_quiet(self) -> None:
        """Nothing is on its way to the disk: the books must agree."""
        if self.held or self.full:
            return
        self.turn()
        if self.has_failed:
            self.expire(0)  # what had failed is tried again
            self.turn()
        for one in self.those(None, "leaving", "dropped"):
            one.status = "gone"
        self.binding_unsure = False
        assert not self.those(None, "pending"), "a message is neither safe nor has it failed"
        engine: Any = self.engine
        memory = 0
        charged = [one.message for one in self.those(None, "taken") if one.message is not None]
        for lane in engine._lanes.values():
            here, queue = lane.waiting, lane.queue
            waiting = [*here.messages, *(here.tail if here.tail is not here.messages else ())]
            there = [message for message in waiting if message.position not in here.gone]
            left = [message.size for message in there]
            charged += there
            assert (len(here), here.octets) == (len(left), sum(left)), (lane.name, here.octets, left)
            if lane.name == queue.name:
                assert queue.depth()[0] == len(self.those(queue.name, "waiting")), queue.name
                self.browsed(queue.name)
            assert not (queue.demand and (left or lane.unloaded)), (
                f"{lane.name}: one waits, and one is wanted"
            )
            assert queue.has_more or (len(queue.lanes) == 1 and not lane.unloaded), queue.name
            memory += here.octets
        taken = [one.message.size for one in self.those(None, "taken") if one.message is not None]
        assert engine.octets == memory + sum(taken), (engine.octets, memory, taken)
        for owner in self.owners:
            theirs = [message.size for message in charged if message.owner is owner]
            assert owner.octets == sum(theirs), (owner, theirs)
        counted = engine._file.reader.execute(
            "SELECT queue, count(*), sum(size) FROM message WHERE queue NOT IN (SELECT number FROM doomed)"
            " GROUP BY queue"
        ).fetchall()
        said = [
            (lane.number, lane.length_stored, lane.octets_stored)
            for lane in engine._lanes.values()
            if lane.length_stored
        ]
        assert sorted(counted) == sorted(said), (counted, said)
        written = engine._file.reader.execute(
            "SELECT number, length, octets FROM queue WHERE length"
        ).fetchall()
        assert sorted(written) == sorted(said), (written, said)
        assert engine.stored_octets == sum(octets for _, _, octets in counted)

    def finish(self) -> None:
        """All is taken; nothing is left."""
        self.full = self.disk.full = self.held = False
        self.disk.goes_on()
        self.check_when_quiet()
        for queue in QUEUES:
            self.leave(queue)
        for one in self.those(None, "taken"):
            assert one.message is not None
            message, one.message = one.message, None
            one.status = "waiting"
            self.engine.settle(message, Outcome.RELEASED)
        for queue in QUEUES:
            self.request(queue, 1000, auto=True)
            for _ in range(30):
                self.turn()
            left = self.those(queue, "waiting", "pending")
            assert not left, f"{left} never came"
            self.leave(queue)
        self.unbind()
        for _ in range(30):
            self.turn()
        self.expire(100)
        self.turn()
        engine: Any = self.engine
        assert (engine.octets, engine.stored_octets, engine._lanes) == (0, 0, {})
        assert [owner.octets for owner in self.owners] == [0, 0]
        assert engine._file.reader is not None
        for table in ("message", "queue", "doomed"):
            assert engine._file.reader.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


queues = st.sampled_from([A, A, A, B, D])
expiries = st.sampled_from([0, 0, 0, 1_000_500, 1_001_500, 1_003_000])
outcomes = st.sampled_from([Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED, Outcome.RELEASED])
priorities = st.sampled_from([USUAL_PRIORITY, USUAL_PRIORITY, 0, 9])
appends = st.tuples(st.just("append"), queues, st.sampled_from([True, True, False]), expiries, priorities)
STEPS = st.one_of(
    appends,
    appends,
    appends,
    st.tuples(st.just("request"), st.sampled_from(QUEUES), st.integers(-2, 6), st.booleans()),
    st.tuples(st.just("request"), st.just(A), st.integers(1, 9), st.just(False)),
    st.tuples(st.just("settle"), st.integers(0, 9), outcomes),
    st.tuples(st.just("settle"), st.integers(0, 9), outcomes),
    st.tuples(
        st.just("commit"), st.integers(0, 9), outcomes, st.lists(st.tuples(queues, st.booleans()), max_size=3)
    ),
    st.tuples(st.just("pick"), queues, st.integers(0, 9)),
    st.tuples(st.just("withdraw"), queues, st.integers(0, 9)),
    st.tuples(st.just("leave"), st.sampled_from(QUEUES)),
    st.tuples(st.just("expire"), st.sampled_from([0.0, 0.5, 1.0])),
    st.tuples(
        st.sampled_from(
            ["turn", "turn", "turn", "disk_step", "disk_held", "disk_full", "bind", "unbind", "kill", "stop"]
        )
    ),
)


class ModelTests(SynchronousTestCase):
    def setUp(self) -> None:
        for module, name, value in (
            (row_reads, "PAGE", 4),
            (stored, "PAGE", 4),
            (stored, "LOW", 2),
            (stored, "AT_ONCE", 3),
            (waiting, "AT_ONCE", 3),
            (row_writes, "DOOMED", 3),
        ):
            self.patch(module, name, value)

    def lives(self, overflow: str, steps: list[tuple[Any, ...]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            life = Life(os.path.join(folder, "db"), overflow)
            try:
                for life.step, (name, *arguments) in enumerate(steps, 1):
                    getattr(life, name)(*arguments)
                    if name == "turn":
                        life.check_when_quiet()
                life.finish()
            finally:
                life.engine._file.close()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(["wait", "spill"]), st.lists(STEPS, min_size=10, max_size=60))
    def test_what_is_owed_comes_and_the_books_agree(
        self, overflow: str, steps: list[tuple[Any, ...]]
    ) -> None:
        self.lives(overflow, steps)
