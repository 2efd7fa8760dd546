"""The documents say what the code does."""

import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from pkgutil import iter_modules
from types import FunctionType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementedBy
from zope.interface.interface import InterfaceClass

from stomp_tx import wire
from stomp_tx.broker.session import commands
from stomp_tx.broker.session.session import State
from stomp_tx.wire.commands import VERSIONS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "newsfragments/README.md"])


def row(state: State, *cells: object) -> str:
    return f"| {state.value} | " + " | ".join(", ".join(sorted(cell)) for cell in cells) + " |"


class SessionTableTests(SynchronousTestCase):
    def test_the_table_of_states_is_the_one_in_the_code(self) -> None:
        text = (ROOT / "docs/sessions.md").read_text(encoding="utf-8")
        self.assertIn(row(State.CONNECTING, *[commands.CONNECTING] * 3), text)
        self.assertIn(row(State.CONNECTED, *[commands.CONNECTED[one] for one in VERSIONS]), text)
        self.assertIn("| over | | | |", text)
        self.assertIn(State.LOGGING_IN.value, text)


class ThreatModelTests(SynchronousTestCase):
    def test_every_test_that_it_names_is_there(self) -> None:
        text = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
        named = re.findall(r"`([a-z0-9_/]+\.py)((?:::\w+)*)`", text)
        self.assertGreater(len(named), 40)
        for file, parts in named:
            source = (ROOT / "tests" / file).read_text(encoding="utf-8")
            for part in filter(None, parts.split("::")):
                self.assertRegex(source, rf"(class|def) {part}\b", f"{file}{parts}")


class MakeTests(SynchronousTestCase):
    def test_every_target_that_the_documents_name_is_there(self) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        for path in PAGES:
            named = set(re.findall(r"(?:^|`)make ([a-z]+)\b", path.read_text(encoding="utf-8"), re.MULTILINE))
            self.assertEqual(named - targets, set(), path.name)


class PathTests(SynchronousTestCase):
    def named(self, pattern: str) -> Iterator[tuple[str, Path]]:
        """What the pages say that matches, with the page."""
        for page in PAGES:
            for found in re.findall(pattern, page.read_text(encoding="utf-8")):
                yield found, page

    def test_every_python_file_that_is_named_exists(self) -> None:
        missing = set()
        for name, page in self.named(r"(?<![\w/.-])[\w/.-]+\.py\b"):
            is_the_pages_own = f"name={name}" in page.read_text(encoding="utf-8")
            is_there = any((ROOT / folder / name).is_file() for folder in ("", "stomp_tx", "tests"))
            if not is_there and not is_the_pages_own and name != "stomp.py":  # another project's client
                missing.add((page.name, name))
        self.assertEqual(missing, set())

    def test_every_link_to_a_file_leads_to_it(self) -> None:
        missing = set()
        for target, page in self.named(r"\]\(([^)#:]+)(?:#[^)]*)?\)"):
            if not (page.parent / target).exists():
                missing.add((page.name, target))
        self.assertEqual(missing, set())

    def test_every_path_in_the_pages_for_contributors_exists(self) -> None:
        missing = set()
        for text, page in self.named(r"`([\w./-]*/[\w./-]*)`"):
            if page.name in ("CONTRIBUTING.md", "architecture.md"):
                folders = ("", "stomp_tx", "tests")
                if not any((ROOT / folder / text).exists() for folder in folders):
                    missing.add((page.name, text))
        self.assertEqual(missing, set())


PUBLIC = [
    "stomp_tx",
    "stomp_tx.broker.events",
    "stomp_tx.broker.factory",
    "stomp_tx.broker.policy",
    "stomp_tx.client",
    "stomp_tx.engine",
    "stomp_tx.errors",
    "stomp_tx.interfaces",
    "stomp_tx.message",
    "stomp_tx.protocol",
    "stomp_tx.testing",
    "stomp_tx.testing.fixtures",
    *(f"stomp_tx.wire.{one.name}" for one in iter_modules(wire.__path__)),
]


class ReferenceTests(SynchronousTestCase):
    """`make docs` makes the reference of docstrings, and fails for those that it can't read."""

    def test_every_public_name_has_a_docstring(self) -> None:
        without = []
        for module_name in PUBLIC:
            module = import_module(module_name)
            exported = getattr(module, "__all__", None)
            without += [module_name] * (not module.__doc__)
            for name in exported or vars(module):
                value = getattr(module, name)
                if exported is None:
                    is_ours = not name.startswith("_") and getattr(value, "__module__", None) == module_name
                else:
                    is_ours = name in exported
                if is_ours and isinstance(value, type | FunctionType | InterfaceClass):
                    without += undocumented(value, f"{module_name}.{name}")
        self.assertEqual(without, [])


METHODS = (FunctionType, property, staticmethod, classmethod)


def undocumented(value: Any, name: str) -> list[str]:
    """It, and what is public in it, so far as it has no docstring, not even a base's or an interface's."""
    if not isinstance(value, type):
        found = [name] * (not value.__doc__)
        if isinstance(value, InterfaceClass):
            found += [f"{name}.{part}" for part in value.names() if not value[part].__doc__]
        return found
    # A dataclass without one is given its signature instead.
    made_up = value.__doc__ is not None and value.__doc__.startswith(f"{value.__name__}(")
    found = [name] * (not value.__doc__ or made_up)
    for part, member in list(vars(value).items()):
        if part.startswith("_") or not isinstance(member, METHODS):
            continue
        promised = any(part in interface.names(all=True) for interface in implementedBy(value))
        if not promised and not getdoc(getattr(value, part)):
            found.append(f"{name}.{part}")
    return found
