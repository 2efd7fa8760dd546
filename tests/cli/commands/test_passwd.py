"""stomp-tx passwd: what it says, and with which exit status."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.cli.commands import passwd
from tests.cli.commandline import process, run
from tests.scratch import scratch


class UsersTests(SynchronousTestCase):
    def setUp(self):
        self.file = scratch(self) / "users"

    def typed(self, *passcodes):
        given = iter(passcodes)
        self.patch(passwd.getpass, "getpass", lambda prompt: next(given))

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

    def test_without_a_terminal_it_says_what_to_do(self):
        done = process(
            "passwd", "add", self.file, "ann", input="a\na\n", capture_output=True, start_new_session=True
        )
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr.removeprefix("stomp-tx: there is no terminal to ask for the passcode: "),
            "write it to stdin, and use --stdin\n",
        )
        self.assertFalse(self.file.exists())

    def test_what_can_not_be(self):
        self.typed("", "", "secret", "secret")
        self.assertIn("empty passcode", run("passwd", "add", self.file, "ann")[2])
        self.assertIn("can't be the name", run("passwd", "add", self.file, "a:b")[2])
        status, _, said = run("passwd", "add", self.file)
        self.assertEqual(status, 2)
        self.assertIn("needs the name", said)
        self.assertIn("no file", run("passwd", "list", self.file)[2])
