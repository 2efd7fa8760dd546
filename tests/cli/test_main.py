"""The command line as a whole."""

from __future__ import annotations

import re
import shlex
import sqlite3
import sys

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx import __version__
from stomp_tx.cli.commands.context import context
from stomp_tx.cli.main import stomp_tx
from tests.cli.commandline import process, run


def commands(group, *names):
    return [([*names, name], command) for name, command in group.commands.items()]


class CommandLineTests(SynchronousTestCase):
    def test_help_lists_the_commands(self):
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        words = " ".join(out.split())
        for name, command in stomp_tx.commands.items():
            self.assertIn(f"{name} {command.short_help}", words)

    def test_help_of_each_command_has_an_example_that_it_understands(self):
        for names, command in [*commands(stomp_tx), *commands(context, "context")]:
            status, out, _ = run(*names, "--help")
            self.assertEqual(status, 0)
            examples = re.findall(r"^ +(?:.*\| )?stomp-tx (.*)$", out.partition("examples:")[2], re.MULTILINE)
            self.assertTrue(examples, names)
            for example in examples:
                words = shlex.split(re.sub(r"\$\(.*?\)", "today", example).split(" > ")[0])
                self.assertEqual(words[: len(names)], names)
                command.make_context(names[-1], words[len(names) :])  # raises UsageError
            self.assertLess(max(map(len, out.splitlines())), 100)

    def test_help_tells_of_a_commands_own_options_before_those_that_all_have(self):
        for name in ("send", "subscribe", "browse", "request", "reply", "ping", "bench"):
            options = re.findall(r"^  (?:-\w, )?--([a-z-]+)", run(name, "--help")[1], re.MULTILINE)
            self.assertEqual(options[-12:-10], ["context", "url"], name)
            self.assertEqual(options[-1], "help")

    def test_version(self):
        self.assertEqual(
            run("--version")[:2], (0, f"stomp-tx {__version__}, SQLite {sqlite3.sqlite_version}\n")
        )

    def test_what_it_does_not_know_is_told_with_the_usage(self):
        for arguments in ([], ["bakcup"], ["check"], ["check", "a", "b"], ["send", "a", "--nonsense"]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("Usage: stomp-tx", err)

    def test_it_is_a_module_too_and_starts_without_the_reactor(self):
        code = (
            "import sys, runpy; sys.argv = ['stomp-tx', 'check', 'none.db']\n"
            "try: runpy.run_module('stomp_tx', run_name='__main__')\n"
            "except SystemExit as end: print(end.code, 'twisted.internet.reactor' in sys.modules)"
        )
        ran = process(command=(sys.executable, "-c", code), capture_output=True)
        self.assertEqual(ran.stdout, "2 False\n")
        self.assertEqual(
            ran.stderr,
            "stomp-tx: there is no none.db: name the file that the broker has: --engine sqlite:PATH\n",
        )

    def test_completion(self):
        for shell in ("bash", "zsh", "fish"):
            status, out, _ = run("completion", shell)
            self.assertEqual(status, 0)
            self.assertIn("_STOMP_TX_COMPLETE", out)
