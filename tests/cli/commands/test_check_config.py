"""``stomp-tx check-config``."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.commandline import run
from tests.scratch import scratch


class CheckConfigTests(SynchronousTestCase):
    def setUp(self):
        self.path = scratch(self) / "stomp.toml"

    def check(self, text):
        self.path.write_text(text)
        return run("check-config", self.path)

    def test_a_good_one_and_what_it_means_for_those_who_connect(self):
        for text, meaning in (
            ("", "no roles: everybody who is let in may do everything"),
            ("[groups]\noffice = ['ann']", "no roles: everybody who is let in may do everything"),
            ("[roles]", "[roles] has none: nobody may do anything"),
            ("[roles.clerk]", "1 role"),
            ("[roles.a]\n[roles.b]", "2 roles"),
        ):
            status, out, _ = self.check(text)
            self.assertEqual((status, out.splitlines()), (0, [f"{self.path}: good", meaning]), text)

    def test_it_says_what_is_wrong_once(self):
        wrong = "nack must be one of redeliver, dead-letter, drop, not 'drp'"
        for text, where in (
            ("[policy]\nnack = 'drp'", "in section policy"),
            ("[policy.'/queue/a']\nnack = 'drp'", 'in section policy."/queue/a"'),
        ):
            self.assertEqual(self.check(text), (1, "", f"stomp-tx: {where}: {wrong}\n"))

    def test_what_the_broker_would_refuse_is_refused_in_the_same_words(self):
        missing = self.path.parent / "none"
        for text, words in (
            ("port = ['tpc:1']", "can't use port tpc:1"),
            ("port = ['tcp:61613', '61613']", "can't use port 61613"),
            ("port = ['marsmq:tcp:61613']", "can't use port marsmq:tcp:61613"),
            (f"port = ['stomps:61617:privateKey={missing}:certKey={missing}']", str(missing)),
            (f"port = ['ssl:61617:privateKey={missing}']", "can't use port ssl:61617"),
            ("port = ['tcp:99999']", "99999 is no port"),
            ("port = ['haproxy:tcp6:port=-1']", "-1 is no port"),
            ("port = ['unix:']", "'' is no path of a unix socket"),
            (f"port = ['unix:/{'x' * 107}']", "it has up to 107 octets"),
            ("port = ['tcp:61613', 'tcp:61613']", "can't use port tcp:61613 twice"),
            ('engine = "sqlite:x\\u0000y"', "no file can have the name"),
            (f"engine = 'sqlite:{'x' * 255}'", "file name too long"),
            ("engine = 'disk:'", "unknown engine 'disk:'"),
            ("engine = 'memory:here'", "memory: takes no arguments"),
            (f"engine = 'sqlite:{missing}/stomp.db'", f"there is no folder {missing}"),
            (f"engine = 'sqlite:{self.path}'", "is damaged"),
            ("auth = ['psswd:users']", "can't use --auth psswd:users"),
            (f"auth = ['passwd:{missing}']", str(missing)),
            (f"auth = ['jwt:{missing}:audience=stomp']", str(missing)),
        ):
            status, out, err = self.check(text)
            self.assertEqual((status, out), (1, ""), text)
            self.assertIn(words, err)
            self.assertNotIn("Traceback", err)

    def test_neither_a_port_is_opened_nor_a_file_made(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            status, _, err = self.check(f"port = ['{port}']\nengine = 'sqlite:{self.path.parent}/stomp.db'")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([one.name for one in self.path.parent.iterdir()], ["stomp.toml"])

    def test_a_bad_one(self):
        status, out, err = self.check("[rolls]")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("did you mean [roles]?", err)
