"""What an import brings in: no more than it is for.  So it is quick, and works where the rest does not."""

import ast
import json
import os
import subprocess
import sys
from importlib import import_module
from tempfile import TemporaryDirectory
from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import stomp_tx
from stomp_tx.engine import engineFromString
from stomp_tx.engine.sqlite.backup import back_up
from stomp_tx.errors import ConfigurationError
from tests.test_layering import ROOT

BROKERS_OWN = (
    "stomp_tx.auth",
    "stomp_tx.broker",
    "stomp_tx.cli",
    "stomp_tx.engine",
    "stomp_tx.testing",
    "argon2",
    "click",
    "cronsim",
    "jwt",
    "lark",
    "ldaptor",
    "rich",
    "sqlite3",
    "twisted.cred",
    "twisted.internet.reactor",
    "twisted.web",
)
TWISTED = ("twisted", "zope")
ONLY_FOR_SOME = (*TWISTED, "argon2", "cryptography", "jwt", "lark", "rich", "sqlite3", "tomli", "tomllib")
ROOMS = tuple(
    f"stomp_tx.{room}" for room in ["auth", "broker", "client", "engine", "net", "service", "testing"]
)


def loaded(statement: str) -> list[str]:
    """The modules that are there when a new Python has executed this."""
    told = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    return json.loads(run(told).stdout)  # type: ignore[no-any-return]


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    with TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran


def among(modules: list[str], packages: tuple[str, ...]) -> list[str]:
    return [one for one in modules if any(f"{one}.".startswith(f"{name}.") for name in packages)]


class LoadedTests(SynchronousTestCase):
    def test_a_client_brings_in_nothing_of_a_broker(self) -> None:
        for statement in ("import stomp_tx.client", "from stomp_tx import StompFrameProtocol, StompError"):
            self.assertEqual(among(loaded(statement), BROKERS_OWN), [], statement)

    def test_frames_bring_in_nothing_of_twisted(self) -> None:
        for statement in (
            "import stomp_tx",
            "import stomp_tx.wire.parser",
            "from stomp_tx import Frame, FrameParser, Limits, StompError, frames",
        ):
            self.assertEqual(among(loaded(statement), (*TWISTED, *BROKERS_OWN)), [], statement)

    def test_a_broker_in_memory_brings_in_no_file_and_no_password_hashes(self) -> None:
        for statement in ("from stomp_tx import StompBrokerFactory", "import stomp_tx.testing"):
            unwanted = among(
                loaded(statement), ("sqlite3", "argon2", "lark", "jwt", "ldaptor", "twisted.web")
            )
            self.assertEqual(unwanted, [], statement)

    def test_help_and_the_tab_key_bring_in_nothing_that_only_some_commands_need(self) -> None:
        tab = "_STOMP_TX_COMPLETE='bash_complete', COMP_WORDS='stomp-tx send --h', COMP_CWORD='2'"
        for arguments, environ in (("--help", ""), ("send --help", ""), ("completion bash", ""), ("", tab)):
            modules = loaded(
                f"import contextlib, io, os\nos.environ.update({environ})\nfrom stomp_tx.cli import main\n"
                "stdout = io.TextIOWrapper(io.BytesIO(), write_through=True)\n"
                "with contextlib.redirect_stdout(stdout), contextlib.suppress(SystemExit):\n"
                f"    main({arguments.split()})\n"
                "assert stdout.buffer.getvalue()"
            )
            self.assertEqual(among(modules, (*ONLY_FOR_SOME, *ROOMS)), [], arguments or tab)
            # Each is a file to be found and read: with these it takes a fifth of a second.
            self.assertLess(len(modules), 250, arguments or tab)


WITHOUT_FCNTL = "import sys; sys.modules['fcntl'] = None; "

PURE = [f"tests.wire.{path.stem}" for path in (ROOT / "tests/wire").glob("test_*.py")]
OF_CLIENTS = [f"tests.client.{name}" for name in ("test_deferred", "test_codecs", "test_url")]
IN_MEMORY = [
    "tests.client.session.test_message",
    "tests.client.session.test_unsettled",
    "tests.client.session.test_requests",
    "tests.client.session.test_transaction",
    "tests.engine.memory.test_engine",
]


class WithoutFcntlTests(SynchronousTestCase):
    """As on Windows, which has no such module."""

    def test_everything_can_be_imported(self) -> None:
        run(f"{WITHOUT_FCNTL} import stomp_tx.client")
        run(f"{WITHOUT_FCNTL} import stomp_tx.tap, stomp_tx.testing, stomp_tx.cli.main")

    def test_frames_the_client_and_a_broker_in_memory_do_what_they_do_elsewhere(self) -> None:
        # (Not by pytest: the reactor that it would install needs fcntl here.)
        run(f"{WITHOUT_FCNTL} import unittest; unittest.main(None)", *PURE, *OF_CLIENTS, *IN_MEMORY)

    def test_what_else_windows_has_not_is_not_missed(self) -> None:
        windows = (
            f"{WITHOUT_FCNTL} import os, signal; del os.geteuid, os.chown, signal.SIGHUP; import unittest;"
        )
        version = "tests.cli.test_main.CommandLineTests.test_version"
        users = (
            "tests.auth.test_passwords.PasswordFileTests.test_only_the_owner_may_read_it_and_modes_are_kept"
        )
        run(f"{windows} unittest.main(None)", version, users)
        reload = (
            "from stomp_tx.service.reload import ReloadService; one = ReloadService(None, None, None, None)"
        )
        run(f"{windows} {reload}; one.startService(); one.stopService()")

    def test_messages_in_a_file_are_refused_and_it_says_what_to_do(self) -> None:
        self.patch(sys, "platform", "win32")
        before = sorted(os.listdir())
        with patch.dict(sys.modules, {"fcntl": None}):
            with self.assertRaisesRegex(ConfigurationError, "no messages in files on win32") as raised:
                engineFromString("sqlite:", Clock()).check()
            self.assertIn("write --engine memory:", raised.exception.detail)
            with self.assertRaises(ConfigurationError):
                back_up("stomp.db", "copy.db")
            self.assertEqual(sorted(os.listdir()), before)


class PublicNameTests(SynchronousTestCase):
    """`stomp_tx` brings in what its names are of when somebody asks for them."""

    def test_every_name_is_there(self) -> None:
        for name in stomp_tx.__all__:
            self.assertIs(getattr(stomp_tx, name), vars(stomp_tx)[name])  # kept: found at once the next time
        self.assertLessEqual(set(stomp_tx.__all__), set(dir(stomp_tx)))

    def test_each_is_what_type_checkers_take_it_for(self) -> None:
        said = {}
        for node in ast.walk(ast.parse((ROOT / "stomp_tx/__init__.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("stomp_tx."):
                said.update({alias.name: str(node.module) for alias in node.names})
        self.assertEqual(sorted([*said, "__version__"]), sorted(stomp_tx.__all__))
        for name, module in said.items():
            self.assertIs(getattr(stomp_tx, name), getattr(import_module(module), name), name)

    def test_all_of_them_at_once(self) -> None:
        ran = run(
            "from stomp_tx import *; print(StompBrokerFactory.__name__, Connected.__name__, frames.send)"
        )
        self.assertIn("StompBrokerFactory Connected", ran.stdout)

    def test_another_name_is_an_error_as_usual(self) -> None:
        with self.assertRaisesRegex(AttributeError, "'stomp_tx' has no attribute 'StompBroker'"):
            stomp_tx.StompBroker  # noqa: B018
        with self.assertRaises(ImportError):
            exec("from stomp_tx import StompBroker")
