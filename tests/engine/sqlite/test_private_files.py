"""engine/sqlite/private_files.py: what the broker writes is for its own user, from the moment it is there."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import private_files
from tests.engine.sqlite.kept import Kept, python
from tests.scratch import scratch

UMASKS = ("000", "022", "077")

# SQLite opens what is there, and makes nothing by itself: it would be 0644 at first.
WATCHED = """
import json, os, sqlite3, stat, sys
folder, umask = sys.argv[1:]
os.umask(int(umask, 8))
path = os.path.join(folder, "stomp.db")
found = {}
def look():
    for name in os.listdir(folder):
        found.setdefault(name, set()).add(oct(stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)))
connect = sqlite3.connect
def watched(name, *arguments, **keywords):
    look()
    assert os.path.exists(path), f"{name} is made by SQLite"
    return connect(name, *arguments, **keywords)
sqlite3.connect = watched
from stomp_tx.engine.sqlite import backup
from stomp_tx.engine.sqlite import file
from stomp_tx.engine.sqlite import file_lock
"""
TOLD = """
look()
print(json.dumps({name: sorted(modes) for name, modes in found.items()}))
"""


class ModeTests(SynchronousTestCase):
    """With each umask: all the modes that a file has had."""

    def modes(self, umask: str, code: str) -> dict[str, list[str]]:
        ran = python(WATCHED + code + TOLD, str(scratch(self)), umask)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        found: dict[str, list[str]] = json.loads(ran.stdout)
        return found

    def test_the_file_and_what_is_beside_it(self) -> None:
        for umask in UMASKS:
            modes = self.modes(
                umask,
                "held = file_lock.FileLock(path)\n"
                "writer = file.open_for_writing(path)\n"
                "reader = file.open_for_reading(path)\n"
                "writer.execute(\"INSERT INTO seen VALUES ('a', 'x', 1.0)\")\n",
            )
            names = ("stomp.db", "stomp.db-shm", "stomp.db-wal", "stomp.db.lock")
            self.assertEqual(modes, {name: ["0o600"] for name in names}, umask)

    def test_a_backup_and_its_part_whoever_may_read_the_file(self) -> None:
        for umask in UMASKS:
            modes = self.modes(
                umask,
                "writer = file.open_for_writing(path)\n"
                'rows = [("a", str(number) * 1000, 1.0) for number in range(1000)]\n'
                'writer.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)\n'
                "writer.close()\n"
                "os.chmod(path, 0o644)\n"
                "found.clear()\n"
                "backup.UNSYNCED = 4096\n"
                "backup.back_up(path, path + '.copy', progress=lambda done, total: look())\n",
            )
            self.assertEqual(modes.pop("stomp.db"), ["0o644"])
            self.assertLessEqual({"stomp.db.copy", "stomp.db.copy.part"}, set(modes))
            self.assertEqual(set().union(*modes.values()), {"0o600"}, f"{umask}: {modes}")


class MakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = scratch(self) / "db"

    def test_what_is_there_stays_as_it_is(self) -> None:
        self.path.write_text("precious")
        self.path.chmod(0o640)
        private_files.make(str(self.path))
        self.assertEqual(self.path.read_text(), "precious")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)

    def test_a_link_to_nowhere_leads_to_where_it_is_made(self) -> None:
        self.path.symlink_to(self.path.with_name("real"))
        private_files.make(str(self.path))
        self.assertEqual(stat.S_IMODE(self.path.with_name("real").lstat().st_mode), 0o600)


class OpenToOthersTests(Kept):
    """A file that was there before: who may read it still may, and the log says so."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(private_files, "reached_by_others", lambda folder: True)

    def restarted(self, mode: int) -> list[str]:
        """What the log warns of, when the broker starts with a file of this mode."""
        self.stops()
        os.chmod(self.path, mode)
        with capturedLogs() as events:
            self.open()
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), mode)
        return [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]

    def test_every_user_is_told_of_with_what_to_do(self) -> None:
        for mode in (0o644, 0o604, 0o666):
            (warning,) = self.restarted(mode)
            self.assertIn(f"every user of this machine may use {self.path}", warning)
            self.assertIn(f"chmod 600 {self.path} {self.path}-wal {self.path}-shm", warning)
            self.assertNotIn(".lock", warning)

    def test_a_group_may_be_meant(self) -> None:
        for mode in (0o600, 0o640, 0o660):
            self.assertEqual(self.restarted(mode), [])

    def test_what_a_killed_broker_left_is_looked_at_too(self) -> None:
        self.append("1")
        killed = self.leaves_a_log()
        for name, mode in ((killed, 0o600), (f"{killed}-wal", 0o644)):
            os.chmod(name, mode)
        self.assertEqual(private_files.open_to_others(killed), [f"{killed}-wal"])

    def test_nobody_is_told_of_where_a_folder_keeps_them_out(self) -> None:
        self.patch(private_files, "reached_by_others", lambda folder: False)
        self.assertEqual(self.restarted(0o644), [])


class ReachedByOthersTests(SynchronousTestCase):
    def test_each_folder_on_the_way_has_to_let_them_through(self) -> None:
        outer = scratch(self)
        inner = outer / "inner"
        inner.mkdir(mode=0o755)
        self.assertFalse(private_files.reached_by_others(inner))  # (the outer one is 0700)
        self.assertTrue(private_files.reached_by_others(Path("/")))
