"""The tests mirror the tree: `tests/broker/test_policy.py` tests `stomp_tx/broker/policy.py`.

A file of tests that are about several modules says in its docstring what they are about.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.test_layering import ROOT

PACKAGE, TESTS = ROOT / "stomp_tx", ROOT / "tests"
FOLDERS = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]


def mirroring() -> list[Path]:
    """The files of tests below folders that are the package's, too."""
    return sorted(path for name in FOLDERS for path in (TESTS / name).rglob("test_*.py"))


def of_no_module(test: Path) -> bool:
    tested = PACKAGE / test.relative_to(TESTS).parent / test.stem.removeprefix("test_")
    return not tested.with_suffix(".py").exists() and not tested.is_dir()


def docstring(test: Path) -> str:
    return ast.get_docstring(ast.parse(test.read_text(encoding="utf-8"))) or ""


@cache
def sources() -> list[str]:
    found = (*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py"))
    return [f"/{path.relative_to(ROOT).as_posix()}" for path in found]


def missing(test: Path) -> list[str]:
    """The modules that its docstring names, and that are not there."""
    named = re.findall(r"[\w/]+\.py\b", docstring(test))
    return [name for name in named if not any(path.endswith(f"/{name}") for path in sources())]


class MirrorTests(SynchronousTestCase):
    def test_each_folder_of_tests_is_one_of_the_package(self) -> None:
        folders = {path.parent.relative_to(TESTS) for path in mirroring()}
        self.assertEqual([str(one) for one in sorted(folders) if not (PACKAGE / one).is_dir()], [])

    def test_what_is_of_no_module_says_what_it_is_about(self) -> None:
        silent = [str(path) for path in mirroring() if of_no_module(path) and not docstring(path)]
        self.assertEqual(silent, [])

    def test_every_module_that_a_docstring_names_is_there(self) -> None:
        wrong = {str(path.relative_to(TESTS)): missing(path) for path in sorted(TESTS.rglob("test_*.py"))}
        self.assertEqual({path: names for path, names in wrong.items() if names}, {})

    def test_what_has_moved_is_seen(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        test = folder / "test_old.py"
        test.write_text('"""net/rate.py and old.py: what they do."""\n', encoding="utf-8")
        self.assertEqual(missing(test), ["old.py"])
        self.assertTrue(of_no_module(TESTS / "net/test_old.py"))
        self.assertFalse(of_no_module(TESTS / "net/test_heartbeat.py"))
