"""Old names of public modules: what is asked for under one is found where it is now, with a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object  # importlib.abc would be most of what `import stomp_tx` costs

MODULES = {
    "stomp_tx.auth.checkers.workers": "stomp_tx.auth.checkers.worker_threads",
    "stomp_tx.auth.remembered": "stomp_tx.auth.passcode_cache",
    "stomp_tx.auth.watched": "stomp_tx.auth.watched_file",
    "stomp_tx.auth.written": "stomp_tx.auth.roles_file",
    "stomp_tx.certificates": "stomp_tx.net.tls.development_certificates",
    "stomp_tx.engine.worker": "stomp_tx.engine.sqlite.writer",
    "stomp_tx.keepalive": "stomp_tx.net.keepalive",
    "stomp_tx.parts": "stomp_tx.service.components",
    "stomp_tx.revocation": "stomp_tx.net.tls.revocation",
    "stomp_tx.tls": "stomp_tx.net.tls.server",
}

NAMES = {
    "stomp_tx.auth.checkers.workers": {"Workers": "WorkerThreads"},
    "stomp_tx.auth.remembered": {"Remembered": "PasscodeCache"},
    "stomp_tx.engine.worker": {"Thread": "WriterThread"},
    "stomp_tx.parts": {"Parts": "Components", "parts_of": "components_of"},
}
"""What in them has another name as well."""


class OldModule(ModuleType):
    """Has no names of its own, and looks each up where it is now."""

    def __getattr__(self, name: str) -> object:
        new = import_module(MODULES[self.__name__])
        names = NAMES.get(self.__name__, {})
        if name == "__all__":  # for `from ... import *`
            return [*names, *(one for one in vars(new) if not one.startswith("_"))]
        renamed = names.get(name, name)
        # Who goes through all modules and asks for their `__file__` or `__path__` has used no old name.
        if name.startswith("__") or not hasattr(new, renamed):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        message = f"{self.__name__}.{name} is {new.__name__}.{renamed} now"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return getattr(new, renamed)


class OldModuleLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return OldModule(spec.name, f"Moved to `{MODULES[spec.name]}`.")

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to execute."""


class OldModuleFinder:
    """The last in ``sys.meta_path``: asked when no module of that name is there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, OldModuleLoader()) if fullname in MODULES else None


def install() -> None:
    sys.meta_path.append(OldModuleFinder())
