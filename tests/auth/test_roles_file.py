"""roles_file.py: roles in a TOML file."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.roles_file import EXAMPLE
from stomp_tx.errors import ConfigurationError
from stomp_tx.service.configuration import Configuration
from stomp_tx.service.listing import written
from stomp_tx.service.reader import read
from tests.scratch import scratch

ROLES = """
[groups]
office = ["ann", "bob"]

[roles.clerk]
users = ["carol"]
groups = ["office"]
allow = ["send,subscribe /queue/orders.>"]
deny = ["send /queue/orders.audit"]

[roles."every body"]
users = ["*"]
allow = ["subscribe /topic/news"]
"""


class WrittenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = scratch(self) / "stomp.toml"

    def read(self, text: str) -> Configuration:
        self.path.write_text(text)
        return read(str(self.path))

    def refused(self, text: str) -> str:
        error = self.assertRaises(ConfigurationError, self.read, text)
        return f"{error}: {error.detail}"

    def test_roles_and_groups(self) -> None:
        access = self.read(ROLES).access
        self.assertTrue(access.may("bob", (), "send", "/queue/orders.new"))
        self.assertFalse(access.may("bob", (), "send", "/queue/orders.audit"))
        self.assertTrue(access.may("eve", (), "subscribe", "/topic/news"))

    def test_what_is_written_is_read_the_same(self) -> None:
        for text in (ROLES, "", "[roles]", "[groups]\noffice = ['ann']", "[roles]\n[groups]\na = ['b']"):
            before = self.read(text)
            self.assertEqual(self.read(written(before)).access, before.access)

    def test_without_roles_there_is_an_example(self) -> None:
        self.assertIn(EXAMPLE, written(Configuration()))
        example = "\n".join(line[1:] for line in EXAMPLE.splitlines() if not line.startswith("# "))
        access = self.read(example).access
        self.assertTrue(access.may("ann", (), "send", "/queue/orders.new"))
        self.assertFalse(access.may("ann", (), "send", "/queue/orders.audit"))
        self.assertTrue(access.may("carol", (), "browse", "/queue/notes.carol"))

    def test_hosts_are_those_there_are(self) -> None:
        role = '[roles.clerk]\nallow = ["all >"]\ndeny = ["all //Shop/queue/secret"]'
        self.assertIn("unknown virtual host 'shop' in [roles.clerk]", self.refused(role))
        self.assertIn("lab", self.refused(f'[broker]\nhosts = ["lab"]\n{role}'))
        self.assertEqual(self.read(f'[broker]\nhosts = ["SHOP"]\n{role}').broker.hosts, ("SHOP",))

    def test_an_empty_section_lets_nobody_do_anything(self) -> None:
        for text, allowed in (("[roles]", False), ("[groups]", True), ("", True), ("[roles.clerk]", False)):
            self.assertEqual(self.read(text).access.may("ann", (), "send", "/queue/a"), allowed, text)

    def test_what_is_wrong_is_named(self) -> None:
        for text, words in (
            ('[roles.clerk]\nallow = ["fly /queue/a"]', "in [roles.clerk] of"),
            ('[roles.clerk]\nalow = ["send /queue/a"]', "unknown setting alow in [roles.clerk]"),
            ('[roles.clerk]\nallow = "send /queue/a"', "allow in [roles.clerk]"),
            ("[roles]\nclerk = 7", "roles.clerk"),
            ("roles = 7", "roles in"),
            ('[groups]\noffice = "ann"', "office in [groups]"),
            ("[rolls.clerk]", "did you mean [roles]?"),
        ):
            self.assertIn(words, self.refused(text), text)
