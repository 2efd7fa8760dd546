"""PasscodeCache: passcodes that were right a moment ago need no hashing again."""

from __future__ import annotations

import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Callable

USERS = 10_000
"""Users whose passcode is in the cache; of more, those whose was compared last."""

NONE = bytes(32)
"""What no passcode's MAC is."""


class PasscodeCache:
    """Knows for so many seconds which passcode was the one of a user's hash, and forgets it with the hash.

    now -- gives seconds that only go forward, in whatever thread

    Only a MAC of it is kept, by a key that ends with the process.  Wrong passcodes are not cached: each of
    them costs whoever guesses as much time as the first one.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seconds = seconds
        self._key = os.urandom(32)
        self._users: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # the first one expires first

    def add(self, user: str, passcode: str, hash: str) -> None:
        """It is the passcode of that hash, which has just been compared."""
        now = self._now()
        self._users[user] = self._mac(user, passcode, hash), now + self._seconds
        self._users.move_to_end(user)
        while self._users:
            _, until = next(iter(self._users.values()))
            if len(self._users) <= USERS and until > now:
                return
            self._users.popitem(last=False)

    def knows(self, user: str, passcode: str, hash: str) -> bool:
        """Is it known to be the passcode of that hash?  May be asked in any thread."""
        mac, until = self._users.get(user, (NONE, 0.0))
        # Compared whether there is one or not: how long it takes tells nothing.
        is_same = hmac.compare_digest(mac, self._mac(user, passcode, hash))
        return is_same and self._now() < until

    def _mac(self, *texts: str) -> bytes:
        octets = [text.encode() for text in texts]
        return hmac.digest(self._key, b"".join(len(one).to_bytes(8, "big") + one for one in octets), "sha256")
