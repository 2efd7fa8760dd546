"""engine/sqlite/file_lock.py: one broker at a time."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite.file_lock import FileLock
from stomp_tx.errors import ConfigurationError
from tests.engine.sqlite.kept import python


class LockTests(SynchronousTestCase):
    def test_one_at_a_time_and_it_says_who(self) -> None:
        path = self.mktemp()
        held = FileLock(path)
        error = self.assertRaises(ConfigurationError, FileLock, path)
        self.assertIn(path, error.summary)
        self.assertIn(str(os.getpid()), error.detail)
        held.close()
        FileLock(path).close()

    def test_by_whatever_name(self) -> None:
        path = self.mktemp()
        Path(path).touch()
        os.symlink(os.path.abspath(path), f"{path}-link")
        held = FileLock(path)
        self.addCleanup(held.close)
        self.assertRaises(ConfigurationError, FileLock, f"{path}-link")

    def test_two_files_are_two(self) -> None:
        for path in (self.mktemp(), self.mktemp()):
            self.addCleanup(FileLock(path).close)

    def test_a_folder_that_is_not_there(self) -> None:
        error = self.assertRaises(ConfigurationError, FileLock, os.path.join(self.mktemp(), "db"))
        self.assertIn("can't write", error.summary)

    def test_what_is_no_file_is_said_to_be_none_at_once(self) -> None:
        for ending in ("", ".lock"):
            for make, why in (
                (os.mkdir, "it is a folder"),
                (os.mkfifo, "it is a pipe, a socket or a device"),
            ):
                path = self.mktemp()
                make(f"{path}{ending}")
                error = self.assertRaises(ConfigurationError, FileLock, path)
                self.assertEqual(error.summary, f"can't open {os.path.realpath(path)}{ending}")
                self.assertIn(why, error.detail)

    def test_without_room_for_who_has_it_it_is_locked_all_the_same(self) -> None:
        path = self.mktemp()
        Path(path).touch()
        code = (
            "import resource, sys; from stomp_tx.engine.sqlite.file_lock import FileLock\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
            "FileLock(sys.argv[1]).close()\n"
        )
        found = python(code, path)
        self.assertEqual((found.returncode, found.stderr), (0, ""))

    def test_another_name_of_the_file_is_refused(self) -> None:
        path = self.mktemp()
        held = FileLock(path)
        os.link(path, f"{path}-link")
        for one in (path, f"{path}-link"):
            with self.assertRaises(ConfigurationError) as caught:
                FileLock(one)
            self.assertRegex(str(caught.exception), "another broker uses|has 2 names")
        held.close()
        error = self.assertRaises(ConfigurationError, FileLock, path)
        self.assertIn("has 2 names (hard links)", error.summary)
        os.unlink(f"{path}-link")
        FileLock(path).close()

    def test_it_holds_where_the_file_beside_was_removed(self) -> None:
        path = self.mktemp()
        held = FileLock(path)
        os.unlink(f"{path}.lock")
        error = self.assertRaises(ConfigurationError, FileLock, path)
        self.assertIn("another broker uses", error.summary)
        held.close()
        FileLock(path).close()

    def test_a_failed_attempt_leaves_sqlite_s_own_locks(self) -> None:
        """Closing any descriptor of the file would undo them, and another process could write."""
        path = self.mktemp()
        held = FileLock(path)
        ours = sqlite3.connect(path, isolation_level=None)
        ours.execute("BEGIN EXCLUSIVE")
        self.assertRaises(ConfigurationError, FileLock, path)
        os.unlink(f"{path}.lock")
        self.assertRaises(ConfigurationError, FileLock, path)
        code = (
            "import sqlite3, sys\n"
            "try: sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN EXCLUSIVE')\n"
            "except sqlite3.OperationalError as error: sys.exit(str(error))\n"
        )
        other = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        self.assertEqual((other.returncode, other.stderr), (1, "database is locked\n"))
        ours.close()
        held.close()

    def test_programs_that_read_are_not_kept_away(self) -> None:
        path = self.mktemp()
        with FileLock(path):
            sqlite3.connect(path).execute("PRAGMA user_version").close()
            code = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE a (b)')"
            subprocess.run([sys.executable, "-c", code, path], check=True)
