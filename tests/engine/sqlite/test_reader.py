"""engine/sqlite/reader.py: who may read a broker's file, and when."""

from __future__ import annotations

import os
import subprocess
from unittest import SkipTest

from tests.engine.sqlite.kept import NOBODY, Kept, python
from tests.scratch import scratch


class OtherUserTests(Kept):
    """A user who may read all, and write nothing."""

    def setUp(self) -> None:
        if os.geteuid():
            raise SkipTest("only root can be another user")
        super().setUp()
        self.append("1")
        os.chmod(self.folder, 0o755)
        for name in self.names():
            os.chmod(self.folder / name, 0o644)

    def as_nobody(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # It becomes nobody when it has all that it needs: nobody may not be allowed to see this checkout.
        code = (
            "import os, sys; from stomp_tx.cli import main; from stomp_tx.engine.sqlite import check, file;"
            "known = file.versions(); file.versions = lambda: known;"
            f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(main(sys.argv[1:]))"
        )
        return python(code, *arguments)

    def test_a_file_that_nobody_uses_can_be_read(self) -> None:
        self.stops()
        before = self.names()
        ran = self.as_nobody("check", self.path)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertEqual(self.names(), before)

    def test_a_file_in_use_can_be_read(self) -> None:
        ran = self.as_nobody("check", self.path)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran)
        self.assertIn("1 message", ran.stdout)

    def test_a_log_that_can_not_be_read_is_said(self) -> None:
        ran = self.as_nobody("check", self.leaves_a_log())
        self.assertEqual((ran.returncode, ran.stdout), (2, ""))
        self.assertIn("be the user that the broker runs as; or copy it, its -wal and its -shm", ran.stderr)
        self.assertEqual(ran.stderr.count("\n"), 1)

    def test_a_file_that_may_not_be_read(self) -> None:
        os.chmod(self.path, 0o600)
        ran = self.as_nobody("check", self.path)
        self.assertEqual(ran.returncode, 2)
        self.assertIn("this user may not read", ran.stderr)

    def test_a_target_that_may_not_be_written(self) -> None:
        ran = self.as_nobody("backup", self.path, self.target())
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stderr, "can't write .*: permission denied: name a folder that this user can")

    def test_a_backup_by_one_who_may_only_read(self) -> None:
        elsewhere = scratch(self)
        os.chmod(elsewhere, 0o777)
        ran = self.as_nobody("backup", self.path, str(elsewhere / "copy.db"))
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.append("2")
        self.assertEqual(self.bodies(str(elsewhere / "copy.db")), [("1", 0)])
