"""PasswordFile: users and the argon2id hashes of their passcodes.

A line each: ``NAME:HASH``, the hash as argon2 writes it ($argon2id$v=19$...).  Lines that begin with ``#``,
and empty ones, are left as they are.
"""

from __future__ import annotations

import os
import re
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import ARGON2_VERSION

from stomp_tx.auth.watched_file import WatchedFile
from stomp_tx.errors import ConfigurationError

HASHER = PasswordHasher()
"""Argon2id with the library's parameters: those of RFC 9106 for machines with little memory."""

OURS = (
    ARGON2_VERSION,
    HASHER.memory_cost,
    HASHER.time_cost,
    HASHER.parallelism,
    HASHER.salt_len,
    HASHER.hash_len,
)

LEAST_MEMORY, MOST_MEMORY = 8 * 1024, 1024 * 1024
"""KiB that checking one passcode may take; a hash that wants less is weak, one that wants more is refused."""

MOST_ROUNDS, MOST_LANES = 20, 16
"""What argon2 calls time cost and parallelism."""

MOST_WORK = 4 * 1024 * 1024
"""KiB that may be gone through, in all rounds together: some seconds of one processor."""

LEAST_OCTETS = 16
"""Of the hash itself, and (half of that) of the salt."""

_NAME = re.compile(r"[^:#\s\x00-\x1f\x7f][^:\x00-\x1f\x7f]*")


class PasswordFile:
    """The file at a path.  What another process writes there is seen the next time it is asked for."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._file = WatchedFile(path, _parsed, f"make one: stomp-tx passwd add {path} NAME")

    def hashes(self) -> Mapping[str, str]:
        """The hash of each user's passcode.  Raises ConfigurationError for what can't be read or used."""
        return self._file.get().hashes

    def nobody(self) -> str:
        """A hash that no passcode has, and that takes as long to compare as most in the file do."""
        return self._file.get().nobody

    def add(self, name: str, passcode: str) -> bool:
        """Give a user this passcode, new or instead of the old one; False: there was none of that name.

        The file is made where there is none, readable to its owner only.
        """
        if _NAME.fullmatch(name) is None or name != name.strip() or not name.isprintable():
            raise ConfigurationError(
                f"{name!a} can't be the name of a user", "it has no colon, no #, and nothing unprintable"
            )
        lines = self._lines() if os.path.exists(self.path) else []
        try:
            line = f"{name}:{HASHER.hash(passcode)}"
        except UnicodeError:
            raise ConfigurationError("the passcode is no text in UTF-8") from None
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
        try:
            with open(self.path, "rb") as file:
                octets = file.read()
        except FileNotFoundError:
            raise ConfigurationError(f"there is no file {self.path}") from None
        except OSError as error:
            raise ConfigurationError(f"can't read {self.path}: {error.strerror}") from None
        _parsed(octets, self.path)  # nothing is written into a file that is something else
        return octets.decode().removesuffix("\n").split("\n")

    def _write(self, lines: list[str]) -> None:
        """As a whole or not at all; who may read it stays as it was."""
        octets = "".join(f"{line}\n" for line in lines).encode()
        _parsed(octets, self.path)  # what can't be read again must not take the place of what can
        folder = os.path.dirname(self.path)
        try:
            handle, temporary = tempfile.mkstemp(prefix=".passwd-", dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(octets)
                    file.flush()
                    os.fsync(file.fileno())
                if os.path.exists(self.path):
                    before = os.stat(self.path)
                    os.chmod(temporary, before.st_mode & 0o7777)
                    if hasattr(os, "geteuid") and os.geteuid() == 0:  # Windows has no owners like these
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


@dataclass(frozen=True)
class _Users:
    hashes: Mapping[str, str]

    @cached_property
    def nobody(self) -> str:
        return _hash_of_nobody(self.hashes.values())


def _hash_of_nobody(hashes: Iterable[str]) -> str:
    """Random octets in place of salt and hash, with the parameters and lengths that most of these have."""
    usual = Counter(_parameters(one) for one in hashes).most_common(1)
    version, memory, rounds, lanes, *lengths = usual[0][0] if usual else OURS
    salt, digest = (b64encode(os.urandom(length)).decode().rstrip("=") for length in lengths)
    return f"$argon2id$v={version}$m={memory},t={rounds},p={lanes}${salt}${digest}"


def _parameters(hash: str) -> tuple[int, ...]:
    one = extract_parameters(hash)
    return one.version, one.memory_cost, one.time_cost, one.parallelism, one.salt_len, one.hash_len


def _parsed(octets: bytes, path: str) -> _Users:
    found: dict[str, str] = {}
    try:
        # Not splitlines, which knows more ends of a line than whoever writes such a file.
        lines = octets.decode().split("\n")
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
    return _Users(found)


def _is_within_bounds(one: Parameters) -> bool:
    return (
        one.version == ARGON2_VERSION
        and LEAST_MEMORY <= one.memory_cost <= MOST_MEMORY
        and one.time_cost <= MOST_ROUNDS
        and one.time_cost * one.memory_cost <= MOST_WORK
        and one.parallelism <= MOST_LANES
        and LEAST_OCTETS <= one.hash_len <= 64 * LEAST_OCTETS
        and LEAST_OCTETS // 2 <= one.salt_len <= 64 * LEAST_OCTETS
    )


def _checked(hash: str, where: str) -> str:
    try:
        parameters = extract_parameters(hash)
    except (InvalidHashError, ValueError):
        parameters = None
    if parameters is not None and parameters.type is Type.ID:
        if _is_within_bounds(parameters):
            return hash
        raise ConfigurationError(
            f"{where} has a hash that is too weak, or takes too long to compare",
            "stomp-tx passwd add makes one",
        )
    raise ConfigurationError(
        f"{where} has no hash of argon2id, and no other is taken",
        "stomp-tx passwd add makes one",
    )
