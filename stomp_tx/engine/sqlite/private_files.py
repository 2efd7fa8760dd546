"""Private: files with messages in them are for the broker's own user, from the moment they are there."""

from __future__ import annotations

import os
from pathlib import Path

MODE = 0o600

BESIDE = ("-wal", "-shm", "-journal")
"""Endings of what SQLite makes beside a file, with the file's mode."""

_OTHERS = 0o007
_THROUGH = 0o001


def opener(path: str, flags: int) -> int:
    """For ``open``: a file that is new is private."""
    return os.open(path, flags, MODE)


def make(path: str) -> None:
    """An empty file, private, where there is none; one that is there stays as it is.  Raises OSError."""
    try:
        # Never one that is there: closing it would undo SQLite's locks.
        os.close(os.open(os.path.realpath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))
    except FileExistsError:
        pass


def open_to_others(path: str) -> list[str]:
    """The file and those beside it, as far as every user of this machine may read or write them."""
    if not reached_by_others(Path(path).absolute().parent):
        return []
    there = [name for ending in ("", *BESIDE) if os.path.exists(name := f"{path}{ending}")]
    return [name for name in there if os.stat(name).st_mode & _OTHERS]


def reached_by_others(folder: Path) -> bool:
    """Do this folder, and those that it is in, let every user through?"""
    return all(one.stat().st_mode & _THROUGH for one in (folder, *folder.parents))
