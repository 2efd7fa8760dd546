"""PasswordChecker: login and passcode against a file of argon2id hashes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, succeed
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from stomp_tx.auth.checkers.worker_threads import WorkerThreads
from stomp_tx.auth.identity import Identity
from stomp_tx.auth.passcode_cache import PasscodeCache
from stomp_tx.auth.passwords import PasswordFile, is_right
from stomp_tx.errors import StompError

REMEMBER = 300.0
"""Seconds for which a right passcode is remembered where nothing else is said."""


@implementer(ICredentialsChecker)
class PasswordChecker:
    """Takes as long for a user that there is not as for a wrong passcode, and says the same.

    The reactor does not wait: hashes are compared in worker threads.  See WorkerThreads for whose turn it is.

    remember -- seconds for which a passcode that was right is not compared again; 0: it always is
    now -- gives seconds that only go forward
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        users: PasswordFile,
        reactor: Any,
        pool: ThreadPool | None = None,
        remember: float = REMEMBER,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._worker_threads = WorkerThreads(reactor, pool)
        self._passcode_cache = PasscodeCache(remember, now)
        users.hashes()  # what is wrong with the file is said at the start

    def requestAvatarId(self, credentials: Any) -> Deferred[Identity]:  # type: ignore[override]  # see StompRealm
        name = credentials.username.decode("utf-8", "replace")
        place = getattr(credentials, "place", "")
        hash, nobody = self._users.hashes().get(name), self._users.nobody()
        passcode = credentials.password.decode("utf-8", "replace")
        was_compared = False

        def is_known() -> bool:
            return self._passcode_cache.knows(name, passcode, hash or nobody)

        def compare() -> bool:
            # Asked again: of a crowd that waits with one passcode, the first one has it compared for all.
            nonlocal was_compared
            was_compared = not is_known()
            return not was_compared or is_right(hash or nobody, passcode)

        def decide(right: bool) -> Identity:
            if hash is None or not right:
                raise UnauthorizedLogin()
            if was_compared:
                self._passcode_cache.add(name, passcode, hash)
            self._worker_threads.favour(place)
            return Identity(name, is_valid=lambda: self._has_still(name, hash))

        found = succeed(True) if is_known() else self._worker_threads.do(place, compare)
        return found.addCallback(decide)

    def _has_still(self, name: str, hash: str) -> bool:
        try:
            return self._users.hashes().get(name) == hash
        except StompError:
            return True  # a file that can't be read takes nobody's login away
