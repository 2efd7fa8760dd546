"""engine/sqlite/engine.py: the contract, and what a file adds to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite import lane as stored
from stomp_tx.engine.sqlite import row_reads, row_writes
from stomp_tx.engine.sqlite.engine import SQLiteEngine
from stomp_tx.errors import EngineError
from stomp_tx.interfaces import IEngine
from stomp_tx.message import Batch, Keeping, Message, Outcome
from tests.engine.contract import EngineContract, Taker


class HandWorker:
    """Runs what it is given when it is told to, in this thread; at once unless ``holds``."""

    def __init__(self) -> None:
        self.holds = False
        self.work: list[tuple[Callable[[], Any], Callable[[bool, Any], None]]] = []

    def run(self, work: Callable[[], Any], done: Callable[[bool, Any], None]) -> None:
        self.work.append((work, done))
        if not self.holds:
            self.goes_on()

    def goes_on(self) -> None:
        self.holds = False
        while self.work:
            work, done = self.work.pop(0)
            try:
                result = work()
            except BaseException:
                done(False, Failure())
            else:
                done(True, result)

    def stop(self) -> None:
        pass


class SQLiteEngineTests(EngineContract, SynchronousTestCase):
    """The contract, with messages that do not persist."""

    def make_engine(self) -> IEngine:
        limits = replace(self.limits or EngineLimits(), reserve_octets=0)
        engine = SQLiteEngine(self.mktemp(), self.clock, HandWorker(), limits, self.now)
        self.addCleanup(engine._file.close)
        return engine

    def settled(self, safe: Deferred[None] | None) -> None:
        self.clock.advance(0)
        if safe is not None:
            self.successResultOf(safe)


class PersistentSQLiteEngineTests(SQLiteEngineTests):
    """The same with messages that do."""

    def message(self, body: str, address: str = "/queue/a", **keeping: Any) -> Message:
        return super().message(body, address, **{"persistent": True, **keeping})


class Files(SynchronousTestCase):
    """Engines on one file, one after the other."""

    seconds = 1000.0

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.numbers = 0
        self.open()

    def open(self, **limits: Any) -> SQLiteEngine:
        limits.setdefault("reserve_octets", 0)  # the folders of tests are kept
        self.clock = Clock()
        self.worker = HandWorker()
        self.engine = SQLiteEngine(
            self.path, self.clock, self.worker, EngineLimits(**limits), lambda: self.seconds
        )
        self.engine.start()
        self.addCleanup(self.dies)
        return self.engine

    def dies(self) -> None:
        """As by kill -9: what is on the disk is all that is left."""
        self.engine._file.close()

    def reopens(self, **limits: Any) -> SQLiteEngine:
        self.dies()
        return self.open(**limits)

    def stops(self) -> None:
        stopped = self.engine.stop()
        self.turn()
        self.successResultOf(stopped)

    def turn(self) -> None:
        """Let happen what is to happen."""
        for _ in range(5):
            self.clock.advance(0)

    def message(
        self, body: str, address: str = "/queue/a", persistent: bool = True, **keeping: Any
    ) -> Message:
        self.numbers += 1
        message = Message(f"m-{self.numbers}", address, address, {"x": "1"}, body.encode(), 100)
        message.keeping = Keeping(persistent, **keeping) if persistent or keeping else None
        return message

    def append(self, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.engine.append(self.message(body, **more))
        self.turn()

    def taker(self, count: int = 1000, queue: str = "/queue/a", done: bool = False) -> Taker:
        taker = Taker(self.engine, queue, done)
        taker.claim.request(count)
        self.turn()
        return taker

    def left(self, queue: str = "/queue/a") -> list[tuple[str, int]]:
        """Bodies and attempts of what is in the file."""
        self.dies()
        self.open()
        return [(message.body.decode(), message.attempts) for message in self.taker(queue=queue).got]


class RestartTests(Files):
    def test_persistent_messages_are_there_in_their_order_and_others_are_not(self) -> None:
        self.append("1", "2")
        self.append("x", persistent=False)
        self.append("3")
        self.append("b", address="/queue/b")
        self.reopens()
        self.assertEqual(self.taker().bodies(), [b"1", b"2", b"3"])
        got = self.taker(queue="/queue/b").got[0]
        self.assertEqual((got.id, got.destination, got.headers), ("m-5", "/queue/b", {"x": "1"}))
        self.assertTrue(got.is_persistent)

    def test_octets_and_names_of_every_kind_come_back(self) -> None:
        message = self.message("")
        message.headers = {"": "", "a:b\n": "\\\r\u20ac", "n": " v "}
        message.body = bytes(range(256))
        self.engine.append(message)
        self.turn()
        self.reopens()
        got = self.taker().got[0]
        self.assertEqual((list(got.headers.items()), got.body), (list(message.headers.items()), message.body))

    def test_what_was_accepted_is_gone_and_counts_are_kept(self) -> None:
        self.append("1", "2", "3")
        taker = self.taker(3)
        self.engine.settle(taker.got[0], Outcome.ACCEPTED)
        self.engine.settle(taker.got[1], Outcome.REJECTED)
        taker.claim.request(1)
        self.engine.settle(taker.got[3], Outcome.REJECTED)
        self.turn()
        self.assertEqual(self.left(), [("2", 2), ("3", 1)])

    def test_what_was_handed_out_when_the_process_died_has_an_attempt_more(self) -> None:
        self.append("1", "2", "3")
        self.taker(2)
        self.assertEqual(self.left()[:2], [("1", 1), ("2", 1)])

    def test_what_was_handed_out_as_it_came_too(self) -> None:
        self.taker(2)
        self.append("1", "2", "3")
        self.assertEqual(self.left(), [("1", 1), ("2", 1), ("3", 1)])  # the last one might have been

    def test_what_nobody_was_given_has_none(self) -> None:
        self.append("1", "2")
        self.assertEqual(self.left(), [("1", 0), ("2", 0)])

    def test_after_an_orderly_stop_counts_are_exact(self) -> None:
        taker = self.taker(2)
        self.append("1", "2", "3")
        self.engine.settle(taker.got[0], Outcome.RELEASED)
        self.engine.settle(taker.got[1], Outcome.REJECTED)
        taker.claim.stop()
        self.stops()
        self.open()
        self.assertEqual([(m.body, m.attempts) for m in self.taker().got], [(b"1", 0), (b"2", 1), (b"3", 0)])

    def test_bindings_and_what_waits_there(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t")
        self.engine.publish(self.message("1", "/topic/t"))
        self.engine.publish(self.message("2", "/topic/t", persistent=False))
        self.turn()
        self.reopens()
        self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t"})
        self.engine.publish(self.message("3", "/topic/t"))
        self.turn()
        self.assertEqual(self.taker(queue="/dsub/a").bodies(), [b"1", b"3"])

    def test_unbound_queues_stay_so_and_their_rows_go_bit_by_bit(self) -> None:
        self.patch(row_writes, "DOOMED", 3)
        self.engine.bind("/dsub/a", "/topic/t")
        for number in range(10):
            self.engine.publish(self.message(str(number), "/topic/t"))
        self.turn()
        self.engine.unbind("/dsub/a")
        self.engine.bind("/dsub/a", "/topic/t")
        self.engine.publish(self.message("new", "/topic/t"))
        for _ in range(10):
            self.turn()
        (count,) = self.engine._file.reader.execute("SELECT count(*) FROM message").fetchone()  # type: ignore[union-attr]
        self.assertEqual(count, 1)
        self.assertEqual(self.left("/dsub/a"), [("new", 0)])

    def selects(self) -> None:
        """A selector is a text; who has it in their body is wanted."""
        self.engine.select(lambda queue, text: lambda message: text.encode() in message.body)

    def publish(self, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.engine.publish(self.message(body, "/topic/t", **more))
        self.turn()

    def kept(self) -> list[bytes]:
        return [message.body for page in self.engine.browse("/dsub/a") for message in page]

    def selector_rows(self) -> list[tuple[str, str, int]]:
        reader = self.engine._file.reader
        assert reader is not None
        return reader.execute(
            "SELECT name, text, unsifted FROM selector LEFT JOIN queue ON queue = number ORDER BY name"
        ).fetchall()

    def test_selectors_and_what_is_to_be_sifted(self) -> None:
        for queue, *texts in (("/dsub/a", "x"), ("/dsub/b", ""), ("/dsub/c", "x", "y"), ("/dsub/d",)):
            self.engine.bind(queue, "/topic/t")
            for text in texts:
                self.engine.bind(queue, "/topic/t", text)
                self.turn()
        for selects_first in (False, True):
            self.turn()
            self.reopens()
            self.assertEqual(self.engine.selectors, {"/dsub/a": "x", "/dsub/b": "", "/dsub/c": "y"})
            self.assertEqual(self.engine.unsifted, {"/dsub/c": None})
            if selects_first:
                self.selects()
                self.publish("1", "2x")
        self.assertEqual(self.kept(), [b"2x"])
        self.engine.sifted("/dsub/c")
        self.turn()
        self.reopens()
        self.assertEqual(self.engine.unsifted, {})
        for queue in "abcd":
            self.engine.unbind(f"/dsub/{queue}")
        self.turn()
        self.assertEqual(self.selector_rows(), [])

    def test_until_a_change_is_safe_it_keeps_what_either_wants(self) -> None:
        self.selects()
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.turn()
        self.worker.holds = True
        safe = self.engine.bind("/dsub/a", "/topic/t", "y")
        self.assertIs(self.engine.bind("/dsub/a", "/topic/t", "y"), safe)
        self.publish("1x", "2y", "3z")
        self.publish("4x", "5y", "6z", persistent=False)
        self.worker.goes_on()
        self.turn()
        self.publish("7x", "8y")
        self.assertEqual(self.kept(), [b"1x", b"2y", b"4x", b"5y", b"8y"])

    def test_it_is_unsifted_when_a_change_is_safe_and_no_sooner(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.turn()
        for text in ("y", "z"):
            self.worker.holds = True
            self.engine.bind("/dsub/a", "/topic/t", text)
            self.assertEqual(self.engine.unsifted, {})
            self.turn()
            self.assertEqual(self.engine.unsifted, {})
            self.worker.goes_on()
            self.turn()
            self.assertEqual(self.engine.unsifted, {"/dsub/a": None})
            self.assertEqual(self.selector_rows(), [("/dsub/a", text, 1)])

    def test_a_change_that_could_not_be_written_is_none_and_nothing_is_missing(self) -> None:
        self.selects()
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.turn()
        for text in ("y", ""):
            writer, self.engine._file.writer = self.engine._file.writer, sqlite3.connect(":memory:")
            self.engine.bind("/dsub/a", "/topic/t", text)
            self.publish("1x", "2y", persistent=False)
            self.engine._file.writer.close()  # type: ignore[union-attr]
            self.engine._file.writer = writer
            self.assertEqual((self.engine.selectors, self.engine.unsifted), ({"/dsub/a": "x"}, {}), text)
            self.publish("3x", "4y")
            self.assertEqual(self.kept()[0], b"1x")
            self.assertEqual(self.kept()[-1], b"3x")
            self.assertEqual(self.selector_rows(), [("/dsub/a", "x", 0)])
            self.taker(queue="/dsub/a", done=True).claim.stop()

    def test_a_second_change_is_refused_while_one_is_on_its_way(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.assertRaises(EngineError, self.engine.bind, "/dsub/a", "/topic/t", "y")
        self.turn()
        self.engine.bind("/dsub/a", "/topic/t", "y")
        self.assertRaises(EngineError, self.engine.bind, "/dsub/a", "/topic/t", "x")
        self.turn()
        self.assertEqual(self.selector_rows(), [("/dsub/a", "y", 1)])

    def test_a_change_before_the_mark_that_it_was_sifted_could_be_written(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.turn()
        self.engine.bind("/dsub/a", "/topic/t", "y")
        self.turn()
        self.worker.holds = True
        self.engine.sifted("/dsub/a")
        self.turn()  # it is being written
        self.engine.bind("/dsub/a", "/topic/t", "z")
        work, self.worker.work = self.worker.work, []
        for _, done in work:
            done(False, Failure(sqlite3.OperationalError("disk is full")))
        self.clock.advance(0)
        work, self.worker.work = self.worker.work, []
        for _, done in work:
            done(False, Failure(sqlite3.OperationalError("disk is full")))
        self.assertEqual((self.engine.selectors, self.engine.unsifted), ({"/dsub/a": "y"}, {"/dsub/a": None}))
        self.assertEqual(self.selector_rows(), [("/dsub/a", "y", 1)])

    def test_unbound_before_it_was_written_nothing_is_left(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.engine.unbind("/dsub/a")
        self.engine.bind("/dsub/a", "/topic/t", "y")
        self.turn()
        self.engine.bind("/dsub/a", "/topic/t", "z")
        self.engine.unbind("/dsub/a")
        self.engine.bind("/dsub/b", "/topic/t", "b")
        self.turn()
        self.assertEqual(self.selector_rows(), [("/dsub/b", "b", 0)])
        self.reopens()
        self.assertEqual(self.engine.selectors, {"/dsub/b": "b"})

    def test_what_could_not_be_marked_as_sifted_is_not(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.turn()
        self.engine.bind("/dsub/a", "/topic/t", "y")
        self.turn()
        writer, self.engine._file.writer = self.engine._file.writer, sqlite3.connect(":memory:")
        self.engine.sifted("/dsub/a")
        self.assertEqual(self.engine.unsifted, {})
        self.turn()
        self.engine._file.writer.close()  # type: ignore[union-attr]
        self.engine._file.writer = writer
        self.assertEqual(self.engine.unsifted, {"/dsub/a": None})

    def test_what_no_queue_wants_takes_no_commit(self) -> None:
        self.selects()
        self.engine.bind("/dsub/a", "/topic/t", "x")
        self.turn()
        self.worker.holds = True
        heard: list[bytes] = []
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        self.assertIsNone(self.engine.publish(self.message("1", "/topic/t")))
        self.assertEqual((heard, self.worker.work), ([b"1"], []))
        self.publish("2x", "3")
        self.assertEqual(heard, [b"1"], "3 comes after 2")
        self.worker.goes_on()
        self.turn()
        self.assertEqual(heard, [b"1", b"2x", b"3"])

    def test_names_of_persistent_messages_are_remembered(self) -> None:
        self.append("1", dedupe="x")
        self.append("2", dedupe="y", persistent=False)
        self.reopens()
        self.append("3", dedupe="x")
        self.append("4", dedupe="y")
        self.assertEqual(self.taker().bodies(), [b"1", b"4"])
        self.clock.advance(602)
        self.engine.expire(int(self.seconds * 1000), lambda message: [])
        self.turn()
        (count,) = self.engine._file.reader.execute("SELECT count(*) FROM seen").fetchone()  # type: ignore[union-attr]
        self.assertEqual(count, 0)

    def test_names_that_nobody_uses_leave_nothing(self) -> None:
        for number in range(20):
            self.append("x", address=f"/queue/{number}")
            taker = self.taker(queue=f"/queue/{number}", done=True)
            taker.claim.stop()
            self.turn()
        self.assertEqual(self.engine._lanes, {})
        (count,) = self.engine._file.reader.execute("SELECT count(*) FROM queue").fetchone()  # type: ignore[union-attr]
        self.assertEqual(count, 0)
        self.assertEqual(self.engine.stored_octets, 0)


class CommitTests(Files):
    """Nothing is seen before it is safe, and what happens meanwhile goes together."""

    def test_a_message_is_handed_out_when_it_is_safe(self) -> None:
        taker = self.taker()
        self.worker.holds = True
        safe = self.engine.append(self.message("1"))
        self.turn()
        assert safe is not None
        self.assertNoResult(safe)
        self.assertEqual(taker.got, [])
        self.worker.goes_on()
        self.successResultOf(safe)
        self.assertEqual(taker.bodies(), [b"1"])

    def test_one_turn_is_one_commit_and_what_comes_meanwhile_is_the_next(self) -> None:
        self.worker.holds = True
        first = [self.engine.append(self.message(str(number))) for number in range(3)]
        self.turn()
        second = [self.engine.append(self.message(str(number))) for number in range(3, 6)]
        self.turn()
        self.assertEqual((len(set(map(id, first))), len(set(map(id, second)))), (1, 1))
        self.assertEqual(len(self.worker.work), 1)
        self.worker.goes_on()
        self.assertEqual(self.taker().bodies(), [b"0", b"1", b"2", b"3", b"4", b"5"])

    def test_what_is_not_safe_yet_may_be_the_first_to_expire(self) -> None:
        self.worker.holds = True
        self.engine.append(self.message("1", expires=7000))
        self.turn()  # it is being written
        self.engine.append(self.message("2", expires=5000))
        self.engine.append(self.message("3"))
        self.assertEqual(self.engine.next_expiry("/queue/a"), 5000)
        self.worker.goes_on()
        self.turn()
        self.assertEqual(self.engine.next_expiry("/queue/a"), 5000)
        self.seconds = 6.0
        self.engine.expire(6000, lambda message: [])
        self.turn()
        self.assertEqual(self.engine.next_expiry("/queue/a"), 7000)

    def test_a_batch_is_seen_as_a_whole(self) -> None:
        self.append("1")
        taker = self.taker()
        other = self.taker(queue="/queue/b")
        self.worker.holds = True
        self.engine.commit(
            Batch(
                [self.message("2"), self.message("b", "/queue/b", persistent=False)],
                [(taker.got[0], Outcome.ACCEPTED)],
            )
        )
        self.turn()
        self.assertEqual((taker.bodies(), other.got), ([b"1"], []))
        self.worker.goes_on()
        self.assertEqual((taker.bodies(), other.bodies()), ([b"1", b"2"], [b"b"]))

    def test_what_does_not_persist_never_touches_the_disk(self) -> None:
        self.worker.run = lambda work, done: self.fail("written")  # type: ignore[method-assign]
        self.append("1", "2", persistent=False)
        taker = self.taker()
        self.engine.settle(taker.got[0], Outcome.ACCEPTED)
        self.assertIsNone(
            self.engine.commit(
                Batch([self.message("3", persistent=False)], [(taker.got[1], Outcome.REJECTED)])
            )
        )
        self.engine.publish(self.message("t", "/topic/t", persistent=False))
        self.assertIsNone(self.engine.publish(self.message("t", "/topic/t")))  # nobody is bound to it
        self.turn()

    def test_producers_wait_while_too_much_is_on_its_way(self) -> None:
        self.reopens(unsafe_octets=10_000)
        self.worker.holds = True
        for number in range(20):
            self.engine.append(self.message(str(number)))
        self.turn()
        waits = self.engine.caught_up()
        assert waits is not None
        self.assertNoResult(waits)
        self.worker.goes_on()
        self.successResultOf(waits)
        self.assertIsNone(self.engine.caught_up())

    def test_a_second_one_of_a_name_is_safe_when_the_first_is(self) -> None:
        self.worker.holds = True
        self.engine.append(self.message("1", dedupe="x"))
        self.turn()
        safe = self.engine.append(self.message("2", dedupe="x"))
        assert safe is not None
        self.assertNoResult(safe)
        self.worker.goes_on()
        self.successResultOf(safe)


class PagingTests(Files):
    """Of a long queue only a window is in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(row_reads, "PAGE", 10)
        self.patch(stored, "PAGE", 10)
        self.patch(stored, "LOW", 5)
        self.reopens(window_length=20)

    def test_the_rest_is_in_the_file_and_comes_in_order(self) -> None:
        self.append(*map(str, range(100)))
        queue = self.engine._lanes["/queue/a"]
        self.assertEqual((len(queue.waiting), queue.unloaded, queue.depth()[0]), (20, 80, 100))
        self.assertLess(self.engine.octets, 21 * 1100)
        taker = self.taker(0, done=True)
        for _ in range(20):
            taker.claim.request(6)
            self.turn()
            self.assertLess(len(queue.waiting), 25)
        self.assertEqual(taker.bodies(), [b"%d" % number for number in range(100)])
        self.assertEqual((self.engine.octets, queue.unloaded), (0, 0))
        self.append("new")
        self.assertEqual(taker.bodies()[-1], b"new")

    def test_what_arrives_while_it_drains_keeps_its_place(self) -> None:
        self.append(*map(str, range(30)))
        taker = self.taker(0)
        sent = 30
        for _ in range(15):
            taker.claim.request(7)
            self.append(*map(str, range(sent, sent + 4)))
            sent += 4
        taker.claim.request(1000)
        self.turn()
        self.assertEqual(taker.bodies(), [b"%d" % number for number in range(sent)])

    def test_those_that_do_not_persist_are_among_the_others(self) -> None:
        for number in range(60):
            self.append(str(number), persistent=number % 3 != 0)
        taker = self.taker(done=True)
        self.assertEqual(taker.bodies(), [b"%d" % number for number in range(60)])
        self.assertEqual(self.engine.octets, 0)

    def test_what_was_refused_comes_before_what_is_in_the_file(self) -> None:
        self.append(*map(str, range(50)))
        taker = self.taker(20)
        for message in taker.got[:20]:
            self.engine.settle(message, Outcome.REJECTED)
        taker.got = []
        taker.claim.request(1000)
        self.turn()
        self.assertEqual(taker.bodies(), [b"%d" % number for number in range(50)])
        self.assertEqual([m.attempts for m in taker.got], [1] * 20 + [0] * 30)

    def test_they_expire_in_the_file(self) -> None:
        for number in range(60):
            self.append(str(number), expires=10 if number % 2 else 0)
        judged: list[bytes] = []

        def judge(message: Message) -> list[Message]:
            judged.append(message.body)
            return []

        for _ in range(10):
            self.engine.expire(10, judge)
            self.turn()
        self.assertEqual(sorted(map(int, judged)), list(range(1, 60, 2)))
        self.assertEqual(self.taker(done=True).bodies(), [b"%d" % number for number in range(0, 60, 2)])
        self.assertEqual((self.engine.octets, self.engine.stored_octets), (0, 0))

    def test_after_a_restart_nothing_is_in_memory_until_it_is_asked_for(self) -> None:
        self.append(*map(str, range(100)))
        self.reopens(window_length=20)
        self.assertEqual(self.engine.octets, 0)
        self.append("100")
        self.assertEqual(self.taker(done=True).bodies(), [b"%d" % number for number in range(101)])

    def test_of_a_page_that_was_read_only_what_may_have_gone_out_is_marked(self) -> None:
        self.append(*map(str, range(100)))
        self.taker(15)
        attempts = [attempts for _, attempts in self.left()]
        self.assertEqual(attempts[:15], [1] * 15)
        self.assertEqual(attempts[40:], [0] * 60)

    def test_overflow_spills_into_the_file_and_is_gone_after_a_restart(self) -> None:
        self.reopens(queue_length=30, overflow="spill", window_length=20)
        self.append(*map(str, range(100)), persistent=False)
        queue = self.engine._lanes["/queue/a"]
        self.assertLess(len(queue.waiting), 40)
        self.assertIsNone(self.engine.room("/queue/a", self.message("x")))
        taker = self.taker(50)
        self.assertEqual(taker.bodies(), [b"%d" % number for number in range(50)])
        self.assertEqual(self.left(), [])
        self.assertEqual(self.engine.stored_octets, 0)

    def test_and_all_of_it_comes_in_order(self) -> None:
        self.reopens(queue_length=30, overflow="spill", window_length=20)
        for number in range(100):
            self.append(str(number), persistent=number % 5 == 0)
        self.assertEqual(self.taker(done=True).bodies(), [b"%d" % number for number in range(100)])
        self.assertEqual((self.engine.octets, self.engine.stored_octets), (0, 0))

    def test_the_file_has_a_limit_too(self) -> None:
        self.reopens(stored_octets=3000)
        self.append(*map(str, range(40)))
        room = self.engine.room("/queue/a", self.message("x"))
        assert room is not None
        self.assertNoResult(room)
        taker = self.taker(20, done=True)
        self.turn()
        self.successResultOf(room)
        taker.claim.stop()


