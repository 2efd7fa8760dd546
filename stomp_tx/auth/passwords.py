"""PasswordFile: users and the argon2id hashes of their passcodes.

A line each: ``NAME:HASH``, the hash as argon2 writes it ($argon2id$v=19$...).  Lines that begin with ``#``,
and empty ones, are left as they are.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from stomp_tx.auth.watched import WatchedFile
from stomp_tx.errors import ConfigurationError

HASHER = PasswordHasher()
"""Argon2id with the library's parameters: those of RFC 9106 for machines with little memory."""

MOST_MEMORY = 1024 * 1024
"""KiB that checking one passcode may take; a hash that wants more is refused."""

_NAME = re.compile(r"[^:#\s\x00-\x1f\x7f][^:\x00-\x1f\x7f]*")


class PasswordFile:
    """The file at a path.  What another process writes there is seen the next time it is asked for."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._file = WatchedFile(path, _parsed, f"make one: stomp-tx passwd add {path} NAME")

    def hashes(self) -> Mapping[str, str]:
        """The hash of each user's passcode.  Raises ConfigurationError for what can't be read or used."""
        return self._file.get()

    def add(self, name: str, passcode: str) -> bool:
        """Give a user this passcode, new or instead of the old one; False: there was none of that name.

        The file is made where there is none, readable to its owner only.
        """
        if _NAME.fullmatch(name) is None or name != name.strip():
            raise ConfigurationError(f"{name!r} can't be the name of a user", "it has no colon, and no #")
        lines = self._lines() if os.path.exists(self.path) else []
        line = f"{name}:{HASHER.hash(passcode)}"
        places = [place for place, one in enumerate(lines) if one.partition(":")[0] == name]
        if places:
            lines[places[0]] = line
        else:
            lines.append(line)
        self._write(lines)
        return bool(places)

    def remove(self, name: str) -> None:
        """Take a user out.  Raises ConfigurationError: there is none of that name."""
        lines = self._lines()
        rest = [line for line in lines if line.partition(":")[0] != name]
        if len(rest) == len(lines):
            raise ConfigurationError(f"there is no user {name!r} in {self.path}")
        self._write(rest)

    def _lines(self) -> list[str]:
        self.hashes()
        with open(self.path, encoding="utf-8") as file:
            return file.read().splitlines()

    def _write(self, lines: list[str]) -> None:
        """As a whole or not at all; who may read it stays as it was."""
        folder = os.path.dirname(self.path)
        try:
            handle, temporary = tempfile.mkstemp(prefix=".passwd-", dir=folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write("".join(f"{line}\n" for line in lines))
                    file.flush()
                    os.fsync(file.fileno())
                if os.path.exists(self.path):
                    before = os.stat(self.path)
                    os.chmod(temporary, before.st_mode & 0o7777)
                    if os.geteuid() == 0:
                        os.chown(temporary, before.st_uid, before.st_gid)
                os.replace(temporary, self.path)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            raise ConfigurationError(f"can't write {self.path}: {error.strerror}") from None


def is_right(hash: str, passcode: str) -> bool:
    """Is it the passcode of that hash?  Takes some 50 milliseconds of one processor."""
    try:
        return HASHER.verify(hash, passcode)
    except (Argon2Error, InvalidHashError, UnicodeError):
        return False


def _parsed(octets: bytes, path: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    try:
        lines = octets.decode().splitlines()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no text in UTF-8") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hash = line.partition(":")
        where = f"line {number} of {path}"
        if not colon or not name:
            raise ConfigurationError(f"{where} is not NAME:HASH")
        if name in found:
            raise ConfigurationError(f"{where} is a second one of {name!r}")
        found[name] = _checked(hash.strip(), where)
    return found


def _checked(hash: str, where: str) -> str:
    try:
        parameters = extract_parameters(hash)
        if parameters.type is Type.ID and parameters.memory_cost <= MOST_MEMORY:
            return hash
    except (InvalidHashError, ValueError):
        pass
    raise ConfigurationError(
        f"{where} has no hash of argon2id, and no other is taken",
        "stomp-tx passwd add makes one",
    )
