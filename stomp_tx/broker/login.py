"""Who it is that connects: CONNECT's headers through twisted.cred."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from twisted.cred.credentials import Anonymous, ICredentials, UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.errors import StompError
from stomp_tx.interfaces import IStompUser


class Login(NamedTuple):
    """Who it is, and what to call when they leave."""

    user: IStompUser
    logout: Callable[[], None]


def log_in(portal: Portal, headers: Mapping[str, str], mind: object) -> Deferred[Login]:
    """Log in by ``login`` and ``passcode``, or as anonymous without a ``login``.

    Fails with a StompError that is in the same words whether the user is unknown or the passcode wrong.
    """
    login = headers.get("login")
    credentials: ICredentials = Anonymous()
    if login is not None:
        credentials = UsernamePassword(login.encode(), headers.get("passcode", "").encode())

    def logged_in(result: tuple[type, Any, Callable[[], None]]) -> Login:
        _, user, logout = result
        return Login(user, logout)

    def refused(failure: Failure) -> Login:
        if not failure.check(LoginFailed):
            failure.raiseException()
        raise StompError("login refused", "the login or the passcode is wrong")

    return portal.login(credentials, mind, IStompUser).addCallbacks(logged_in, refused)
