"""What a broker's owner is told, and with which exit status."""

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.cli import owner
from stomp_tx.cli.owner import Meter
from stomp_tx.engine import backup, check, file
from stomp_tx.engine.check import QueueReport, Report
from stomp_tx.errors import EngineError
from tests.cli.commandline import CHECKOUT, process, run
from tests.scratch import scratch


class Terminal(io.StringIO):
    def isatty(self):
        return True


class FileTests(SynchronousTestCase):
    def setUp(self):
        self.folder = scratch(self)
        self.path = self.folder / "stomp.db"
        file.open_for_writing(str(self.path)).close()
        self.add("/queue/a", 1, 2)

    def add(self, name, number, count, expires=0, topic=None):
        self.execute("INSERT INTO queue VALUES (?, ?, ?, ?, ?, 0)", number, name, topic, count, count * 1000)
        for position in range(1, count + 1):
            self.execute(
                "INSERT INTO message VALUES (?, ?, 0, ?, 1000, 1, ?, ?)",
                *(number, position, expires, b"id\0/queue/a", b"x" * 900),
            )

    def execute(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)

    # -- backup -------------------------------------------------------------------------------------------

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

    # -- check --------------------------------------------------------------------------------------------

    def test_check_tells_what_is_in_each_queue(self):
        self.add("/queue/b", 2, 1, expires=1_700_000_000_000)
        self.add("/dsub/ann", 3, 0, topic="/topic/news")
        status, out, err = run("check", self.path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                f"{self.path}: 3 messages (2.9 KiB) in 3 queues",
                "  /dsub/ann            0        0 B  bound to /topic/news",
                "  /queue/a             2    2.0 KiB",
                "  /queue/b             1     1000 B  first expires 2023-11-14 22:13:20 UTC",
                "good",
            ],
        )

    def test_check_of_a_damaged_file(self):
        self.execute("UPDATE queue SET length = 7")
        status, out, err = run("check", self.path)
        self.assertEqual((status, err), (1, ""))
        self.assertEqual(
            out.splitlines()[-2:],
            [
                "problem: queue '/queue/a' says that it has 7 messages, and has 2",
                "DAMAGED: stop the broker, keep a copy of its file, and put a backup in its place",
            ],
        )

    def test_check_that_can_not_be_made(self):
        status, out, err = run("check", self.folder / "none.db")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("there is no", err)

    def test_check_for_programs(self):
        self.add("/queue/b", 2, 1, expires=1_700_000_000_000)
        status, out, _ = run("check", "--json", self.path)
        self.assertEqual(status, 0)
        queue = {"topic": None, "spilled": 0}
        self.assertEqual(
            json.loads(out),
            {
                "file": str(self.path),
                "verdict": "good",
                "problems": [],
                "version": 1,
                "is_whole": True,
                "messages": 3,
                "octets": 3000,
                "queues": [
                    {"name": "/queue/a", "messages": 2, "octets": 2000, "expires": 0, **queue},
                    {
                        "name": "/queue/b",
                        "messages": 1,
                        "octets": 1000,
                        "expires": 1_700_000_000_000,
                        **queue,
                    },
                ],
            },
        )
        self.execute("DELETE FROM message")
        status, out, _ = run("check", "--json", self.path)
        self.assertEqual((status, json.loads(out)["verdict"]), (1, "damaged"))
        status, out, err = run("check", "--json", "none")
        told = {"file": "none", "verdict": "unchecked", "problems": ["there is no none"]}
        self.assertEqual((status, json.loads(out)), (2, told))
        self.assertIn("there is no none", err)

    def test_names_can_not_write_on_the_terminal(self):
        self.add("/queue/\x1b[2J\né", 2, 0)
        self.assertIn(r"  /queue/\x1b[2J\né  ", run("check", self.path)[1])
        self.assertEqual(json.loads(run("check", "--json", self.path)[1])["queues"][0]["messages"], 0)

    def test_a_terminal_that_knows_few_characters(self):
        self.add("/queue/\u20ac", 2, 0)
        limited = {"env": {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "ascii"}}
        command = [sys.executable, "-m", "stomp_tx", "check", str(self.path)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, **limited)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn(r"/queue/\u20ac", ran.stdout)

    def test_a_reader_who_has_seen_enough(self):
        reading, writing = os.pipe()
        os.close(reading)
        ran = process("check", self.path, stdout=writing, stderr=subprocess.PIPE)
        os.close(writing)
        self.assertEqual(ran.stderr, "")

    def test_values_that_are_hard_to_show(self):
        queue = QueueReport("/queue/a", None, 1, 5 * 1024**4, spilled=2, expires=10**15)
        report = Report(1, False, [queue], ["it can't be read to its end"])
        self.patch(check, "check", lambda path: report)
        status, out, _ = run("check", self.path)
        self.assertEqual(status, 1)
        self.assertIn("at least 1 message (5.0 TiB) in 1 queue\n", out)
        self.assertIn("5.0 TiB  and 2 that don't persist  first expires after the year 9999\n", out)

    def test_an_error_without_detail(self):
        def fails(path):
            raise EngineError("just so")

        self.patch(check, "check", fails)
        self.assertEqual(run("check", self.path), (2, "", "stomp-tx: just so\n"))


