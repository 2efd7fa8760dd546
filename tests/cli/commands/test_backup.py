"""stomp-tx backup: what it says, and with which exit status."""

import io
import os
import signal
import sys

from stomp_tx.cli.commands.backup import Meter
from stomp_tx.engine.sqlite import backup
from tests.cli.commandline import run
from tests.cli.filed import FileCase


class Terminal(io.StringIO):
    def isatty(self):
        return True


class BackupTests(FileCase):
    def test_backup_says_what_it_saved(self):
        self.add("/queue/b", 2, 1)
        target = self.folder / "copy.db"
        status, out, err = run("backup", self.path, target)
        self.assertEqual((status, err), (0, ""))
        size = f"{target.stat().st_size / 1024:.1f} KiB"
        self.assertEqual(out, f"saved 3 messages (2.9 KiB) of 2 queues in {target}, a file of {size}\n")
        self.assertEqual(run("check", target)[0], 0)

    def test_backup_that_fails_is_one_line(self):
        (self.folder / "copy.db").touch()
        status, out, err = run("backup", self.path, self.folder / "copy.db")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err, r"^stomp-tx: .*copy.db exists already: name another target, or .* --force\n$")
        self.assertEqual(run("backup", "--force", self.path, self.folder / "copy.db")[0], 0)

    def test_backup_that_takes_long_shows_how_far_it_is_on_a_terminal(self):
        terminal = Terminal()
        self.patch(sys, "stderr", terminal)
        seconds = iter([0, 0.5, 1.1, 1.1, 1.2, 1.5, 1.5])
        with Meter(lambda: next(seconds)) as meter:
            for done in (1, 2, 3, 4):
                meter.show(done * 1024, 5 * 1024)
        shown = terminal.getvalue().split("\r\x1b[K")
        self.assertEqual(shown, ["", "40% of 5.0 KiB", "80% of 5.0 KiB", ""])

    def test_backup_shows_nothing_where_there_is_no_terminal(self):
        self.patch(sys, "stderr", io.StringIO())
        with Meter(iter(range(0, 100, 10)).__next__) as meter:
            meter.show(1, 5)
        self.assertEqual(sys.stderr.getvalue(), "")

    def test_a_signal_ends_it_and_leaves_nothing(self):
        before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.addCleanup(signal.signal, signal.SIGTERM, before)

        def ended(path, target, force, progress):
            os.kill(os.getpid(), signal.SIGTERM)

        self.patch(backup, "back_up", ended)
        self.assertEqual(run("backup", self.path, "copy"), (130, "", "\nstomp-tx: interrupted\n"))
        self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)
