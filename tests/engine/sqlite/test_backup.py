"""engine/sqlite/backup.py: copies of files that are in use, are not, or are broken."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.sqlite import backup, check, file
from stomp_tx.engine.sqlite.backup import back_up
from stomp_tx.errors import ConfigurationError
from stomp_tx.message import Outcome
from tests.engine.sqlite.kept import Kept, endless, overwrite, python
from tests.scratch import scratch


class BackupTests(Kept):
    def test_the_copy_of_a_file_in_use_has_all_that_was_safe(self) -> None:
        self.append("1", "2", "3")
        self.append("b", address="/queue/b")
        saved = back_up(self.path, self.target())
        self.append("4")
        self.assertEqual((saved.messages, saved.queues, saved.octets), (4, 2, 400))
        self.assertEqual(saved.size, os.path.getsize(self.target()))
        self.assertEqual(self.bodies(self.target()), [("1", 0), ("2", 0), ("3", 0)])

    def test_what_had_been_handed_out_comes_again_with_an_attempt(self) -> None:
        self.append("1", "2", "3")
        taker = self.taker(2)
        self.engine.settle(taker.got[0], Outcome.ACCEPTED)
        self.turn()
        back_up(self.path, self.target())
        left = self.bodies(self.target())
        self.assertEqual([body for body, _ in left], ["2", "3"])
        self.assertEqual(left[0], ("2", 1))

    def test_bindings_and_positions_go_on_in_the_copy(self) -> None:
        self.engine.bind("/dsub/a", "/topic/t")
        self.append("1", "2")
        back_up(self.path, self.target())
        last = self.engine.last_position
        self.becomes(self.target())
        self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t"})
        self.assertEqual(self.engine.last_position, last)
        self.append("3")
        self.assertEqual(self.taker().bodies(), [b"1", b"2", b"3"])

    def test_it_needs_no_broker_and_leaves_nothing_else(self) -> None:
        self.append("1")
        self.stops()
        before = self.digests()
        back_up(self.path, self.target())
        self.assertEqual(self.names(), {*before, "copy.db"})
        after = self.digests()
        del after["copy.db"]
        self.assertEqual(after, before)
        self.assertEqual(self.bodies(self.target()), [("1", 0)])

    def test_what_a_killed_broker_left_is_copied_with_its_log(self) -> None:
        self.append("1", "2")
        killed = self.leaves_a_log()
        before = self.digests()
        self.assertEqual(back_up(killed, self.target()).messages, 2)
        after = self.digests()
        del after["copy.db"]
        self.assertEqual(after, before)
        self.assertEqual(self.bodies(self.target()), [("1", 0), ("2", 0)])

    def test_a_copy_can_be_copied(self) -> None:
        self.append("1")
        back_up(self.path, self.target())
        self.assertEqual(back_up(self.target(), self.target("second.db")).messages, 1)

    def test_what_does_not_persist_is_not_counted(self) -> None:
        self.reopens(total_octets=1, overflow="spill")
        self.append("1", persistent=False)
        self.append("2", persistent=False)
        self.append("3")
        with closing(sqlite3.connect(self.path)) as reader:
            (spilled,) = reader.execute("SELECT sum(persistent = 0) FROM message").fetchone()
        self.assertGreater(spilled, 0)
        saved = back_up(self.path, self.target())
        self.assertEqual((saved.messages, saved.octets), (1, 100))
        self.assertEqual(self.bodies(self.target()), [("3", 0)])

    def test_room_of_what_was_removed_is_left_out(self) -> None:
        self.append(*["x" * 10_000] * 50)
        for message in self.taker().got:
            self.engine.settle(message, Outcome.ACCEPTED)
        self.turn()
        self.stops()
        saved = back_up(self.path, self.target())
        self.assertLess(saved.size, os.path.getsize(self.path) // 4)

    def test_whoever_may_read_the_file_only_its_maker_may_read_the_copy(self) -> None:
        for mode in (0o600, 0o644, 0o666):
            os.chmod(self.path, mode)
            back_up(self.path, self.target(), force=True)
            self.assertEqual(os.stat(self.target()).st_mode & 0o777, 0o600)

    def test_a_name_that_is_no_utf_8(self) -> None:
        self.append("1")
        target = os.fsdecode(os.fsencode(self.target("copy")) + b"\xff %3f?#.db")
        back_up(self.path, target)
        self.assertEqual(check.check(target).messages, 1)

    # -- the target ---------------------------------------------------------------------------------------

    def test_a_target_that_is_there_is_replaced_only_by_force(self) -> None:
        Path(self.target()).write_text("precious")
        self.assertIn("copy.db exists already: name another target, or", self.refused(self.back_up))
        self.assertEqual(Path(self.target()).read_text(), "precious")
        self.append("1")
        back_up(self.path, self.target(), force=True)
        self.assertEqual(self.bodies(self.target()), [("1", 0)])

    def test_the_log_of_a_file_that_was_there_does_not_get_into_the_copy(self) -> None:
        self.append("old")
        killed = self.leaves_a_log()
        self.append("new")
        os.unlink(killed)
        self.assertIn("exists already", self.refused(back_up, self.path, killed))
        back_up(self.path, killed, True)
        self.assertNotIn("killed.db-wal", self.names())
        self.assertEqual(self.bodies(killed), [("old", 0), ("new", 0)])

    def test_a_file_that_a_broker_uses_is_not_replaced(self) -> None:
        back_up(self.path, self.target())
        source = self.path
        self.stops()
        self.becomes(self.target())
        self.append("1")
        refused = self.refused(back_up, source, self.target(), True)
        self.assertIn(f"can't replace {self.target()}: another broker uses", refused)
        self.assertIn("stop it first", refused)
        self.assertEqual(self.left(), [("1", 0)])

    def test_the_file_itself_is_no_target_by_any_name(self) -> None:
        os.symlink(self.path, self.target("link.db"))
        os.link(self.path, self.target("hard.db"))
        for name in ("stomp.db", "link.db", "hard.db", "stomp.db-wal", "stomp.db.lock", "stomp.db.reserve"):
            refused = self.refused(back_up, self.path, self.target(name), True)
            self.assertIn(f"{name} is the broker's own file: name another target", refused)
        self.assertIn("is the broker's own file", self.refused(back_up, self.target("link.db"), self.path))

    def test_a_folder_is_no_target(self) -> None:
        refused = self.refused(back_up, self.path, str(self.folder))
        self.assertIn(f"is a folder: name a file in it: {self.folder}/stomp.db", refused)
        refused = self.refused(back_up, self.path, self.target("none/copy.db"))
        self.assertIn(f"there is no folder {self.folder}/none: make it", refused)
        self.assertIn("is no file", self.refused(back_up, self.path, os.devnull, True))

    def test_two_backups_do_not_write_the_same_copy(self) -> None:
        with open(self.target("copy.db.part"), "w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            self.assertIn("another backup writes", self.refused(self.back_up))

    def test_what_a_killed_one_left_is_no_obstacle_and_no_window(self) -> None:
        """Somebody may have opened it while its mode, or its owner, was another."""
        Path(self.target("copy.db.part")).write_text("left")
        os.chmod(self.target("copy.db.part"), 0o666)
        with open(self.target("copy.db.part")) as opened:
            self.back_up()
            self.assertEqual(opened.read(), "left")
        self.assertEqual(os.stat(self.target()).st_mode & 0o777, 0o600)
        self.assertNotIn("copy.db.part", self.names())

    # -- what goes wrong ----------------------------------------------------------------------------------

    def back_up(self) -> None:
        back_up(self.path, self.target())

    def test_files_that_are_none_of_ours(self) -> None:
        other = self.target("other.db")
        self.assertIn("there is no", self.refused(back_up, self.target("none.db"), self.target()))
        self.assertIn("is no file", self.refused(back_up, str(self.folder), self.target()))
        Path(other).write_bytes(b"")
        self.assertIn("is empty: no broker has used", self.refused(back_up, other, self.target()))
        Path(other).write_text("a text\n" * 1000)
        self.assertIn(
            "is no broker's file, or its beginning is lost", self.refused(back_up, other, self.target())
        )
        os.unlink(other)
        with closing(sqlite3.connect(other)) as stranger:
            stranger.execute("CREATE TABLE a (b)")
        self.assertIn("some other program's file: name the file", self.refused(back_up, other, self.target()))
        self.stops()
        self.execute("PRAGMA user_version = 99")
        self.assertIn("written by a newer stomp-tx: its version is 99", self.refused(self.back_up))
        self.assertEqual(self.names() - {"stomp.db", "stomp.db.lock", "other.db"}, set())

    def written_bit_by_bit(self) -> None:
        self.patch(backup, "UNSYNCED", 4096)
        self.patch(file, "CACHE", 16)
        self.append(*["x" * 1000] * 400)

    def test_whoever_asked_hears_how_far_it_is(self) -> None:
        self.written_bit_by_bit()
        heard: list[tuple[int, int]] = []
        saved = back_up(self.path, self.target(), progress=lambda *numbers: heard.append(numbers))
        self.assertGreater(len(heard), 10)
        self.assertEqual(heard, sorted(heard))
        self.assertTrue(all(0 < done <= total <= 2 * saved.size for done, total in heard), heard)

    def test_what_is_broken_off_leaves_nothing(self) -> None:
        self.written_bit_by_bit()

        def interrupted(done: int, total: int) -> None:
            self.assertIn("copy.db.part", self.names())
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, back_up, self.path, self.target(), progress=interrupted)
        self.assertEqual({name for name in self.names() if name.startswith("copy")}, set())

    def test_ctrl_c_while_sqlite_is_busy(self) -> None:
        self.patch(check, "_check_pages", endless)
        self.assertRaises(KeyboardInterrupt, check.check, self.path)

    def test_no_room_is_said_before_the_disk_is_full(self) -> None:
        self.append(*["x" * 1000] * 3000)
        self.patch(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 * 1024 * 1024))
        refused = self.refused(self.back_up)
        self.assertRegex(refused, "has no room for .*copy.db: it takes about 1[0-9] MiB, 2 MiB are free")
        self.assertNotIn("copy.db.part", self.names())

    def test_a_disk_that_is_full_nevertheless(self) -> None:
        self.append(*["x" * 1000] * 3000)
        limited = (
            "import resource, sys; from stomp_tx.cli import main;"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20)); sys.exit(main(sys.argv[1:]))"
        )
        ran = python(limited, "backup", self.path, self.target())
        self.assertEqual((ran.returncode, ran.stdout), (1, ""))
        self.assertRegex(ran.stderr, r"^stomp-tx: can't write .*copy.db: .*: the disk is full, or .*\n$")
        self.assertEqual({name for name in self.names() if name.startswith("copy")}, set())

    def test_a_damaged_file_is_not_copied(self) -> None:
        self.append(*["x" * 1000] * 400)
        self.stops()
        overwrite(self.path, range(5, 60))
        self.assertIn("is damaged", self.refused(self.back_up))
        self.assertNotIn("copy.db.part", self.names())

    # -- beside a broker ----------------------------------------------------------------------------------

    def test_what_is_written_meanwhile_is_not_in_it(self) -> None:
        self.written_bit_by_bit()
        saved = back_up(self.path, self.target(), progress=lambda done, total: self.append("later"))
        self.assertEqual(saved.messages, 400)
        self.assertTrue(check.check(self.target()).is_whole)
        self.assertGreater(check.check(self.path).messages, 410)

    def test_the_log_that_grew_meanwhile_is_moved_for_the_broker(self) -> None:
        self.written_bit_by_bit()
        assert self.engine._file.writer is not None
        self.engine._file.writer.execute("PRAGMA wal_autocheckpoint = 0")
        back_up(self.path, self.target(), progress=lambda done, total: self.append("later"))
        in_file = sqlite3.connect(f"file:{self.path}?immutable=1", uri=True)
        self.addCleanup(in_file.close)
        (count,) = in_file.execute(
            "SELECT count(*) FROM message WHERE body = CAST('later' AS BLOB)"
        ).fetchone()
        self.assertGreater(count, 10)

    def test_a_broker_that_begins_meanwhile_is_no_trouble(self) -> None:
        self.written_bit_by_bit()
        self.stops()
        began = []

        def begins(done: int, total: int) -> None:
            if not began:
                began.append(self.open())
                self.append("first")

        saved = back_up(self.path, self.target(), progress=begins)
        self.assertEqual(saved.messages, 401)


class OpenAloneTests(SynchronousTestCase):
    def test_a_part_that_has_become_the_target_meanwhile_is_left_alone(self) -> None:
        folder = scratch(self)
        part = str(folder / "copy.part")

        def renamed(descriptor: int, what: int) -> None:
            os.replace(part, folder / "copy")

        Path(part).write_text("whole")
        self.patch(fcntl, "flock", renamed)
        self.assertRaises(ConfigurationError, backup._open_alone, part)
        self.assertEqual((folder / "copy").read_text(), "whole")
