"""PasswordChecker: login and passcode against a file of argon2id hashes."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from stomp_tx.auth.identity import Identity
from stomp_tx.auth.passwords import HASHER, PasswordFile, is_right
from stomp_tx.errors import LimitExceeded, StompError

AT_A_TIME = 2
"""Passcodes that are checked at a time: each takes 64 MiB and a good part of a processor."""

WAITING = 500
"""More than that wait for their turn: whoever comes then is told to come later."""


@implementer(ICredentialsChecker)
class PasswordChecker:
    """Takes as long for a user that there is not as for a wrong passcode, and says the same.

    The reactor does not wait: hashes are compared in threads of its own.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, users: PasswordFile, reactor: Any, pool: ThreadPool | None = None) -> None:
        self._users = users
        self._reactor = reactor
        self._pool = pool
        self._waiting = 0
        self._nobody = HASHER.hash("the passcode of nobody")
        users.hashes()  # what is wrong with the file is said at the start

    def requestAvatarId(self, credentials: Any) -> Deferred[Identity]:  # type: ignore[override]  # see StompRealm
        name = credentials.username.decode("utf-8", "replace")
        hash = self._users.hashes().get(name)
        if self._waiting >= WAITING:
            raise LimitExceeded("too many logins at a time", "connect again later")
        self._waiting += 1
        passcode = credentials.password.decode()
        found: Deferred[Identity] = Deferred()

        def check() -> bool:
            # Who has given up meanwhile must not keep the others waiting; they count until it is their turn.
            return not found.called and is_right(hash or self._nobody, passcode)

        checking: Deferred[bool] = deferToThreadPool(self._reactor, self._threads(), check)
        checking.addBoth(self._checked).addCallback(partial(self._decide, name, hash)).chainDeferred(found)
        return found

    def _checked(self, result: bool) -> bool:
        self._waiting -= 1
        return result

    def _decide(self, name: str, hash: str | None, right: bool) -> Identity:
        if hash is None or not right:
            raise UnauthorizedLogin()
        return Identity(name, is_valid=lambda: self._has_still(name, hash))

    def _has_still(self, name: str, hash: str) -> bool:
        try:
            return self._users.hashes().get(name) == hash
        except StompError:
            return True  # a file that can't be read takes nobody's login away

    def _threads(self) -> ThreadPool:
        if self._pool is None:
            self._pool = ThreadPool(0, AT_A_TIME, "passcodes")
            self._pool.start()
            self._reactor.addSystemEventTrigger("during", "shutdown", self._pool.stop)
        return self._pool
