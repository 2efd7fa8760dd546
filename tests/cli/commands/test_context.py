"""stomp-tx context: what it says, and with which exit status."""

import os

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.cli.contexts import Contexts
from tests.cli.commandline import run
from tests.scratch import scratch

URL = "stomp+tls://ann@broker.example"


class ContextTests(SynchronousTestCase):
    def setUp(self):
        self.home = scratch(self)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STOMP_")}
        self.patch(os, "environ", {**kept, "XDG_CONFIG_HOME": str(self.home)})

    def says(self, *arguments):
        status, out, err = run("context", *arguments)
        self.assertEqual((status, err), (0, ""))
        return out

    def fails(self, status, said, *arguments):
        ended, out, err = run("context", *arguments)
        self.assertEqual((ended, out), (status, ""))
        self.assertEqual(err.count("\n"), 1)
        self.assertRegex(err, said)

    def test_one_is_added_selected_listed_shown_and_removed(self):
        self.assertEqual(
            self.says("add", "work", "--url", URL, "--passcode-command", "pass show x"),
            "added work; try it: stomp-tx ping --context work\n",
        )
        self.says("add", "a", "--url", "stomp://a")
        self.assertEqual(self.says("list"), f"  a     stomp://a\n  work  {URL}\n")
        self.assertEqual(self.says("select", "work"), "selected work\n")
        self.assertEqual(self.says("list"), f"  a     stomp://a\n* work  {URL}\n")
        shown = f'# {Contexts().path("work")}\nurl = "{URL}"\npasscode-command = "pass show x"\n'
        self.assertEqual(self.says("show"), shown)
        self.assertEqual(self.says("show", "work"), shown)
        self.assertEqual(self.says("select", "--none"), "no context is selected\n")
        self.assertEqual(self.says("remove", "work"), "removed work\n")
        self.assertEqual(self.says("list"), "  a  stomp://a\n")

    def test_all_that_one_says(self):
        folder = self.home / "here"
        folder.mkdir()
        before = os.getcwd()
        os.chdir(folder)
        self.addCleanup(os.chdir, before)
        self.says(
            *("add", "all", "--url", URL, "--login", "bob", "--passcode-file", "p", "--vhost", "v"),
            *("--ca-file", "/ca", "--cert", "c", "--key", "../k", "--timeout", "2.5"),
            *("--connect-header", "client-id:a"),
        )
        self.assertEqual(
            self.says("show", "all").splitlines()[1:],
            [
                f'url = "{URL}"',
                'login = "bob"',
                f'passcode-file = "{os.getcwd()}/p"',
                'vhost = "v"',
                'ca-file = "/ca"',
                f'cert = "{os.getcwd()}/c"',
                f'key = "{os.path.dirname(os.getcwd())}/k"',
                'connect-header = ["client-id:a"]',
                "timeout = 2.5",
            ],
        )

    def test_a_passcode_is_not_taken(self):
        self.fails(2, "--passcode-file or --passcode-command", "add", "a", "--url", "stomp://ann:secret@a")
        self.fails(2, "there is no context 'a'", "show", "a")

    def test_what_can_not_be(self):
        self.fails(2, "no context is selected", "show")
        for arguments in (("select",), ("select", "a", "--none")):
            self.fails(2, "NAME or --none", *arguments)
        for action in ("show", "select", "remove"):
            self.fails(2, "there is no context 'a': stomp-tx context add", action, "a")
        self.says("add", "a", "--url", "stomp://a")
        self.fails(2, "there is a context a: --replace", "add", "a", "--url", "stomp://b")
        self.says("add", "a", "--url", "stomp://b", "--replace")
        self.assertEqual(self.says("list"), "  a  stomp://b\n")

    def test_where_nothing_can_be_written_is_no_wrong_usage(self):
        (self.home / "stomp-tx").write_text("")
        self.fails(1, "can't write", "add", "a", "--url", "stomp://a")

    def test_the_list_goes_on_after_one_that_can_not_be_used(self):
        for name in ("a", "b"):
            self.says("add", name, "--url", f"stomp://{name}")
        Contexts().path("a").write_text("url")
        status, out, err = run("context", "list")
        self.assertEqual((status, out), (1, "  a  can't be used\n  b  stomp://b\n"))
        self.assertIn("a.toml: it is not TOML", err)

    def test_an_empty_list_says_what_makes_one(self):
        self.assertEqual(
            run("context", "list"), (0, "", "stomp-tx: there is no context: stomp-tx context add makes one\n")
        )

    def test_one_that_is_selected_in_vain(self):
        self.says("add", "a", "--url", "stomp://a")
        os.environ["STOMP_URL"] = "stomp://b"
        status, out, err = run("context", "select", "a")
        self.assertEqual((status, out), (0, "selected a\n"))
        self.assertIn("$STOMP_URL is set, and wins", err)

    def test_what_a_file_says_can_not_write_on_the_terminal(self):
        self.says("add", "a", "--url", "stomp://a")
        Contexts().path("a").write_text('url = "stomp://a"\nvhost = "\\u202e\\u001b[2J"')
        self.assertEqual(self.says("show", "a").splitlines()[2], 'vhost = "\\u202e\\u001b[2J"')
