"""The documents say what the code does."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker import session
from stomp_tx.wire.commands import VERSIONS

ROOT = Path(__file__).parent.parent


def row(state: session.State, *cells: object) -> str:
    return f"| {state.value} | " + " | ".join(", ".join(sorted(cell)) for cell in cells) + " |"


class SessionTableTests(SynchronousTestCase):
    def test_the_table_of_states_is_the_one_in_the_code(self) -> None:
        text = (ROOT / "docs/sessions.md").read_text(encoding="utf-8")
        self.assertIn(row(session.State.CONNECTING, *[session.CONNECTING] * 3), text)
        self.assertIn(row(session.State.CONNECTED, *[session.CONNECTED[one] for one in VERSIONS]), text)
        self.assertIn("| over | | | |", text)
        self.assertEqual(session.CLOSED, {})
        self.assertIn(session.State.LOGGING_IN.value, text)


class ThreatModelTests(SynchronousTestCase):
    def test_every_test_that_it_names_is_there(self) -> None:
        text = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
        named = re.findall(r"`([a-z0-9_/]+\.py)((?:::\w+)*)`", text)
        self.assertGreater(len(named), 40)
        for file, parts in named:
            source = (ROOT / "tests" / file).read_text(encoding="utf-8")
            for part in filter(None, parts.split("::")):
                self.assertRegex(source, rf"(class|def) {part}\b", f"{file}{parts}")
