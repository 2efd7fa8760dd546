"""engine/sqlite/disk_reserve.py: what an engine does on a full disk, with and without a reserve.

The disk is the test's: it says how much is free, and whether what is written finds room.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite import disk_reserve, recovery, row_writes
from stomp_tx.engine.sqlite.disk_reserve import FULL, DiskReserve
from stomp_tx.engine.sqlite.engine import SQLiteEngine
from stomp_tx.engine.sqlite.intake import LOOK, Intake
from stomp_tx.errors import EngineError
from stomp_tx.message import Batch, Message, Outcome
from tests.engine.sqlite.test_engine import Files

SIZE = 40_000


class FullDisk(Files):
    """An engine with a reserve: while that is there and ``full``, nothing can be written."""

    def setUp(self) -> None:
        self.full = False
        self.free = 2_000_000
        self.calls = 0
        self.said: list[str] = []
        write = row_writes.write

        def write_if_there_is_room(connection: Any, changes: Any) -> bool:
            self.calls += 1
            if self.full and os.path.exists(f"{self.path}.reserve"):
                raise sqlite3.OperationalError(FULL)
            return write(connection, changes)

        def make(made: DiskReserve, octets: int) -> bool:
            if self.free < octets:
                return False
            with open(made.path, "wb") as file:
                file.truncate(octets)
            return True

        self.patch(row_writes, "write", write_if_there_is_room)
        self.patch(DiskReserve, "_make", make)
        self.patch(DiskReserve, "_room", lambda made: self.free)
        for teller in (SQLiteEngine, Intake):
            self.patch(teller, "log", Said(self.said))
        super().setUp()

    def open(self, **limits: Any) -> SQLiteEngine:
        return super().open(**{"reserve_octets": SIZE, **limits})

    @property
    def has_reserve(self) -> bool:
        return os.path.exists(f"{self.path}.reserve")

    def fills(self) -> None:
        self.full, self.free = True, 0

    def is_emptied(self) -> None:
        self.full, self.free = False, 2_000_000

    def watch(self, safe: Deferred[None] | None) -> list[Any]:
        """What who waits for it is told, as soon as it is."""
        assert safe is not None
        told: list[Any] = []

        def tell(result: Any) -> Any:
            told.append(getattr(result, "value", result))
            return result

        safe.addBoth(tell)
        return told

    def is_refused(self, told: list[Any]) -> bool:
        self.turn()
        (result,) = told
        if result is None:
            return False
        assert isinstance(result, EngineError), result
        assert "disk is full" in result.summary and self.path not in result.summary
        return True

    def sends(self, body: str = "x", **more: Any) -> list[Any]:
        return self.watch(self.engine.append(self.message(body, **more)))

    def accepts(self, message: Message) -> list[Any]:
        return self.watch(self.engine.settle(message, Outcome.ACCEPTED))

    def is_gone(self) -> None:
        """The disk is full, and the reserve released."""
        self.fills()
        self.assertFalse(self.is_refused(self.sends("last", address="/queue/last")))
        self.assertFalse(self.has_reserve)


class Said:
    """A log that is a list of its warnings and worse, and of what is over."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def critical(self, format: str, **fields: Any) -> None:
        self._said.append(format.format(**fields))

    warn = critical

    def info(self, format: str, **fields: Any) -> None:
        if "room" in format:
            self._said.append(format.format(**fields))


