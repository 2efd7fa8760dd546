"""Contexts: brokers that the user has given names, in a TOML file each.

::

    $XDG_CONFIG_HOME/stomp-tx/contexts/NAME.toml    a context; its keys are options of ``context add``
    $XDG_CONFIG_HOME/stomp-tx/selected              the name of the one that is used where none is named

Without that variable it is ``~/.config/stomp-tx``.  A change writes one file, and leaves the others alone.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from stomp_tx.errors import ConfigurationError, StompError

NO_PASSCODE = "the passcode is not stored: name what it comes from, --passcode-file or --passcode-command"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

_PATHS = ("passcode_file", "ca_file", "cert", "key")

_OTHERS = 0o077


@dataclass(frozen=True)
class Context:
    """How a broker is reached; None: nothing is said of that.

    passcode_file -- its first line is the passcode
    passcode_command -- the first line that it writes is the passcode
    connect_header -- ``NAME:VALUE``, each
    timeout -- seconds
    """

    url: str | None = None
    login: str | None = None
    passcode_file: str | None = None
    passcode_command: str | None = None
    vhost: str | None = None
    ca_file: str | None = None
    cert: str | None = None
    key: str | None = None
    connect_header: tuple[str, ...] = ()
    timeout: float | None = None

    @property
    def who(self) -> str | None:
        """The login, which may be in the URL.  Raises ConfigurationError for a URL that is none."""
        from stomp_tx.client.url import BrokerURL

        return self.login or (None if self.url is None else BrokerURL.parse(self.url).login)

    def over(self, other: Context) -> Context:
        """What this one says, and the other one where this one says nothing.

        The other one's passcode is that of its login: it is left out where this one says another login.
        """
        if self.passcode_file is not None or self.who not in (None, other.who):
            other = replace(other, passcode_file=None, passcode_command=None)
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        said["connect_header"] = (
            *other.connect_header,
            *self.connect_header,
        )  # the last one of a name counts
        said["login"] = self.who or other.who
        return replace(other, **said)

    def check(self) -> None:
        """Raises ConfigurationError for what can't be used, and for secrets: they are not stored."""
        from stomp_tx.client.url import BrokerURL
        from stomp_tx.wire.frame import SECRET

        if self.url is None:
            raise ConfigurationError("there is no URL", "it is needed, such as stomp+tls://broker.example")
        broker = BrokerURL.parse(self.url)
        if broker.passcode is not None:
            raise ConfigurationError("there is a passcode in the URL", NO_PASSCODE)
        if self.passcode_file is not None and self.passcode_command is not None:
            raise ConfigurationError(
                "there are a passcode-file and a passcode-command", "it takes one of them"
            )
        if (self.ca_file or self.cert or self.key) and not broker.endpoint.startswith("tls:"):
            raise ConfigurationError(f"{self.url} has no TLS", "ca-file, cert and key are for stomp+tls://")
        for line in self.connect_header:
            name, colon, _ = line.partition(":")
            if not name or not colon:
                raise ConfigurationError(
                    "there is a connect-header without a colon", "write it as NAME:VALUE"
                )
            if SECRET.search(name):
                raise ConfigurationError(f"the header {name} is a secret", NO_PASSCODE)

    def absolute(self, folder: str) -> Context:
        """With paths that mean the same everywhere: they were written in this folder."""
        paths: dict[str, Any] = {
            name: os.path.abspath(os.path.join(folder, os.path.expanduser(path)))
            for name in _PATHS
            if (path := getattr(self, name)) is not None
        }
        return replace(self, **paths)

    def toml(self) -> str:
        """As its file has it; see ``parsed``.  Raises ConfigurationError for what is no text."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        lines = [
            f"{_key(name)} = {_toml(value)}\n" for name, value in said.items() if value not in (None, ())
        ]
        try:
            "".join(lines).encode()
        except UnicodeEncodeError:
            raise ConfigurationError("there is an argument that is no text in UTF-8") from None
        return "".join(lines)


def _key(name: str) -> str:
    return name.replace("_", "-")


def _toml(value: object) -> str:
    # For these kinds JSON is TOML, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def parsed(text: str) -> Context:
    """What this TOML says.  Raises ConfigurationError, with the line where it is not TOML."""
    if sys.version_info >= (3, 11):  # (not above: --help needs none)
        import tomllib
    else:
        import tomli as tomllib

    try:
        table = tomllib.loads(text)
    except ValueError as error:
        raise ConfigurationError("it is not TOML", str(error)) from None
    known = {_key(one.name): one.name for one in fields(Context)}
    said: dict[str, object] = {}
    for key, value in table.items():
        if key not in known:
            raise ConfigurationError(f"unknown key {key!a}", f"there are {', '.join(known)}")
        is_right, kind = _KINDS.get(key, _TEXT)
        if not is_right(value):
            raise ConfigurationError(
                f"{key} must be {kind}", "such as: " + _EXAMPLES.get(key, f'{key} = "..."')
            )
        said[known[key]] = tuple(value) if isinstance(value, list) else value
    return Context(**said)  # type: ignore[arg-type]  # their types were just looked at


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


_TEXT: tuple[Callable[[object], bool], str] = (_is_text, "text in quotes")
_KINDS = {"connect-header": (_is_texts, "a list of text"), "timeout": (_is_seconds, "a number of seconds")}
_EXAMPLES = {"connect-header": 'connect-header = ["client-id:ann"]', "timeout": "timeout = 30"}


class Contexts:
    """Those of the user.

    Every method raises ConfigurationError for what can't be used, and StompError where files can't be read or
    written.

    folder -- None: the user's own
    """

    def __init__(self, folder: Path | None = None) -> None:
        home = os.environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(home):  # as its specification says
            home = os.path.expanduser("~/.config")
        self._home = folder or Path(home, "stomp-tx")
        self._folder = self._home / "contexts"
        self._selected = self._home / "selected"

    def names(self) -> list[str]:
        """All of them."""
        try:
            stems = [Path(name).stem for name in os.listdir(self._folder) if name.endswith(".toml")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _cannot("read", self._folder, error) from None
        return sorted(stem for stem in stems if _NAME.fullmatch(stem))

    def path(self, name: str) -> Path:
        """Its file."""
        return self._folder / f"{name}.toml"

    def get(self, name: str) -> Context:
        """The one of this name, checked."""
        self._must_be_there(name)
        path = self.path(name)
        text = _read(path)
        if text is None:
            raise StompError(f"can't read {path}", "it is a link to what is not there")
        try:
            context = parsed(text)
            context.check()
        except StompError as error:
            raise ConfigurationError(f"{path}: {error.summary}", error.hint) from None
        return context.absolute(str(self._folder))

    def selected(self) -> str | None:
        """The name of the one that is used where none is named; None: none is selected."""
        return (_read(self._selected) or "").strip() or None

    def add(self, name: str, context: Context, replace: bool = False) -> None:
        """Keep it under this name.

        replace -- one of that name that there is; without this it is an error that there is one
        """
        if _NAME.fullmatch(name) is None:
            raise ConfigurationError(
                f"{name!a} can't be the name of a context", "it has letters, digits, and _ . - between them"
            )
        context.check()
        if not replace and self.path(name).exists():
            raise ConfigurationError(f"there is a context {name}", "--replace puts this one in its place")
        self._write(self.path(name), context.toml())

    def select(self, name: str | None) -> None:
        """This one is used where none is named; None: none is."""
        if name is None:
            _remove(self._selected)
        else:
            self.get(name)
            self._write(self._selected, f"{name}\n")

    def remove(self, name: str) -> None:
        """Forget it.  When it was selected none is, afterwards."""
        self._must_be_there(name)
        if self.selected() == name:
            _remove(self._selected)
        _remove(self.path(name))

    def _must_be_there(self, name: str) -> None:
        names = self.names()  # and no path is made of any other
        if name not in names:
            there_are = f"there are {', '.join(names)}" if names else "stomp-tx context add makes one"
            raise NoSuchContext(f"there is no context {name!a}", there_are)

    def _write(self, path: Path, text: str) -> None:
        """As a whole or not at all, for the user only."""
        real = os.path.realpath(path)  # those who keep such files elsewhere have a link here
        try:
            _make(self._folder)
            handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(real))  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, real)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            raise _cannot("write", path, error) from None


class NoSuchContext(ConfigurationError):
    """There is no context of that name."""


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(0o700, exist_ok=True)


def _read(path: Path) -> str | None:
    """What is in a file that is the user's alone: it says what program is run for a passcode.

    None: it is not there.
    """
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from None
    if hasattr(os, "geteuid"):  # Windows has no such modes and owners
        if status.st_uid not in (0, os.geteuid()):
            raise ConfigurationError(
                f"{path} belongs to another user", "it is not used: write one of your own"
            )
        if status.st_mode & _OTHERS:
            raise ConfigurationError(f"others may read or change {path}", f"it is not used: chmod 600 {path}")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not text in UTF-8") from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot("remove", path, error) from None


def _cannot(do: str, path: Path, error: OSError) -> StompError:
    return StompError(f"can't {do} {path}", error.strerror or str(error))
