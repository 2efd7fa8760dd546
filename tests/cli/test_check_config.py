"""``stomp-tx check-config``."""

from __future__ import annotations

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

    def test_a_bad_one(self):
        status, out, err = self.check("[rolls]")
        self.assertEqual((status, out), (1, ""))
        self.assertIn("did you mean [roles]?", err)
