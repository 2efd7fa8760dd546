"""engine/sqlite/file.py: whose file it is, of which version, and what can be wrong with it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import file
from stomp_tx.errors import ConfigurationError, EngineError, StompError


class OpenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = str(self.folder / "db")

    def made(self) -> None:
        """A file of ours, closed."""
        file.open_for_writing(self.path).close()

    def changed(self, *statements: str) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def test_a_new_one_is_ours_and_of_the_newest_version(self) -> None:
        connection = file.open_for_writing(self.path)
        self.addCleanup(connection.close)
        self.assertEqual(file.check_version(connection, self.path), max(file.versions()))
        self.assertEqual(connection.execute("PRAGMA application_id").fetchone(), (file.APPLICATION,))
        self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))
        self.assertEqual(connection.execute("PRAGMA synchronous").fetchone(), (2,))  # FULL
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        self.assertEqual(tables, {"queue", "message", "doomed", "seen", "selector"})

    def test_opened_again_it_is_the_same(self) -> None:
        self.made()
        self.changed("INSERT INTO seen VALUES ('a', 'x', 1.0)")
        connection = file.open_for_writing(self.path)
        self.addCleanup(connection.close)
        self.assertEqual(connection.execute("SELECT name FROM seen").fetchall(), [("x",)])

    def test_odd_paths_are_paths(self) -> None:
        for name in ("a b", "a?mode=memory", "a#b", "100%", "ü", "a%20b", "a'b"):
            self.path = str(self.folder / name)
            self.made()
            self.assertTrue(os.path.exists(self.path), name)
            connection = file.open_for_reading(self.path)
            self.assertEqual(connection.execute("SELECT count(*) FROM message").fetchone(), (0,))
            connection.close()

    def test_who_reads_sees_what_is_committed_and_changes_nothing(self) -> None:
        writer = file.open_for_writing(self.path)
        reader = file.open_for_reading(self.path)
        self.addCleanup(writer.close)
        self.addCleanup(reader.close)
        writer.execute("BEGIN")
        writer.execute("INSERT INTO doomed VALUES (1)")
        self.assertEqual(reader.execute("SELECT * FROM doomed").fetchall(), [])
        writer.execute("COMMIT")
        self.assertEqual(reader.execute("SELECT * FROM doomed").fetchall(), [(1,)])
        with self.assertRaises(sqlite3.OperationalError):
            reader.execute("INSERT INTO doomed VALUES (2)")

    def fault(self, reading: bool = False) -> StompError:
        """What is said about it."""
        opening = file.open_for_reading if reading else file.open_for_writing
        return self.assertRaises(StompError, opening, self.path)

    def test_a_transaction_that_the_disk_ended_says_what_the_disk_said(self) -> None:
        """A full disk makes SQLite roll back by itself: there is nothing left to roll back then."""
        connection = file.open_for_writing(self.path)
        self.addCleanup(connection.close)
        full = sqlite3.OperationalError("database or disk is full")
        with self.assertRaisesRegex(sqlite3.OperationalError, "is full"), file.transaction(connection):
            connection.execute("INSERT INTO doomed VALUES (1)")
            connection.execute("ROLLBACK")
            raise full
        with self.assertRaisesRegex(sqlite3.OperationalError, "syntax"), file.transaction(connection):
            connection.execute("INSERT INTO doomed VALUES (2)")
            connection.execute("INSERT NOTHING")
        with file.transaction(connection):
            connection.execute("INSERT INTO doomed VALUES (3)")
        self.assertEqual(connection.execute("SELECT * FROM doomed").fetchall(), [(3,)])

    def test_some_other_program_s_is_refused_and_left_alone(self) -> None:
        for statement in (
            "CREATE TABLE theirs (x)",
            "PRAGMA user_version = 7",
            "PRAGMA application_id = 123",
        ):
            self.path = str(self.folder / statement.replace(" ", "-"))
            self.changed(statement)
            for reading in (False, True):
                error = self.fault(reading)
                self.assertIsInstance(error, ConfigurationError)
                self.assertIn("some other program's file", error.summary)
            connection = sqlite3.connect(self.path)
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            connection.close()
            self.assertNotIn(("message",), tables)

    def test_a_newer_version_s_is_refused_and_says_so(self) -> None:
        self.made()
        self.changed(f"PRAGMA user_version = {max(file.versions()) + 1}")
        for reading in (False, True):
            error = self.fault(reading)
            self.assertIsInstance(error, ConfigurationError)
            self.assertIn("newer stomp-tx", error.summary)

    def test_an_older_one_is_brought_up_to_date_or_left_as_it_was(self) -> None:
        self.made()
        newest = max(file.versions())
        steps = {**file.versions(), newest + 1: "CREATE TABLE more (x);\nCREATE TABLE broken (;\n"}
        patched = self.patch(file, "versions", lambda: steps)
        self.fault()
        patched.restore()
        connection = file.open_for_writing(self.path)
        self.assertEqual(
            connection.execute("SELECT name FROM sqlite_master WHERE name = 'more'").fetchall(), []
        )
        connection.close()
        steps[newest + 1] = "CREATE TABLE more (x TEXT DEFAULT ';');\nCREATE TABLE other (y);\n"
        self.patch(file, "versions", lambda: steps)
        connection = file.open_for_writing(self.path)
        self.addCleanup(connection.close)
        self.assertEqual(file.check_version(connection, self.path), newest + 1)
        connection.execute("SELECT * FROM more, other")

    def test_what_is_no_database_is_refused(self) -> None:
        Path(self.path).write_bytes(b"hello, " * 1000)
        for reading in (False, True):
            error = self.fault(reading)
            self.assertIn("damaged", error.summary)
            self.assertIn("backup", error.detail)
        self.assertEqual(Path(self.path).read_bytes(), b"hello, " * 1000)

    def test_a_folder_that_is_not_there_is_named(self) -> None:
        self.path = str(self.folder / "none" / "db")
        error = self.fault()
        self.assertIsInstance(error, ConfigurationError)
        self.assertIn(str(self.folder / "none"), error.detail)
        self.assertIn(f"there is no {self.path}", self.fault(reading=True).summary)

    def test_reading_makes_no_file(self) -> None:
        self.fault(reading=True)
        self.assertEqual(os.listdir(self.folder), [])

    @skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_folder_that_can_not_be_written_is_named(self) -> None:
        os.chmod(self.folder, 0o500)
        self.addCleanup(os.chmod, self.folder, 0o700)
        self.assertIn(self.path, self.fault().summary)


class ErrorTests(SynchronousTestCase):
    def test_each_says_what_to_do(self) -> None:
        for text, kind, summary, detail in (
            ("database or disk is full", EngineError, "full", "make room"),
            ("disk I/O error", EngineError, "disk I/O", "receipted is safe"),
            ("attempt to write a readonly database", EngineError, "can't write", "owner and mode"),
            ("database disk image is malformed", EngineError, "damaged", "backup"),
            ("file is not a database", EngineError, "damaged", "backup"),
            ("database is locked", EngineError, "locked", "other program"),
            ("something new", EngineError, "something new", ""),
        ):
            error = file.file_error("/x/db", sqlite3.OperationalError(text))
            self.assertIsInstance(error, kind, text)
            self.assertIn(summary, error.summary)
            self.assertIn("/x/db", error.summary)
            self.assertIn(detail, error.detail)
