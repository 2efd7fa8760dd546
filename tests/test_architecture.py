"""docs/architecture.md shows the sources as they are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

NAMED = re.compile(r"`?\b([A-Za-z]\w*(?:\.\w+)?)`?[ |]+`?([\w/]+\.py)\b")
"""A name and the file that it is in, on one line of a drawing; a table has them the other way round."""

ROW = re.compile(r"^\| .* \| `([\w/]+\.py)` \| `([\w.]+)` \|$", re.MULTILINE)


def names_in(file: str) -> set[str]:
    """What this file of stomp_tx defines: functions, classes, and what is in those, as ``Class.name``."""
    tree = ast.parse((ROOT / "stomp_tx" / file).read_text(encoding="utf-8"))
    return set(_defined(tree))


def _defined(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _defined(node, f"{node.name}.")


class PageTests(SynchronousTestCase):
    def test_the_drawings_are_of_these_sources(self) -> None:
        try:
            from docs import architecture
        except ImportError:
            raise SkipTest("import-linter is not installed: pip install -e '.[test]'") from None
        page = architecture.PAGE.read_text(encoding="utf-8")
        self.assertEqual(page, architecture.renewed(page), "python -m docs.architecture makes it anew")

    def test_what_it_says_where_to_look_for_is_there(self) -> None:
        rows = ROW.findall((DOCS / "architecture.md").read_text(encoding="utf-8"))
        self.assertGreater(len(rows), 30)
        self.assertEqual([row for row in rows if row[1] not in names_in(row[0])], [])

    def test_the_life_of_a_message_passes_where_it_says(self) -> None:
        found = NAMED.findall(
            "\n".join(drawings((DOCS / "life-of-a-message.md").read_text(encoding="utf-8")))
        )
        self.assertGreater(len(found), 14)
        self.assertEqual([one for one in found if one[0] not in names_in(one[1])], [])


def drawings(page: str) -> list[str]:
    """What stands between lines of ```."""
    return page.split("```")[1::2]


class DrawingTests(SynchronousTestCase):
    def test_arrows_that_others_imply_are_left_out(self) -> None:
        try:
            from docs.architecture import reduced
        except ImportError:
            raise SkipTest("import-linter is not installed: pip install -e '.[test]'") from None
        arrows = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
        self.assertEqual(reduced(arrows), {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()})
