"""engine/sqlite/check.py: checks of files that are in use, are not, or are broken."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from stomp_tx.engine.sqlite import check
from stomp_tx.engine.sqlite.check import Report
from stomp_tx.errors import ConfigurationError, EngineError
from stomp_tx.message import Outcome
from tests.engine.sqlite.kept import Kept, overwrite


class CheckTests(Kept):
    def problems(self) -> str:
        """What is wrong with it, when no broker runs."""
        before = self.digests()
        report = check.check(self.path)
        self.assertEqual(self.digests(), before)
        self.assertTrue(report.problems)
        return "\n".join(report.problems)

    def test_a_file_in_use(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t")
        self.append("1", "2", expires=5_000_000)
        self.append("3", expires=4_000_000)
        self.append("4", address="/queue/b")
        taker = self.taker(2)
        self.engine.settle(taker.got[0], Outcome.ACCEPTED)
        self.turn()
        report = check.check(self.path)
        self.assertEqual((report.problems, report.is_whole, report.version), ([], True, 2))
        found = [(one.name, one.messages, one.octets, one.expires, one.topic) for one in report.queues]
        self.assertEqual(
            found,
            [
                ("/dsub/a", 0, 0, 0, "/topic/t"),
                ("/queue/a", 2, 200, 4_000_000, None),
                ("/queue/b", 1, 100, 0, None),
            ],
        )
        self.assertEqual((report.messages, report.octets), (3, 300))

    def test_priorities_are_one_queue_s(self) -> None:
        self.append("1", priority=9, expires=5_000_000)
        self.append("2")
        self.append("3", priority=0, expires=4_000_000)
        self.turn()
        (queue,) = check.check(self.path).queues
        self.assertEqual((queue.name, queue.messages, queue.expires), ("/queue/a", 3, 4_000_000))

    def test_it_changes_nothing_and_leaves_nothing(self) -> None:
        self.append("1")
        killed = self.leaves_a_log()
        self.stops()
        for path in (self.path, killed):
            before = self.digests()
            self.assertEqual(check.check(path).messages, 1)
            self.assertEqual(self.digests(), before)
        self.assertNotIn("stomp.db-wal", self.names())

    def test_an_empty_one_is_good(self) -> None:
        self.assertEqual(check.check(self.path), Report(version=2, is_whole=True))

    def test_messages_that_do_not_persist_are_counted_apart(self) -> None:
        self.reopens(total_octets=1, overflow="spill")
        self.append("1", "2", "3", persistent=False)
        self.append("4")
        report = check.check(self.path)
        self.assertEqual((report.problems, report.messages), ([], 1))
        self.assertGreater(report.queues[0].spilled, 0)

    def test_a_queue_that_is_being_removed_is_no_problem(self) -> None:
        self.append("1")
        self.stops()
        self.execute("INSERT INTO doomed SELECT number FROM queue")
        self.assertIn("'/queue/a' is there, and is being removed", self.problems())
        self.execute("DELETE FROM queue")
        self.assertEqual(check.check(self.path), Report(version=2, is_whole=True))

    def test_selectors_are_told_and_checked(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t", "colour = 'red'")
        self.engine.bind("/dsub/b", "/topic/t", "")
        self.engine.bind("/dsub/c", "/topic/t")
        self.append("1")
        report = check.check(self.path)
        self.assertEqual(report.problems, [])
        self.assertEqual([one.selector for one in report.queues], ["colour = 'red'", "", None, None])
        self.stops()
        self.execute("UPDATE selector SET unsifted = 7 WHERE text = ''")
        (queue,) = (queue for queue in report.queues if queue.name == "/queue/a")
        self.assertIsNone(queue.topic)
        self.execute("INSERT INTO selector SELECT number, 'x', 0 FROM queue WHERE name = '/queue/a'")
        self.execute("INSERT INTO selector VALUES (99, 'x', 0)")
        self.assertEqual(
            self.problems().splitlines(),
            [
                "the selector of '/dsub/b' has values that none can have",
                "a selector of no bound queue, number 4",
                "a selector of no bound queue, number 99",
            ],
        )

    # -- damage -------------------------------------------------------------------------------------------

    def test_counters_that_are_wrong(self) -> None:
        self.append("1", "2")
        self.stops()
        self.execute("UPDATE queue SET length = 3, octets = octets + 1")
        self.assertEqual(
            self.problems().splitlines(),
            [
                "queue '/queue/a' says that it has 3 messages, and has 2",
                f"queue '/queue/a' says that it has {201} octets, and has {200}",
            ],
        )

    def test_messages_of_no_queue(self) -> None:
        self.append("1", "2")
        self.stops()
        self.execute("UPDATE message SET queue = 7 WHERE position = 1")
        self.assertIn("1 messages of no queue, number 7", self.problems())

    def test_headers_that_can_not_be_read(self) -> None:
        self.append("1", "2", "3", "4")
        self.stops()
        for position, head in enumerate([b"", b"id\0/queue/a\0name", b"id\0\xff"], 1):
            self.execute("UPDATE message SET head = ? WHERE position = ?", head, position)
        self.assertEqual(
            self.problems().splitlines(),
            [f"message {position} of '/queue/a' has no readable headers" for position in (1, 2, 3)],
        )

    def test_values_that_none_can_have(self) -> None:
        self.append(*"1234567")
        self.stops()
        values = ["attempts = -1", "expires = 'x'", "size = -1", "persistent = 2", "head = 'x'", "body = 1"]
        for position, value in enumerate(values, 1):
            self.execute(f"UPDATE message SET {value} WHERE position = {position}")
        self.execute("UPDATE queue SET mark = 'x'")
        self.execute("INSERT INTO seen VALUES ('a', 'b', 'c')")
        found = self.problems()
        for position in range(1, 6):
            self.assertIn(f"message {position} of '/queue/a' has values that none can have", found)
        self.assertIn("... and 1 more messages like that", found)
        self.assertIn("queue '/queue/a' has values that none can have", found)
        self.assertIn("the name 'b', remembered for 'a', has odd values", found)

    def test_names_that_are_no_utf_8(self) -> None:
        self.append("1")
        self.stops()
        self.execute("UPDATE queue SET name = CAST(x'2f71ff' AS TEXT)")
        self.assertIn(r"queue '/q\udcff' has values that none can have", self.problems())

    def test_names_and_topics_that_are_no_addresses(self) -> None:
        self.append("1")
        self.stops()
        for change in ("name = '/px/queue/a'", "name = 'a'", "name = '/dsub/a', topic = 'a'"):
            self.execute(f"UPDATE queue SET {change}")
            self.assertIn("has values that none can have", self.problems())

    def test_tables_and_indexes_that_are_missing_or_others(self) -> None:
        self.append("1")
        self.stops()
        self.execute("DROP INDEX expiring")
        self.execute("DROP INDEX spilled")
        self.execute("CREATE INDEX spilled ON message (queue)")
        self.assertEqual(
            self.problems().splitlines(),
            ["the index expiring is missing", "the index spilled is not as version 2 has it"],
        )
        self.execute("DROP TABLE message")
        self.assertIn("the table message is missing", self.problems())
        self.assertFalse(check.check(self.path).is_whole)

    def test_pages_that_are_overwritten(self) -> None:
        self.append(*["x" * 1000] * 400)
        self.append("b", address="/queue/b")
        self.stops()
        size = os.path.getsize(self.path) // 4096
        for pages in ([size // 2], range(5, size)):
            overwrite(self.path, pages)
            self.problems()
        self.assertIn("it can't be read to its end: database disk image is malformed", self.problems())

    def test_every_single_page_overwritten_is_found_or_was_of_no_use(self) -> None:
        self.append(*["x" * 500] * 100)
        self.append(*["y" * 9000] * 10, address="/queue/b", expires=5_000_000)
        self.stops()
        whole = Path(self.path).read_bytes()
        for page in range(len(whole) // 4096):
            overwrite(self.path, [page])
            try:
                report = check.check(self.path)
            except ConfigurationError:
                self.assertEqual(page, 0)
            else:
                self.assertEqual((report.version or 2), 2)
                # SQLite has no checksums: a page that is the middle of a body can be anything.
                self.assertTrue(report.problems or report.messages == 110, page)
            Path(self.path).write_bytes(whole)

    def test_a_file_that_ends_too_soon(self) -> None:
        self.append(*["x" * 1000] * 400)
        self.stops()
        for size in (100_000, 5000, 4096):
            os.truncate(self.path, size)
            self.assertIn("the file ends too soon (database disk image is malformed)", self.problems())
        os.truncate(self.path, 50)
        self.assertIn("is no broker's file, or its beginning is lost", self.refused(check.check, self.path))

    def test_a_beginning_that_is_lost(self) -> None:
        self.append("1")
        self.stops()
        overwrite(self.path, [0], length=68)
        self.assertIn("it can't be read to its end: file is not a database", self.problems())
        overwrite(self.path, [0])
        refused = self.refused(check.check, self.path)
        self.assertIn("is no broker's file, or its beginning is lost (file is not a database)", refused)
        self.assertIn("put a backup in its place", refused)

    def test_files_that_are_none_of_ours(self) -> None:
        self.stops()
        self.assertIn("there is no", self.refused(check.check, self.target()))
        self.execute("PRAGMA user_version = 3")
        self.assertIn(
            "was written by a newer stomp-tx: its version is 3", self.refused(check.check, self.path)
        )
        self.execute("PRAGMA application_id = 1")
        self.assertIn(
            "is some other program's file: name the file that", self.refused(check.check, self.path)
        )

    def test_a_disk_that_fails_is_not_the_file_s_fault(self) -> None:
        def fails(*arguments: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        self.patch(check, "_check_pages", fails)
        error = self.assertRaises(EngineError, check.check, self.path)
        self.assertIn("the disk may be failing", error.detail)
