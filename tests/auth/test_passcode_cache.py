"""passcode_cache.py: passcodes that were right a moment ago."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth import passcode_cache
from stomp_tx.auth.passcode_cache import PasscodeCache


class RememberedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.known = PasscodeCache(300, self.clock.seconds)

    def test_user_passcode_and_hash_are_remembered_together(self) -> None:
        self.known.add("ann", "secret", "$hash")
        self.assertTrue(self.known.knows("ann", "secret", "$hash"))
        for user, passcode, hash in (
            ("bob", "secret", "$hash"),
            ("ann", "Secret", "$hash"),
            ("ann", "secret", "$other"),
            ("ann", "", "$hash"),
            ("ann", "secret$", "hash"),
            ("", "annsecret", "$hash"),
        ):
            self.assertFalse(self.known.knows(user, passcode, hash))

    def test_for_so_long(self) -> None:
        self.known.add("ann", "secret", "$hash")
        self.clock.advance(299)
        self.assertTrue(self.known.knows("ann", "secret", "$hash"))
        self.clock.advance(1)
        self.assertFalse(self.known.knows("ann", "secret", "$hash"))

    def test_for_no_time(self) -> None:
        self.known = PasscodeCache(0, self.clock.seconds)
        self.known.add("ann", "secret", "$hash")
        self.assertFalse(self.known.knows("ann", "secret", "$hash"))

    def test_neither_passcode_nor_hash_is_kept(self) -> None:
        self.known.add("ann", "secret", "$hash")
        for kept in repr(vars(self.known)), repr(vars(PasscodeCache(300, self.clock.seconds))):
            self.assertNotIn("secret", kept)
            self.assertNotIn("$hash", kept)
        other = PasscodeCache(300, self.clock.seconds)
        other._users = self.known._users
        self.assertFalse(other.knows("ann", "secret", "$hash"))  # by another key

    def test_no_more_than_so_many_and_none_that_is_over(self) -> None:
        self.patch(passcode_cache, "USERS", 3)
        for user in ("ann", "bob", "tim", "ann", "eve"):
            self.known.add(user, "secret", "$hash")
        self.assertEqual(list(self.known._users), ["tim", "ann", "eve"])
        self.clock.advance(299)
        self.known.add("tom", "secret", "$hash")
        self.clock.advance(2)
        self.known.add("bob", "secret", "$hash")
        self.assertEqual(list(self.known._users), ["tom", "bob"])