class FailureTests(Files):
    """What could not be made safe did not happen, and the rest goes on."""

    def fails(self) -> None:
        """From now on nothing can be written."""

        def write(connection: object, changes: object) -> bool:
            raise sqlite3.OperationalError("database or disk is full")

        self.patched = self.patch(row_writes, "write", write)

    def recovers(self) -> None:
        self.patched.restore()

    def failure(self, safe: Deferred[None] | None) -> EngineError:
        assert safe is not None
        found: list[Failure] = []

        def failed(failure: Failure) -> Failure:
            found.append(failure)
            return failure

        safe.addErrback(failed)
        self.turn()
        assert isinstance(found[0].value, EngineError)
        return found[0].value

    def test_a_send_fails_with_words_and_is_not_there(self) -> None:
        taker = self.taker()
        self.fails()
        error = self.failure(self.engine.append(self.message("1", dedupe="x")))
        self.assertIn("full", error.summary)
        self.assertIn("make room", error.detail)
        self.assertEqual(taker.got, [])
        self.recovers()
        self.append("2", dedupe="x")
        self.assertEqual(taker.bodies(), [b"2"])
        self.assertEqual(self.left(), [("2", 1)])

    def test_everybody_in_the_group_is_told(self) -> None:
        self.fails()
        heard: list[object] = []
        for _ in range(3):
            safe = self.engine.append(self.message("1"))
            assert safe is not None
            safe.addErrback(lambda failure: heard.append(failure) or failure)  # type: ignore[func-returns-value]
        self.turn()
        self.assertEqual([type(one) for one in heard], [Failure] * 3)

    def test_what_was_acknowledged_comes_again(self) -> None:
        self.append("1", "2")
        taker = self.taker(1)
        self.fails()
        self.failure(self.engine.settle(taker.got[0], Outcome.ACCEPTED))
        self.recovers()
        taker.claim.request(10)
        self.turn()
        self.assertEqual([(m.body, m.attempts) for m in taker.got], [(b"1", 0), (b"1", 1), (b"2", 0)])
        for message in taker.got[1:]:
            self.engine.settle(message, Outcome.ACCEPTED)
        self.turn()
        self.assertEqual(self.engine.octets, 0)
        self.assertEqual(self.left(), [])

    def test_what_was_taken_out_is_there_again_with_its_body(self) -> None:
        for limits in ({}, {"window_length": 1}):
            self.reopens(**limits)
            self.append("1", "2", "3", address="/queue/x")
            last = next(reversed([one for page in self.engine.browse("/queue/x") for one in page]))
            for withdraw in (
                lambda stub: self.engine.withdraw(stub),
                lambda stub: self.engine.commit(Batch(withdrawn=[stub])),
            ):
                self.fails()
                self.failure(withdraw(last.without_body()))
                self.recovers()
            found = [one for page in self.engine.browse("/queue/x") for one in page]
            self.assertEqual([(one.body, one.headers) for one in found][-1], (b"3", {"x": "1"}))

    def test_a_batch_fails_as_a_whole(self) -> None:
        self.append("1")
        self.append("n", persistent=False, address="/queue/n")
        taker, other = self.taker(), self.taker(queue="/queue/n")
        self.fails()
        settled = [(taker.got[0], Outcome.ACCEPTED), (other.got[0], Outcome.ACCEPTED)]
        appended = [self.message("2"), self.message("3", persistent=False)]
        self.failure(self.engine.commit(Batch(appended, settled)))
        self.recovers()
        taker.claim.request(10)
        self.turn()
        self.assertEqual((taker.bodies(), other.bodies()), ([b"1", b"1"], [b"n", b"n"]))

    def test_messages_that_do_not_persist_go_on(self) -> None:
        taker = self.taker(done=True)
        self.fails()
        self.failure(self.engine.append(self.message("1")))
        self.append("2", persistent=False)
        self.assertEqual(taker.bodies(), [b"2"])

    def test_a_binding_that_could_not_be_written_is_none(self) -> None:
        self.fails()
        self.failure(self.engine.bind("/dsub/a", "/topic/t"))
        self.assertEqual(self.engine.bindings, {})
        self.recovers()
        self.engine.bind("/dsub/a", "/topic/t")
        self.turn()
        self.reopens()
        self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t"})

    def test_who_binds_the_same_again_waits_for_the_first(self) -> None:
        self.worker.holds = True
        first = self.engine.bind("/dsub/a", "/topic/t")
        self.turn()
        again = self.engine.bind("/dsub/a", "/topic/t")
        assert first is not None and again is not None
        self.assertNoResult(again)
        self.worker.goes_on()
        self.successResultOf(again)
        self.assertIsNone(self.engine.bind("/dsub/a", "/topic/t"))

    def test_a_queue_that_could_not_be_forgotten_is_in_the_end(self) -> None:
        self.append("1")
        taker = self.taker(done=True)
        taker.claim.stop()
        self.fails()
        self.turn()
        self.append("x", persistent=False)
        self.recovers()
        self.append("2")
        self.append("3")
        self.assertEqual(self.left(), [("2", 0), ("3", 0)])

    def test_what_could_not_expire_in_the_file_stays(self) -> None:
        self.patch(stored, "LOW", 5)
        self.reopens(window_length=2)
        for number in range(10):
            self.append(str(number), expires=10)
        self.fails()
        self.engine.expire(10, lambda message: [])
        self.turn()
        self.recovers()
        self.assertEqual(sorted(self.taker().bodies()), [b"%d" % number for number in range(10)])

    def test_a_file_that_can_t_be_read_is_tried_again(self) -> None:
        self.reopens(window_length=2)
        self.append(*map(str, range(10)))

        def page(*which: object) -> list[Message]:
            raise sqlite3.DatabaseError("database disk image is malformed")

        patched = self.patch(row_reads, "page", page)
        taker = self.taker(done=True)
        self.assertEqual(taker.bodies(), [b"0", b"1"])
        patched.restore()
        self.engine.expire(0, lambda message: [])
        self.turn()
        self.assertEqual(taker.bodies(), [b"%d" % number for number in range(10)])