class UsersTests(SynchronousTestCase):
    def setUp(self):
        self.file = scratch(self) / "users"

    def typed(self, *passcodes):
        given = iter(passcodes)
        self.patch(owner.getpass, "getpass", lambda prompt: next(given))

    def test_a_user_is_added_checked_and_removed(self):
        self.typed("secret", "secret", "secret", "wrong", "secret")
        self.assertEqual(run("passwd", "add", self.file, "ann"), (0, "added ann\n", ""))
        self.assertEqual(run("passwd", "check", self.file, "ann"), (0, "ann: right\n", ""))
        self.assertEqual(run("passwd", "check", self.file, "ann"), (1, "ann: wrong passcode\n", ""))
        self.assertEqual(run("passwd", "check", self.file, "bob"), (1, "bob: no such user\n", ""))
        self.assertEqual(run("passwd", "list", self.file), (0, "ann\n", ""))
        status, out, _ = run("passwd", "remove", self.file, "ann")
        self.assertEqual(status, 0)
        self.assertIn("removed ann", out)
        self.assertEqual(run("passwd", "list", self.file), (0, "", ""))

    def test_a_passcode_is_typed_twice(self):
        self.typed("secret", "sceret")
        status, _, err = run("passwd", "add", self.file, "ann")
        self.assertEqual(status, 1)
        self.assertIn("nothing is changed", err)
        self.assertFalse(self.file.exists())

    def test_a_passcode_from_stdin(self):
        done = process("passwd", "add", "--stdin", self.file, "ann", input="secret\n", capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = process("passwd", "check", "--stdin", self.file, "ann", input="secret", capture_output=True)
        self.assertEqual((done.returncode, done.stdout), (0, "ann: right\n"))

    def test_what_can_not_be(self):
        self.typed("", "", "secret", "secret")
        self.assertIn("empty passcode", run("passwd", "add", self.file, "ann")[2])
        self.assertIn("can't be the name", run("passwd", "add", self.file, "a:b")[2])
        self.assertIn("needs the name", run("passwd", "add", self.file)[2])
        self.assertIn("no file", run("passwd", "list", self.file)[2])


class CertificateTests(SynchronousTestCase):
    def test_a_servers_and_a_clients(self):
        folder = scratch(self) / "certs"
        status, out, err = run("cert", folder, "--host", "broker.lan", "--client", "ann")
        self.assertEqual(status, 0)
        names = [Path(line).name for line in out.splitlines()]
        self.assertEqual(names, ["server.pem", "server.key", "client-ann.pem", "client-ann.key"])
        self.assertIn("ca.pem", err)

    def test_what_can_not_be(self):
        folder = scratch(self) / "certs"
        self.assertIn("a day at least", run("cert", folder, "--days", "0")[2])
        self.assertIn("can't be a common name", run("cert", folder, "--client", "../ann")[2])