class RefusingTests(FullDisk):
    def test_the_commit_that_finds_it_full_is_written_in_the_room_released(self) -> None:
        self.append("1", "2")
        taker = self.taker(1)
        self.fills()
        sent, settled = self.sends("3"), self.accepts(taker.got[0])
        self.assertFalse(self.is_refused(sent))
        self.assertFalse(self.is_refused(settled))
        self.assertFalse(self.has_reserve)
        self.assertEqual([body for body, _ in self.left()], ["2", "3"])

    def test_then_messages_are_refused_without_a_look_at_the_disk(self) -> None:
        self.is_gone()
        calls = self.calls
        for body in "12":
            self.assertTrue(self.is_refused(self.sends(body)))
        self.assertEqual(self.calls, calls + 2)  # the queue that is none goes, each time
        self.assertEqual(self.left(), [])

    def test_acks_deletions_and_the_end_of_subscriptions_go_on(self) -> None:
        self.append("1", "2", "3")
        self.append("x", address="/queue/b")
        self.engine.bind("/dsub/a", "/topic/t")
        self.turn()
        taker = self.taker(2)
        self.is_gone()
        self.assertFalse(self.is_refused(self.accepts(taker.got[0])))
        self.assertFalse(self.is_refused(self.watch(self.engine.settle(taker.got[1], Outcome.REJECTED))))
        self.assertFalse(self.is_refused(self.watch(self.engine.delete("/queue/b"))))
        self.assertFalse(self.is_refused(self.watch(self.engine.unbind("/dsub/a"))))
        self.assertEqual(self.left("/queue/b"), [])
        self.assertEqual(self.engine.bindings, {})
        self.assertEqual([body for body, _ in self.left()], ["2", "3"])

    def test_an_ack_beside_a_refused_message_is_none_of_its_business(self) -> None:
        self.append("1")
        taker = self.taker(1)
        self.is_gone()
        settled, sent = self.accepts(taker.got[0]), self.sends("2")
        self.assertTrue(self.is_refused(sent))
        self.assertFalse(self.is_refused(settled))
        self.assertEqual(self.left(), [])

    def test_a_commit_that_sends_too_is_refused_whole(self) -> None:
        self.append("1")
        taker = self.taker(1)
        self.is_gone()
        batch = Batch([self.message("2")], [(taker.got[0], Outcome.ACCEPTED)])
        self.assertTrue(self.is_refused(self.watch(self.engine.commit(batch))))
        taker.claim.request(1)
        self.turn()
        batch = Batch([], [(taker.got[1], Outcome.ACCEPTED)])
        self.assertFalse(self.is_refused(self.watch(self.engine.commit(batch))))
        self.assertEqual(self.left(), [])

    def test_what_does_not_persist_goes_on(self) -> None:
        self.is_gone()
        self.append("1", persistent=False)
        self.assertEqual(self.taker().bodies(), [b"1"])
        heard: list[Message] = []
        self.engine.listen("/topic/t", heard.append)
        self.assertIsNone(self.engine.publish(self.message("2", "/topic/t")))
        self.assertEqual(len(heard), 1)

    def test_durable_subscriptions_get_nothing_and_there_are_no_new_ones(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t")
        self.turn()
        self.is_gone()
        self.assertTrue(self.is_refused(self.watch(self.engine.publish(self.message("1", "/topic/t")))))
        self.assertTrue(self.is_refused(self.watch(self.engine.bind("/dsub/b", "/topic/t"))))
        bound = self.watch(self.engine.bind("/dsub/b", "/topic/t"))
        changed = self.watch(self.engine.bind("/dsub/b", "/topic/t", "x"))
        self.assertTrue(self.is_refused(bound))
        self.assertTrue(self.is_refused(changed))
        self.assertFalse(self.is_refused(self.watch(self.engine.bind("/dsub/a", "/topic/t", "x"))))
        self.assertEqual(self.engine.selectors, {"/dsub/a": "x"})
        self.assertIsNone(self.engine.bind("/dsub/a", "/topic/t"))
        self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t"})

    def test_a_second_one_of_a_refused_name_is_refused_too(self) -> None:
        self.is_gone()
        first, second = self.sends("1", dedupe="n"), self.sends("1", dedupe="n")
        self.assertTrue(self.is_refused(first))
        self.assertTrue(self.is_refused(second))
        self.is_emptied()
        self.engine.expire(0, lambda message: [])
        self.turn()
        self.assertFalse(self.is_refused(self.sends("1", dedupe="n")))
        self.assertEqual([body for body, _ in self.left()], ["1"])

    def test_of_what_was_on_its_way_so_much_is_written_that_room_is_left(self) -> None:
        self.fills()
        self.worker.holds = True
        first = [self.sends("1") for _ in range(SIZE // 4 // self.message("").size)]
        self.turn()
        second = self.sends("2")
        self.worker.goes_on()
        self.assertFalse(self.is_refused(first[0]))
        self.assertTrue(self.is_refused(second))

    def test_a_commit_that_is_too_large_fails_and_what_was_acknowledged_in_it_can_be_again(self) -> None:
        self.append("1")
        taker = self.taker(1)
        self.fills()
        settled = self.accepts(taker.got[0])
        for _ in range(SIZE // 4 // 100 + 1):
            self.sends("2")
        self.assertTrue(self.is_refused(settled))
        self.assertFalse(self.has_reserve)
        taker.claim.request(1)
        self.turn()
        self.assertFalse(self.is_refused(self.accepts(taker.got[1])))
        self.assertEqual(self.left(), [])

    def test_no_messages_spill_meanwhile(self) -> None:
        self.reopens(overflow="spill", queue_length=2)
        self.is_gone()
        self.append("1", "2", "3", persistent=False)
        room = self.engine.room("/queue/a", self.message("x"))
        assert room is not None
        self.assertNoResult(room)
        self.is_emptied()
        self.engine.expire(0, lambda message: [])
        self.turn()
        self.successResultOf(room)
        self.assertEqual(self.taker().bodies(), [b"1", b"2", b"3"])

    def test_without_a_reserve_every_commit_fails_as_long_as_it_is_full(self) -> None:
        self.reopens(reserve_octets=0)
        self.assertFalse(self.has_reserve)
        write = row_writes.write

        def fails(connection: Any, changes: Any) -> bool:
            raise sqlite3.OperationalError(FULL)

        self.patch(row_writes, "write", fails)
        self.assertTrue(self.is_refused(self.sends("1")))
        self.patch(row_writes, "write", write)
        self.assertFalse(self.is_refused(self.sends("2")))
        self.assertEqual([body for body, _ in self.left()], ["2"])

    def test_other_faults_release_nothing(self) -> None:
        def fails(connection: Any, changes: Any) -> bool:
            raise sqlite3.OperationalError("disk I/O error")

        self.patch(row_writes, "write", fails)
        told = self.sends("1")
        self.turn()
        self.assertEqual((len(told), self.has_reserve), (1, True))
        self.free = disk_reserve.SHORT - 1  # where the log's index can't grow SQLite says the same
        self.sends("1")
        self.turn()
        self.assertFalse(self.has_reserve)


class RoomAgainTests(FullDisk):
    def looks(self) -> None:
        self.clock.advance(LOOK)
        self.engine.expire(0, lambda message: [])
        self.turn()

    def test_it_is_made_again_and_the_log_says_once_what_to_do_and_once_that_it_is_over(self) -> None:
        self.is_gone()
        self.is_refused(self.sends())
        self.looks()
        self.assertEqual(len(self.said), 1)
        self.assertIn("make room", self.said[0])
        self.is_emptied()
        self.looks()
        self.assertTrue(self.has_reserve)
        self.assertEqual(len(self.said), 2)
        self.assertIn("has room again", self.said[1])
        self.assertFalse(self.is_refused(self.sends()))
        self.looks()
        self.assertEqual(len(self.said), 2)

    def test_not_before_there_is_some_more_room_than_it_needs(self) -> None:
        self.is_gone()
        self.free = SIZE
        self.looks()
        self.assertTrue(self.is_refused(self.sends()))
        self.free = SIZE + SIZE // 4
        self.looks()
        self.assertFalse(self.is_refused(self.sends()))

    def test_a_file_with_enough_room_within_takes_messages_though_the_disk_is_full(self) -> None:
        self.append(*("x" * 3000 for _ in range(20)))
        taker = self.taker()
        self.is_gone()
        for message in taker.got[:5]:
            self.engine.settle(message, Outcome.ACCEPTED)
        self.turn()
        self.assertTrue(self.is_refused(self.sends()))
        for message in taker.got[5:]:
            self.engine.settle(message, Outcome.ACCEPTED)
        self.turn()
        self.assertFalse(self.is_refused(self.sends()))
        self.assertFalse(self.has_reserve)
        for _ in range(19):
            self.sends("x" * 3000)
        self.turn()
        self.assertTrue(self.is_refused(self.sends()))  # that room is taken again

    def test_killed_then_and_started_on_a_full_disk(self) -> None:
        self.append("1", "2")
        self.is_gone()
        self.reopens()
        self.assertIn("refused", self.said[-1])
        self.assertTrue(self.is_refused(self.sends()))
        taker = self.taker(1)
        self.assertFalse(self.is_refused(self.accepts(taker.got[0])))
        self.is_emptied()
        self.looks()
        self.assertFalse(self.is_refused(self.sends("3")))
        self.assertEqual([body for body, _ in self.left()], ["2", "3"])

    def test_a_start_for_which_there_is_no_other_room_releases_it(self) -> None:
        self.append("1")
        self.taker(1)
        self.dies()
        self.fills()
        recover = recovery.recover

        def recover_if_there_is_room(connection: Any) -> None:
            if self.has_reserve:
                raise sqlite3.OperationalError(FULL)
            recover(connection)

        self.patch(recovery, "recover", recover_if_there_is_room)
        self.open()
        self.assertFalse(self.has_reserve)
        self.assertTrue(self.is_refused(self.sends()))
        self.assertFalse(self.is_refused(self.accepts(self.taker(1).got[0])))

    def test_none_is_wanted_any_more(self) -> None:
        self.assertTrue(self.has_reserve)
        self.reopens(reserve_octets=0)
        self.assertFalse(self.has_reserve)

    def test_it_gets_another_size(self) -> None:
        self.reopens(reserve_octets=2 * SIZE)
        self.assertEqual(os.stat(f"{self.path}.reserve").st_size, 2 * SIZE)


class ReserveTests(SynchronousTestCase):
    def test_it_is_private_and_has_its_size_on_the_disk(self) -> None:
        made = DiskReserve(os.path.abspath(self.mktemp()), SIZE)
        made.start()
        status = os.stat(made.path)
        self.assertEqual((status.st_size, status.st_mode & 0o777), (SIZE, 0o600))
        self.assertGreaterEqual(512 * status.st_blocks, SIZE)
        self.assertEqual((made.is_gone, made.takes, made.fault), (False, True, ""))

    def test_where_none_can_be_made_there_is_none_and_why_is_known(self) -> None:
        for number, has_none in ((errno.EFBIG, False), (errno.ENOSPC, True)):

            def fails(descriptor: int, octets: int, number: int = number) -> None:
                raise OSError(number, os.strerror(number))

            self.patch(disk_reserve, "_allocate", fails)
            made = DiskReserve(os.path.abspath(self.mktemp()), SIZE)
            made.start()
            self.assertFalse(os.path.exists(made.path))
            self.assertEqual((made.is_gone, made.takes), (has_none, not has_none))
            self.assertEqual(made.fault, "" if has_none else "file too large")

    def test_where_the_system_can_t_allocate_it_is_written(self) -> None:
        self.patch(os, "posix_fallocate", None)
        del os.posix_fallocate
        made = DiskReserve(os.path.abspath(self.mktemp()), SIZE)
        made.start()
        self.assertEqual(os.stat(made.path).st_size, SIZE)

    def test_the_setting(self) -> None:
        self.assertEqual(EngineLimits(reserve_octets=0).reserve_octets, 0)
