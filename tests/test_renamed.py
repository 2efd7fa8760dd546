"""Public modules that have moved are found by their old names, too."""

import json
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx import _renamed
from tests.test_imports import run

PUBLIC = {
    "stomp_tx.auth.checkers.workers": "AT_A_TIME FAVOURED WAITING Workers",
    "stomp_tx.auth.remembered": "NONE USERS Remembered",
    "stomp_tx.auth.watched": "WatchedFile",
    "stomp_tx.auth.written": "access_list written_access",
    "stomp_tx.certificates": "LOCAL Authority",
    "stomp_tx.engine.worker": "Thread",
    "stomp_tx.keepalive": "Keepalive",
    "stomp_tx.parts": "Parts checkers_of parts_of",
    "stomp_tx.revocation": "SOON RevocationLists is_revoked",
    "stomp_tx.tls": "ServerContext TLSParser asks_for_certificates pass_over_protocols reload_certificates",
}
"""What the reference told of, before they moved."""


class RenamedTests(SynchronousTestCase):
    def test_every_public_name_is_the_same_at_its_old_place(self) -> None:
        self.assertEqual(set(_renamed.MODULES), set(PUBLIC))
        for module, names in PUBLIC.items():
            new = import_module(_renamed.MODULES[module])
            old = import_module(module)
            for name in names.split():
                renamed = _renamed.NAMES.get(module, {}).get(name, name)
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    self.assertIs(getattr(old, name), getattr(new, renamed))
                [told] = caught
                self.assertIs(told.category, DeprecationWarning)
                self.assertEqual(str(told.message), f"{module}.{name} is {new.__name__}.{renamed} now")

    def test_the_warning_is_about_the_line_that_uses_the_old_name(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            from stomp_tx.keepalive import Keepalive  # type: ignore[import-not-found]  # noqa: F401
        self.assertEqual([told.filename for told in caught], [__file__])

    def test_a_star_brings_all_public_names(self) -> None:
        names: dict[str, object] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec("from stomp_tx.auth.remembered import *", names)
        self.assertIs(names["Remembered"], import_module("stomp_tx.auth.passcode_cache").PasscodeCache)
        self.assertIn("USERS", names)

    def test_looking_at_all_modules_warns_of_none(self) -> None:
        old = import_module("stomp_tx.tls")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertFalse(hasattr(old, "__path__"))
            self.assertFalse(hasattr(old, "__file__"))
            self.assertFalse(hasattr(old, "no_such_name"))

    def test_no_such_module_is_no_such_module(self) -> None:
        self.assertIsNone(find_spec("stomp_tx.no_such_module"))
        with self.assertRaises(ModuleNotFoundError):
            import_module("stomp_tx.no_such_module")

    def test_it_is_asked_last_and_by_its_own_import_loads_nothing(self) -> None:
        told = run(
            "import json, stomp_tx, sys; print(json.dumps([str(sys.meta_path[-1]), sorted(sys.modules)]))"
        )
        last, modules = json.loads(told.stdout)
        self.assertIn("_renamed.OldModuleFinder", last)
        self.assertEqual({*_renamed.MODULES, *_renamed.MODULES.values(), "tempfile"} & set(modules), set())
        self.assertEqual(sum(isinstance(one, _renamed.OldModuleFinder) for one in sys.meta_path), 1)
