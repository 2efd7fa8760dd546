"""Contexts: what is kept of them, and where."""

import os
import stat
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.cli.contexts import Context, Contexts, NoSuchContext, parsed
from stomp_tx.errors import ConfigurationError, StompError
from tests.scratch import scratch

texts = st.text(st.characters(exclude_categories=["Cs"]))
any_context = st.builds(
    Context,
    **{name: st.none() | texts for name in ("url", "login", "passcode_command", "vhost", "ca_file", "key")},
    connect_header=st.lists(texts).map(tuple),
    timeout=st.none() | st.floats(0, allow_infinity=False) | st.integers(0, 2**60),
)


class TOMLTests(SynchronousTestCase):
    @given(any_context)
    def test_what_is_written_is_read_again(self, context):
        self.assertEqual(parsed(context.toml()), context)

    def test_how_it_looks(self):
        context = Context("stomp://a", passcode_command="pass 'x' \"y\"\\z", connect_header=("a:b", "c:d"))
        self.assertEqual(
            context.toml(),
            'url = "stomp://a"\n'
            'passcode-command = "pass \'x\' \\"y\\"\\\\z"\n'
            'connect-header = ["a:b", "c:d"]\n',
        )

    def test_what_is_no_text(self):
        with self.assertRaisesRegex(ConfigurationError, "no text"):
            Context("stomp://a", login="\udcff").toml()

    def test_what_a_file_may_not_say(self):
        for text, said in (
            ('url = "a"\nlogin = ann\n', r"not TOML.*line 2"),
            ('ulr = "a"', r"unknown key 'ulr'.*there are url, login, passcode-file"),
            ('passcode = "secret"', r"unknown key 'passcode'.*passcode-command"),
            ("login = 3", 'login must be text in quotes: such as: login = "..."'),
            ('connect-header = "a:b"', r"connect-header must be a list.*\[\"client-id:ann\"\]"),
            ("connect-header = [1]", "connect-header must be a list"),
            ("timeout = true", "timeout must be a number"),
            ("timeout = nan", "timeout must be a number"),
            ("timeout = inf", "timeout must be a number"),
            ("timeout = -1", "timeout must be a number"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                parsed(text)
            self.assertRegex(raised.exception.line, said)


class CheckTests(SynchronousTestCase):
    def test_no_secret_is_kept_and_none_is_shown(self):
        for context, said in (
            (Context("stomp://ann:se-cret@broker"), "a passcode in the URL"),
            (Context("stomp://a", connect_header=("passcode:se-cret",)), "the header passcode is a secret"),
            (Context("stomp://a", connect_header=("Authorization:se-cret",)), "Authorization is a secret"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                context.check()
            line = raised.exception.line
            self.assertIn(said, line)
            self.assertIn("--passcode-file or --passcode-command", line)
            self.assertNotIn("se-cret", line)

    def test_what_can_not_be(self):
        for context, said in (
            (Context(), "there is no URL"),
            (Context("broker:61613"), "write stomp://broker:61613"),
            (Context("stomp://a", passcode_file="a", passcode_command="b"), "one of them"),
            (Context("stomp://a", ca_file="a"), "has no TLS"),
            (Context("stomp://a", connect_header=("a",)), "NAME:VALUE"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                context.check()
            self.assertIn(said, raised.exception.line)


class OverTests(SynchronousTestCase):
    kept = Context(
        "stomp+tls://ann@broker/shop",
        passcode_command="pass show ann",
        ca_file="/ca.pem",
        connect_header=("client-id:ann", "a:1"),
        timeout=5.0,
    )

    def test_what_is_not_said_is_as_in_the_other(self):
        self.assertEqual(Context().over(self.kept), replace(self.kept, login="ann"))

    def test_what_is_said_counts(self):
        told = Context("stomp+tls://other", vhost="v", connect_header=("a:2",), timeout=0.0).over(self.kept)
        self.assertEqual((told.url, told.vhost, told.timeout), ("stomp+tls://other", "v", 0.0))
        self.assertEqual(told.connect_header, ("client-id:ann", "a:1", "a:2"))
        self.assertEqual((told.login, told.passcode_command), ("ann", "pass show ann"))

    def test_a_passcode_is_that_of_its_login(self):
        for given_ in (Context(login="bob"), Context("stomp+tls://bob@broker")):
            told = given_.over(self.kept)
            self.assertEqual((told.login, told.passcode_command), ("bob", None))
        self.assertEqual(Context(login="ann").over(self.kept).passcode_command, "pass show ann")

    def test_one_file_takes_the_place_of_a_command(self):
        told = Context(passcode_file="f").over(self.kept)
        self.assertEqual((told.passcode_file, told.passcode_command), ("f", None))


class ContextsTests(SynchronousTestCase):
    def setUp(self):
        self.home = scratch(self) / "new" / "stomp-tx"
        self.contexts = Contexts(self.home)

    def write(self, name, text, mode=0o600):
        path = self.contexts.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def fails(self, said, call, *arguments, kind=StompError):
        with self.assertRaises(kind) as raised:
            call(*arguments)
        self.assertRegex(raised.exception.line, said)

    def test_one_is_kept_selected_and_removed(self):
        self.assertEqual((self.contexts.names(), self.contexts.selected()), ([], None))
        for name in ("b", "a"):
            self.contexts.add(name, Context(f"stomp://{name}"))
        self.contexts.select("b")
        again = Contexts(self.home)
        self.assertEqual(
            (again.names(), again.selected(), again.get("b").url), (["a", "b"], "b", "stomp://b")
        )
        self.contexts.remove("a")
        self.assertEqual((again.names(), again.selected()), (["b"], "b"))
        self.contexts.remove("b")
        self.assertEqual((again.names(), again.selected()), ([], None))
        self.contexts.select(None)

    def test_one_that_is_there_is_replaced_when_that_is_asked_for(self):
        self.contexts.add("a", Context("stomp://1"))
        self.fails("there is a context a: --replace", self.contexts.add, "a", Context("stomp://2"))
        self.assertEqual(self.contexts.get("a").url, "stomp://1")
        self.contexts.add("a", Context("stomp://2"), replace=True)
        self.assertEqual(self.contexts.get("a").url, "stomp://2")

    def test_they_are_for_the_user_only_and_nothing_else_is_left(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.contexts.add("a", Context("stomp://a"))
        self.contexts.select("a")
        made = {str(path.relative_to(self.home.parent)): path for path in self.home.parent.rglob("*")}
        modes = {name: stat.S_IMODE(path.stat().st_mode) for name, path in made.items()}
        self.assertEqual(
            modes,
            {
                "stomp-tx": 0o700,
                "stomp-tx/contexts": 0o700,
                "stomp-tx/contexts/a.toml": 0o600,
                "stomp-tx/selected": 0o600,
            },
        )

    def test_what_others_may_read_or_change_is_not_used(self):
        for mode in (0o640, 0o620, 0o604, 0o666):
            path = self.write("a", 'url = "stomp://a"', mode)
            self.fails(f"others may .* {path}: .* chmod 600 {path}", self.contexts.get, "a")
        (self.home / "selected").write_text("a")
        (self.home / "selected").chmod(0o644)
        self.fails("chmod 600 .*selected", self.contexts.selected)

    def test_what_belongs_to_another_user_is_not_used(self):
        path = self.write("a", 'url = "stomp://a"')
        owner = path.stat().st_uid
        self.patch(os, "geteuid", lambda: owner + 1)
        if owner != 0:  # what root has written is believed
            self.fails("belongs to another user", self.contexts.get, "a")
        else:
            os.chown(path, 12345, -1)
            self.fails("belongs to another user", self.contexts.get, "a")

    def test_a_name_that_is_not_there_is_told_with_those_that_are(self):
        unknown = NoSuchContext
        self.fails("no context 'x': stomp-tx context add", self.contexts.get, "x", kind=unknown)
        self.write("a", "")
        self.write("b", "")
        for call in (self.contexts.get, self.contexts.select, self.contexts.remove):
            for name in ("x", "../contexts/a", "a.toml", ""):
                self.fails("there is no context '.*': there are a, b", call, name, kind=unknown)

    def test_names(self):
        for name in ("", ".a", "a/b", "..", "a b", "-a", "\u00e9", "a" * 101):
            self.fails("can't be the name", self.contexts.add, name, Context("stomp://a"))
        for name in ("a", "A.b-c_d", "1"):
            self.contexts.add(name, Context("stomp://a"))
        self.write("b c", "")
        self.assertEqual(self.contexts.names(), ["1", "A.b-c_d", "a"])

    def test_what_is_wrong_in_a_file_is_told_with_the_file(self):
        for text, said in (
            ("url = \n", "it is not TOML: .*line 1"),
            ('url = "stomp://ann:secret@a"', "there is a passcode in the URL"),
            ("login = 'a'", "there is no URL"),
        ):
            path = self.write("a", text)
            self.fails(f"^{path}: {said}", self.contexts.get, "a")
            self.fails(f"^{path}: {said}", self.contexts.select, "a")
        path.write_bytes(b"\xff")
        self.fails("a.toml is not text", self.contexts.get, "a")

    def test_paths_begin_at_the_file(self):
        self.write("a", 'url = "stomp+tls://a"\nca-file = "ca.pem"\ncert = "/c.pem"\nkey = "~/key.pem"')
        context = self.contexts.get("a")
        self.assertEqual(context.ca_file, str(self.home / "contexts" / "ca.pem"))
        self.assertEqual((context.cert, context.key), ("/c.pem", os.path.expanduser("~/key.pem")))

    def test_a_link_stays_one(self):
        elsewhere = self.home.parent / "elsewhere.toml"
        path = self.write("a", "")
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
        self.contexts.add("a", Context("stomp://a"), True)
        self.assertTrue(path.is_symlink())
        self.assertEqual(elsewhere.read_text(), 'url = "stomp://a"\n')
        elsewhere.unlink()
        self.fails("can't read .*a.toml: it is a link", self.contexts.get, "a")

    def test_what_can_not_be_read_or_written(self):
        self.home.parent.mkdir()
        self.home.write_text("no folder")
        self.fails("can't write .*a.toml: ", self.contexts.add, "a", Context("stomp://a"))
        self.fails("can't read .*contexts: ", self.contexts.names)
        self.home.unlink()
        self.contexts.path("a").mkdir(parents=True)
        self.fails("can't read .*a.toml: ", self.contexts.get, "a")
        self.fails("can't remove .*a.toml: ", self.contexts.remove, "a")
        self.fails("can't write .*a.toml: ", self.contexts.add, "a", Context("stomp://a"), True)
        self.assertEqual([path.name for path in self.contexts.path("a").parent.iterdir()], ["a.toml"])

    def test_where_they_are(self):
        home = os.path.expanduser("~/.config")
        for variable, folder in (("/etc/ann", "/etc/ann"), ("", home), ("relative", home)):
            self.patch(os, "environ", {**os.environ, "XDG_CONFIG_HOME": variable})
            self.assertEqual(Contexts().path("a"), Path(folder, "stomp-tx", "contexts", "a.toml"))
