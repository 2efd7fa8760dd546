"""stomp-tx repair: what it says, and with which exit status."""

from stomp_tx.engine.sqlite import repair
from stomp_tx.engine.sqlite.file_lock import FileLock
from stomp_tx.engine.sqlite.repair_copy import Loss, Repaired
from stomp_tx.engine.sqlite.salvage import Gap
from tests.cli.commandline import run
from tests.cli.filed import FileCase


class RepairTests(FileCase):
    def test_what_is_kept_and_what_is_lost(self):
        self.add("/queue/b", 2, 5)
        self.execute("UPDATE message SET head = x'ff' WHERE queue = 2 AND position IN (2, 3, 5)")
        status, out, err = run("repair", self.path)
        self.assertEqual((status, err), (1, ""))
        self.assertEqual(
            out.splitlines(),
            [
                f"{self.path}: 4 messages (3.9 KiB) in 2 queues",
                "lost: /queue/b: 3 messages: positions 2 to 3, position 5",
                f"the damaged file is kept: {self.path}.damaged",
            ],
        )
        self.assertEqual(run("check", self.path)[0], 0)
        self.assertEqual(run("check", f"{self.path}.damaged")[0], 1)

    def test_nothing_may_be_lost(self):
        self.execute("UPDATE queue SET length = 1")
        status, out, _ = run("repair", self.path)
        self.assertEqual((status, "lost" in out), (0, False))
        self.assertEqual(run("check", self.path)[0], 0)

    def test_a_good_file(self):
        self.assertEqual(run("repair", self.path), (0, f"{self.path} is good: nothing was done\n", ""))

    def test_what_can_not_be_repaired_is_as_it_was(self):
        status, out, err = run("repair", self.folder / "none.db")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("there is no", err)
        self.execute("UPDATE queue SET length = 1")
        lock = FileLock(str(self.path))
        self.addCleanup(lock.close)
        status, out, err = run("repair", self.path)
        self.assertEqual((status, out), (2, ""))
        self.assertIn("another broker uses", err)

    def test_everything_else_that_may_be_lost(self):
        places = [Gap(one, one) for one in range(1, 20, 2)]
        losses = [Loss("/queue/\x1b", 3, []), Loss("b", 1, places)]
        repaired = Repaired("kept", 1, 1, 100, losses, ["/queue/repaired.7"], True, True, ["/dsub/a"])
        self.patch(repair, "repair", lambda path, progress: repaired)
        status, out, _ = run("repair", self.path)
        self.assertEqual(status, 1)
        some = ", ".join(f"position {one}" for one in (1, 3, 5, 7, 9))
        self.assertEqual(
            out.splitlines()[1:],
            [
                r"lost: /queue/\x1b: 3 messages: it is not known where",
                f"lost: b: 1 message: {some} and 5 places more",
                "lost: the name of a queue: its messages are in /queue/repaired.7",
                "lost: the topic of /dsub/a: it gets nothing new until its subscriber comes",
                "lost: names for de-duplication: what is sent again may be taken twice",
                "lost: selectors of durable subscriptions: they keep all until their subscriber comes",
                "the damaged file is kept: kept",
            ],
        )
