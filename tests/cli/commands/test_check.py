"""stomp-tx check: what it says, and with which exit status."""

import json
import os
import subprocess
import sys

from stomp_tx.engine.sqlite import check
from stomp_tx.engine.sqlite.check import QueueReport, Report
from stomp_tx.engine.sqlite.reader import RESTORE
from stomp_tx.errors import EngineError
from tests.cli.commandline import CHECKOUT, process, run
from tests.cli.filed import FileCase


class CheckTests(FileCase):
    def test_check_tells_what_is_in_each_queue(self):
        self.add("/queue/b", 2, 1, expires=1_700_000_000_000)
        self.add("/dsub/ann", 3, 0, topic="/topic/news")
        self.add("/dsub/bob", 4, 0, topic="/topic/news")
        self.execute("INSERT INTO selector VALUES (3, '', 0)")
        self.execute("INSERT INTO selector VALUES (4, 'size > 3\x1b', 0)")
        status, out, err = run("check", self.path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(
            out.splitlines(),
            [
                f"{self.path}: 3 messages (2.9 KiB) in 4 queues",
                "  /dsub/ann            0        0 B  bound to /topic/news",
                "  /dsub/bob            0        0 B  bound to /topic/news  keeps size > 3\\x1b",
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
                f"DAMAGED: {RESTORE}",
            ],
        )

    def test_where_a_queue_is_damaged(self):
        self.add("/queue/b", 2, 5)
        self.execute("UPDATE message SET head = x'ff' WHERE queue = 2 AND position IN (2, 3, 5)")
        self.execute("DELETE FROM message WHERE queue = 1 AND position = 2")
        status, out, _ = run("check", "--json", self.path)
        self.assertEqual(status, 1)
        told = json.loads(out)
        self.assertFalse(told["is_whole"])
        found = [(one["name"], one["unreadable"], one["missing"]) for one in told["queues"]]
        self.assertEqual(found, [("/queue/a", [], 1), ("/queue/b", [[2, 3], [5, 5]], 0)])
        _, out, _ = run("check", self.path)
        self.assertIn("problem: message 2 of '/queue/b' has no readable headers", out)
        self.assertIn("at least ", out)

    def test_check_that_can_not_be_made(self):
        status, out, err = run("check", self.folder / "none.db")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("there is no", err)

    def test_check_for_programs(self):
        self.add("/queue/b", 2, 1, expires=1_700_000_000_000)
        status, out, _ = run("check", "--json", self.path)
        self.assertEqual(status, 0)
        queue = {"topic": None, "spilled": 0, "selector": None, "unreadable": [], "missing": 0}
        self.assertEqual(
            json.loads(out),
            {
                "file": str(self.path),
                "verdict": "good",
                "problems": [],
                "version": 2,
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
