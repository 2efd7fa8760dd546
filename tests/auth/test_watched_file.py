"""watched_file.py: a file that changes, and what is made of it."""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.watched_file import WatchedFile
from stomp_tx.errors import ConfigurationError
from tests.scratch import scratch


def number(octets: bytes, path: str) -> int:
    if not octets.isdigit():
        raise ConfigurationError(f"{path} is no number")
    return int(octets)


class WatchedFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = scratch(self) / "number"
        self.file = WatchedFile(str(self.path), number, "write one")
        self.lines: list[Any] = []
        globalLogPublisher.addObserver(self.lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.lines.append)

    def test_while_it_never_was_good_it_is_an_error(self) -> None:
        self.assertEqual(self.assertRaises(ConfigurationError, self.file.get).detail, "write one")
        self.path.write_bytes(b"x")
        self.assertRaises(ConfigurationError, self.file.get)
        self.path.write_bytes(b"12")
        self.assertEqual(self.file.get(), 12)
        self.assertEqual(self.lines, [])

    def test_what_can_not_be_used_changes_nothing_and_is_said_once(self) -> None:
        self.path.write_bytes(b"1")
        self.file.get()
        for spoil, words in (
            (lambda: self.path.write_bytes(b"half"), "is no number"),
            (lambda: self.path.unlink(), "there is no file"),
            (lambda: self.path.mkdir(), "can't read"),
        ):
            spoil()
            self.lines.clear()
            for _ in range(3):
                self.assertEqual(self.file.get(), 1)
            (line,) = self.lines
            self.assertIn(words, line["fault"])
        os.rmdir(self.path)
        self.path.write_bytes(b"2")
        self.assertEqual(self.file.get(), 2)
        self.lines.clear()
        self.path.write_bytes(b"half")
        self.assertEqual(self.file.get(), 2)
        self.assertEqual(len(self.lines), 1)  # it is a new fault
