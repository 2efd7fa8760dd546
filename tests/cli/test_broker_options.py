"""Which broker a command speaks to, and as whom: options, the environment, contexts."""

import contextlib
import io
import os
import shlex

import click
from click.shell_completion import ShellComplete
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.cli.broker_options import broker_options
from stomp_tx.cli.contexts import Context, Contexts
from stomp_tx.cli.main import stomp_tx
from stomp_tx.cli.usage import WrongUsage
from stomp_tx.errors import ConfigurationError, StompError
from tests.scratch import scratch


class TargetCase(SynchronousTestCase):
    def setUp(self):
        self.home = scratch(self)
        self.environ()
        self.contexts = Contexts()
        self.contexts.add("work", self.context("stomp+tls://ann@work/shop", "ann's", ca_file="/ca.pem"))
        self.contexts.add("test", self.context("stomp://bob@test", "bob's"))

    def environ(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STOMP_")}
        self.patch(os, "environ", {**kept, "XDG_CONFIG_HOME": str(self.home), **more})

    def context(self, url, passcode, **more):
        return Context(url, passcode_command=f"echo {shlex.quote(passcode)}; echo more", **more)

    def target(self, *arguments):
        targets = []
        command = click.command()(broker_options(targets.append))
        self.err = io.StringIO()
        with contextlib.redirect_stderr(self.err):
            command.main(arguments, standalone_mode=False)
        (target,) = targets
        return target

    def goes(self, endpoint, login, passcode, *arguments):
        target = self.target(*arguments)
        self.assertEqual(
            (target.endpoint, target.options["login"], target.options["passcode"]),
            (endpoint, login, passcode),
        )
        return target

    def fails(self, said, *arguments, kind=WrongUsage):
        with self.assertRaises(kind) as raised:
            self.target(*arguments)
        self.assertRegex(raised.exception.line, said)


WORK, TEST = "tls:work:61613", "tcp:test:61613"


class WhichBrokerTests(TargetCase):
    def test_the_one_on_this_machine_where_nothing_is_said(self):
        self.assertEqual(self.goes("tcp:127.0.0.1:61613", None, None).options["connect_timeout"], 30.0)

    def test_the_context_that_is_named(self):
        target = self.goes(WORK, "ann", "ann's", "--context", "work")
        self.assertEqual((target.ca_file, target.options["host"]), ("/ca.pem", "shop"))

    def test_the_one_that_is_selected_else(self):
        self.contexts.select("work")
        self.goes(WORK, "ann", "ann's")
        self.goes(TEST, "bob", "bob's", "--context", "test")

    def test_options_win_over_a_context(self):
        self.contexts.select("work")
        for named in ((), ("--context", "work")):
            more = ("--vhost", "v", "--timeout", "3", "--ca-file", "c")
            target = self.goes(WORK, "ann", "ann's", *named, *more)
            self.assertEqual((target.ca_file, target.options["host"]), ("c", "v"))
            self.assertEqual(target.options["connect_timeout"], 3.0)
        (self.home / "passcode").write_text("another\n")
        self.goes(WORK, "ann", "another", "--passcode-file", str(self.home / "passcode"))

    def test_headers_of_both(self):
        self.contexts.add("c", Context("stomp://c", connect_header=("a:1", "b:1")))
        target = self.target("--context", "c", "--connect-header", "b:2")
        self.assertEqual(target.options["headers"], {"a": "1", "b": "2"})

    def test_a_url_that_is_typed_is_reached_as_the_context_that_is_typed_says(self):
        self.goes("tls:other:1", "ann", "ann's", "--context", "work", "--url", "stomp+tls://other:1")
        self.fails("no TLS", "--context", "work", "--url", "stomp://other:1")

    def test_a_url_without_a_context_has_nothing_of_the_selected_one(self):
        self.contexts.select("work")
        self.assertIsNone(self.goes("tcp:other:1", None, None, "--url", "stomp://other:1").ca_file)
        self.environ(STOMP_URL="stomp://other:1")
        self.assertIsNone(self.goes("tcp:other:1", None, None).ca_file)
        self.environ(STOMP_URL="")
        self.goes(WORK, "ann", "ann's")

    def test_the_context_that_is_typed_wins_over_the_environment(self):
        self.environ(STOMP_URL="stomp://eve:eve's@other:1", STOMP_PASSCODE="eve's")
        self.goes(WORK, "ann", "ann's", "--context", "work")

    def test_a_passcode_in_the_environment_wins_over_the_selected_context_s(self):
        self.contexts.select("work")
        self.environ(STOMP_PASSCODE="new")
        self.goes(WORK, "ann", "new")

    def test_and_serves_a_context_that_has_none(self):
        self.contexts.add("bare", Context("stomp://ann@bare"))
        self.fails("no passcode for ann", "--context", "bare")
        self.environ(STOMP_PASSCODE="secret")
        self.goes("tcp:bare:61613", "ann", "secret", "--context", "bare")

    def test_another_login_does_not_get_the_passcode_of_this_one(self):
        self.fails("no passcode for eve", "--context", "work", "--login", "eve")
        self.fails("no passcode for eve", "--context", "work", "--url", "stomp+tls://eve@other")
        self.environ(STOMP_PASSCODE="eve's")
        self.goes(WORK, "eve", "eve's", "--context", "work", "--login", "eve")

    def test_which_context_is_used_is_told_when_asked_for(self):
        self.target("--context", "work")
        self.assertEqual(self.err.getvalue(), "")
        self.target("--context", "work", "--verbose")
        self.assertEqual(self.err.getvalue(), "stomp-tx: context work: stomp+tls://ann@work/shop\n")
        self.contexts.select("test")
        self.target("-v")
        self.assertEqual(self.err.getvalue(), "stomp-tx: context test (selected): stomp://bob@test\n")
        self.environ(STOMP_URL="stomp://other")
        self.target("-v")
        self.assertEqual(self.err.getvalue(), "")

    def test_one_that_is_not_there(self):
        self.fails("no context 'wrok': there are test, work", "--context", "wrok")
        self.contexts.select("work")
        self.contexts.path("work").unlink()
        self.fails("no context 'work', and it is selected: .*context select .*; there are test")


class PasscodeCommandTests(TargetCase):
    def command(self, command):
        self.contexts.add("c", Context("stomp://ann@c", passcode_command=command), replace=True)
        return ("--context", "c")

    def test_it_can_not_read_the_body_of_a_message(self):
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"body")
        os.close(writing)
        stdin = os.dup(0)
        self.addCleanup(os.close, stdin)
        os.dup2(reading, 0)
        self.addCleanup(os.dup2, stdin, 0)
        self.goes("tcp:c:61613", "ann", "secret", *self.command("cat; echo secret"))

    def test_what_goes_wrong_with_it(self):
        for command, said in (
            ("exit 3", "the passcode-command 'exit 3' has ended with status 3"),
            ("true", "'true' wrote nothing"),
            (r"printf '\377'", "wrote no text"),
        ):
            self.fails(said, *self.command(command), kind=ConfigurationError)

    def test_it_is_not_run_in_vain(self):
        arguments = self.command("exit 3")
        (self.home / "passcode").write_text("another\n")
        self.goes("tcp:c:61613", "ann", "another", *arguments, "--passcode-file", str(self.home / "passcode"))
        self.contexts.select("c")
        self.environ(STOMP_PASSCODE="secret")
        self.goes("tcp:c:61613", "ann", "secret")


class CompletionTests(TargetCase):
    def completed(self, *words):
        *before, begun = words
        shell = ShellComplete(stomp_tx, {}, "stomp-tx", "_STOMP_TX_COMPLETE")
        return [item.value for item in shell.get_completions(before, begun)]

    def test_names_of_contexts(self):
        self.contexts.add("w", Context("stomp://w"))
        self.assertEqual(self.completed("send", "--context", ""), ["test", "w", "work"])
        self.assertEqual(self.completed("send", "--context", "w"), ["w", "work"])
        for command in ("show", "select", "remove"):
            self.assertEqual(self.completed("context", command, "te"), ["test"])

    def test_none_where_they_can_not_be_read(self):
        self.environ(XDG_CONFIG_HOME=str(self.contexts.path("work")))
        self.assertRaises(StompError, Contexts().names)
        self.assertEqual(self.completed("send", "--context", ""), [])
