"""Files of older versions, as those wrote them: ``files/version-N.sqlite``.

Version 1: durable subscriptions to /topic/t of nobody ("d") and for all ("q"), with "1 red", "2 blue",
"3 red", "4 blue"; one of ann's to /topic/a.* and /topic/b, with "5 green"; in /queue/a "7 red" (priority 9,
and refused once), "6 red", "8 blue" (it will expire) and "9 blue" (named "nine", for de-duplication).
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from stomp_tx.engine.sqlite import backup, check, file
from stomp_tx.errors import ConfigurationError
from tests.engine.sqlite.kept import Kept

FILES = Path(__file__).parent / "files"
NEWEST = max(file.versions())


class Version1Tests(Kept):
    def setUp(self) -> None:
        super().setUp()
        self.stops()
        shutil.copy(FILES / "version-1.sqlite", self.path)

    def version(self, path: str | None = None) -> int:
        connection = sqlite3.connect(path or self.path)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        finally:
            connection.close()
        return int(version)

    def test_the_kept_file_is_of_that_version(self) -> None:
        self.assertEqual(self.version(), 1)

    def test_all_that_was_there_is_there(self) -> None:
        self.open()
        self.assertEqual(self.version(), NEWEST)
        self.assertEqual(
            self.engine.bindings,
            {
                "/dsub/of//d": "/topic/t",
                "/dsub/at/%2Ftopic%2Ft/q": "/topic/t",
                "/dsub/by/ann/of/phone/news": "/topic/a.*,/topic/b",
            },
        )
        found = {
            queue: [(one.body, one.attempts) for page in self.engine.browse(queue) for one in page]
            for queue in self.engine.queues()
        }
        of_t = [(b"1 red", 0), (b"2 blue", 0), (b"3 red", 0), (b"4 blue", 0)]
        self.assertEqual(
            found,
            {
                "/dsub/of//d": of_t,
                "/dsub/at/%2Ftopic%2Ft/q": of_t,
                "/dsub/by/ann/of/phone/news": [(b"5 green", 0)],
                "/queue/a": [(b"7 red", 1), (b"6 red", 0), (b"8 blue", 0), (b"9 blue", 0)],
            },
        )
        self.seconds = 1_000_000.0
        self.append("10 blue", dedupe="nine")
        self.assertEqual(self.engine.depth("/queue/a")[0], 4)
        self.assertEqual(check.check(self.path).problems, [])

    def test_nobody_has_said_a_selector(self) -> None:
        self.open()
        self.assertEqual((self.engine.selectors, self.engine.unsifted), ({}, {}))

    def test_killed_after_the_upgrade_it_is_the_same(self) -> None:
        self.open()
        self.reopens()
        self.assertEqual(self.engine.depth("/dsub/of//d")[0], 4)

    def test_an_upgrade_that_fails_leaves_it_as_it_was(self) -> None:
        before = sqlite3.connect(self.path)
        dump = list(before.iterdump())
        before.close()
        broken = {**file.versions(), 2: file.versions()[2] + "\nINSERT INTO nothing VALUES (1);\n"}
        patched = self.patch(file, "versions", lambda: broken)
        self.refused(self.engine.start)
        patched.restore()
        self.assertEqual(self.version(), 1)
        after = sqlite3.connect(self.path)
        self.assertEqual(list(after.iterdump()), dump)
        after.close()

    def test_check_and_backup_know_it_and_leave_it_as_it_is(self) -> None:
        before = self.digests()
        report = check.check(self.path)
        self.assertEqual((report.version, report.problems, report.messages), (1, [], 13))
        backup.back_up(self.path, self.target())
        self.assertEqual(self.version(self.target()), 1)
        self.assertEqual({**self.digests(), **before}, self.digests())
        self.becomes(self.target())
        self.assertEqual(self.engine.depth("/dsub/of//d")[0], 4)

    def test_the_broker_of_then_refuses_the_newer_file(self) -> None:
        self.open()
        self.stops()
        self.patch(file, "versions", lambda: {1: ""})
        error = self.assertRaises(ConfigurationError, self.engine.start)
        self.assertIn("was written by a newer stomp-tx", error.summary)
        self.assertIn(f"its version is {NEWEST}, this program's is 1", error.detail)
