"""Settings: what the broker under load is told."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from argon2 import PasswordHasher

from stomp_tx.auth.passwords import LEAST_MEMORY
from stomp_tx.broker.settings import BrokerSettings
from tests.e2e.floods import the_manual_s
from tests.torture.unfriendly.frames import passcode_of
from tests.torture.unfriendly.innocent import USER

KINDS = ("defaults", "internet")
HOSTILE = tuple(f"eve{number}" for number in range(20))
MEMORY = 512 << 20
"""Octets of ``broker.memory``, where there is such a setting: less than the default, for short cases."""


def write_users(path: Path) -> None:
    """Under the defaults, too: who is anonymous is one with everybody of the same address.

    With the weakest hashes that are taken: what logins cost is not what is measured.
    """
    hasher = PasswordHasher(time_cost=1, memory_cost=LEAST_MEMORY, parallelism=1)
    lines = [f"{user}:{hasher.hash(passcode_of(user))}\n" for user in (USER, *HOSTILE)]
    path.write_text("".join(lines), encoding="utf-8")


def options(folder: Path, kind: str, users: Path, assignments: tuple[str, ...], toml: str) -> list[str]:
    """Those of ``twistd stomp``; ``toml`` is added to its file."""
    text = the_manual_s("internet.toml") if kind == "internet" else ""
    (folder / "stomp.toml").write_text(f"{text}\n{toml}\n", encoding="utf-8")
    if any(field.name == "memory" for field in fields(BrokerSettings)):
        assignments = (f"broker.memory={MEMORY}", *assignments)
    return [
        *("--config", "stomp.toml", "--port", "tcp:0:interface=127.0.0.1"),
        *("--auth", f"passwd:{users}", "--engine", "sqlite:torture.db"),
        *(part for one in assignments for part in ("--set", one)),
    ]
