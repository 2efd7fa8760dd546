"""docs/conformance.md and docs/features.md name tests that exist, and the first leaves no point out."""

import ast
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

TESTS = Path(__file__).parent.parent
DOCS = TESTS.parent / "docs"

POINTS = 122
NAMED = re.compile(r"`([a-z0-9_/]+)::(test_[a-z0-9_]+)`")
ROW = re.compile(r"^\| (\d+) \| .* \| (.*) \|$", re.MULTILINE)


def names_in(module: str) -> set[str]:
    """The names of all functions that this file holds, tests among them; none when there is no such file."""
    file = TESTS / f"{module}.py"
    if not file.exists():
        return set()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, functions)}


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.page = (DOCS / "conformance.md").read_text(encoding="utf-8")

    def test_every_test_that_is_named_exists(self) -> None:
        for page, least in (("conformance.md", POINTS), ("features.md", 60)):
            named = NAMED.findall((DOCS / page).read_text(encoding="utf-8"))
            self.assertGreater(len(named), least)
            missing = [f"{module}::{test}" for module, test in named if test not in names_in(module)]
            self.assertEqual(missing, [])

    def test_every_point_is_shown_or_comes_later(self) -> None:
        rows = ROW.findall(self.page)
        self.assertEqual([int(number) for number, _ in rows], list(range(1, POINTS + 1)))
        for number, shown in rows:
            self.assertTrue(NAMED.match(shown) or shown == "later", f"point {number}: {shown}")
