"""Who may import whom: the contracts of import-linter, and the reactor, which they cannot single out."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).parent.parent

CONTRACTS = ("pyproject.toml", "import-contracts-with-types.toml")

MAY_IMPORT_THE_REACTOR = {
    "stomp_tx/tap.py",
    "stomp_tx/auth/factories.py",  # twisted.cred passes none
    "stomp_tx/broker/factory.py",  # for callers who name no reactor
    "stomp_tx/client/event_loop.py",  # the same
}


def imported_names(source: str) -> Iterator[str]:
    """Every dotted name that an import anywhere in this source brings in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_the_reactor(source: str) -> bool:
    return any(f"{name}.".startswith("twisted.internet.reactor.") for name in imported_names(source))


class LayeringTests(SynchronousTestCase):
    def test_import_contracts_are_kept(self):
        try:
            import importlinter  # noqa: F401
        except ImportError:
            raise SkipTest("import-linter is not installed: pip install -e '.[test]'") from None
        lint = "import sys; from importlinter.cli import lint_imports_command as lint; lint(sys.argv[1:])"
        options = ["--no-cache", "--no-logo", *CONTRACTS]
        ran = subprocess.run([sys.executable, "-c", lint, *options], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, f"\n{ran.stdout}{ran.stderr}")
        self.assertIn("No circles, not even for types", ran.stdout)

    def test_make_lint_looks_at_them_all(self):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        self.assertIn(f"/lint-imports --no-cache --no-logo {' '.join(CONTRACTS)}\n", makefile)

    def test_only_the_edges_import_the_reactor(self):
        sources = (ROOT / "stomp_tx").rglob("*.py")
        importing = {
            source.relative_to(ROOT).as_posix()
            for source in sources
            if imports_the_reactor(source.read_text(encoding="utf-8"))
        }
        importing = {name for name in importing if not name.startswith("stomp_tx/cli/")}
        self.assertEqual(importing - MAY_IMPORT_THE_REACTOR, set())

    def test_every_way_to_import_the_reactor_is_seen(self):
        for source in (
            "from twisted.internet import reactor",
            "from twisted.internet import defer, reactor as r",
            "import twisted.internet.reactor",
            "def late():\n    from twisted.internet.reactor import callLater",
        ):
            self.assertTrue(imports_the_reactor(source), source)
        self.assertFalse(imports_the_reactor("from twisted.internet import reactors, defer"))
