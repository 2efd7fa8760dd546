"""passwords.py: the file of users."""

from __future__ import annotations

import os
import stat
from unittest import mock

from argon2 import PasswordHasher, Type
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth import passwords
from stomp_tx.auth.passwords import PasswordFile, is_right
from stomp_tx.errors import ConfigurationError
from tests.scratch import scratch


class PasswordFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = scratch(self) / "users"
        self.users = PasswordFile(str(self.path))

    def refused(self, text: str) -> ConfigurationError:
        self.path.write_text(text)
        error: ConfigurationError = self.assertRaises(ConfigurationError, PasswordFile(str(self.path)).hashes)
        return error

    def test_users_are_added_changed_and_removed(self) -> None:
        self.assertFalse(self.users.add("ann", "secret"))
        self.assertFalse(self.users.add("bob", "geheim"))
        self.assertTrue(is_right(self.users.hashes()["ann"], "secret"))
        self.assertFalse(is_right(self.users.hashes()["ann"], "geheim"))
        self.assertTrue(self.users.add("ann", "other"))
        self.assertTrue(is_right(self.users.hashes()["ann"], "other"))
        self.assertEqual(list(self.users.hashes()), ["ann", "bob"])
        self.users.remove("ann")
        self.assertEqual(list(self.users.hashes()), ["bob"])
        error = self.assertRaises(ConfigurationError, self.users.remove, "ann")
        self.assertIn("no user 'ann'", str(error))

    def test_only_the_owner_may_read_it_and_modes_are_kept(self) -> None:
        self.users.add("ann", "secret")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        os.chmod(self.path, 0o640)
        self.users.add("bob", "secret")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o640)
        self.assertNotIn("secret", self.path.read_text())

    def test_comments_stay(self) -> None:
        self.path.write_text("# the office\n\n")
        self.users.add("ann", "secret")
        self.assertEqual(self.path.read_text().splitlines()[:2], ["# the office", ""])

    def test_what_another_process_writes_is_seen(self) -> None:
        self.users.add("ann", "secret")
        PasswordFile(str(self.path)).add("bob", "geheim")
        self.assertEqual(list(self.users.hashes()), ["ann", "bob"])

    def test_other_hashes_are_refused(self) -> None:
        argon2i = PasswordHasher(type=Type.I, time_cost=1, memory_cost=8192, parallelism=1).hash("x")
        argon2d = PasswordHasher(type=Type.D, time_cost=1, memory_cost=8192, parallelism=1).hash("x")
        for hash in ("secret", "", "$1$abc$def", "{SHA}abc", "$2b$12$" + "x" * 53, argon2i, argon2d):
            error = self.refused(f"ann:{hash}\n")
            self.assertIn("line 1", str(error))
            self.assertIn("stomp-tx passwd add", error.detail)

    def test_hashes_that_are_weak_or_without_end_are_refused(self) -> None:
        good = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x")
        self.path.write_text(f"ann:{good}\n")
        self.assertEqual(list(self.users.hashes()), ["ann"])
        head, salt, digest = good.rsplit("$", 2)
        for hash in (
            good.replace("m=8192", "m=8191"),
            good.replace("m=8192", "m=1048577"),
            good.replace("t=1", "t=4000000000"),
            good.replace("t=1", "t=21"),
            good.replace("m=8192,t=1", "m=1048576,t=5"),
            good.replace("p=1", "p=17"),
            good.replace("v=19", "v=16"),
            f"{head}${salt}${digest[:20]}",
            f"{head}${salt[:8]}${digest}",
        ):
            self.assertNotEqual(hash, good)
            self.assertIn("too weak, or takes too long", str(self.refused(f"ann:{hash}\n")))
        self.path.write_text(f"ann:{good.replace('m=8192,t=1,p=1', 'm=204800,t=20,p=16')}\n")
        self.users.hashes()

    def test_lines_that_are_none(self) -> None:
        self.users.add("ann", "secret")
        good = self.path.read_text()
        self.assertIn("line 2", str(self.refused(good + "bob\n")))
        self.assertIn("second one of 'ann'", str(self.refused(good + good)))
        self.path.write_bytes(b"\xff\xfe:x")
        self.assertRaises(ConfigurationError, PasswordFile(str(self.path)).hashes)

    def test_names_that_can_not_be(self) -> None:
        for name in ("", "a:b", "#a", " a", "a ", "a\nb", "a\x00", "a\u2028b", "a\x85b", "a\udc80"):
            self.assertRaises(ConfigurationError, self.users.add, name, "secret")
        self.assertRaises(ConfigurationError, self.users.add, "ann", "\udc80")
        self.users.add("Ann von Bödefeld@example.com", "secret")

    def test_only_a_line_feed_ends_a_line(self) -> None:
        self.path.write_text("# one\u2028: two\x85\r\n")
        self.users.add("ann", "secret")
        self.users.add("bob", "secret")
        self.assertEqual(list(self.users.hashes()), ["ann", "bob"])
        self.assertTrue(self.path.read_bytes().startswith("# one\u2028: two\x85\r\nann:".encode()))

    def test_what_could_not_be_read_again_is_not_written(self) -> None:
        self.users.add("ann", "secret")
        before = self.path.read_text()
        self.patch(passwords, "HASHER", mock.Mock(hash=lambda passcode: "no hash"))
        self.assertRaises(ConfigurationError, self.users.add, "bob", "secret")
        self.assertEqual(self.path.read_text(), before)
        self.path.write_text("nonsense\n")
        self.assertRaises(ConfigurationError, self.users.remove, "ann")
        self.assertEqual(self.path.read_text(), "nonsense\n")

    def test_without_a_file_it_says_how_to_make_one(self) -> None:
        error = self.assertRaises(ConfigurationError, self.users.hashes)
        self.assertIn("stomp-tx passwd add", error.detail)

    def test_a_folder_that_is_not_there(self) -> None:
        error = self.assertRaises(ConfigurationError, PasswordFile("/nowhere/users").add, "ann", "x")
        self.assertIn("can't write /nowhere/users", str(error))
