"""Authentication: whom the credentials of one session belong to, by twisted.cred."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.cred.credentials import IAnonymous, ICredentials, IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from stomp_tx.auth.credentials import (
    AnonymousPeer,
    BearerToken,
    GuessAbandoned,
    IBearerToken,
    IPeerCertificate,
    Passcode,
    PeerCertificate,
)
from stomp_tx.broker.admission.lockout import Lockout
from stomp_tx.broker.admission.login_attempt import LoginAttempt
from stomp_tx.errors import LONGEST_WHY, ConfigurationError, LoginDenied, LoginUnavailable, StompError
from stomp_tx.interfaces import IFrameSender, IStompUser

UNSURE = 1.0
"""Seconds until somebody is told that logins can't be checked, in which as few from there as ever are.

It counts as no failure; but where one of several checkers is down, it is what a wrong guess gets.
"""

Found = tuple[IStompUser, Callable[[], None]]
"""Who it is, and what to call when they leave."""


class WrongCredentials(Exception):
    """What was shown is wrong, and was counted: it is told so after ``seconds``.  ``why`` is for the log."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.why = why


class Authentication:
    """Asks a portal, as long as its session lasts.

    is_over -- the session has ended: nobody waits for an answer any more
    """

    log = Logger()

    __slots__ = ("_lockout", "is_over")

    def __init__(self, lockout: Lockout) -> None:
        self._lockout = lockout
        self.is_over = False

    async def first(self, portal: Portal, shown: list[ICredentials], attempt: LoginAttempt) -> Found:
        """Whom the first of these credentials belongs to that are good.

        Raises WrongCredentials, which was counted, LoginUnavailable, and CancelledError when it is over.
        """
        why = "no such credentials are taken"
        unable: LoginUnavailable | None = None
        failed = False
        for one in shown:
            try:
                _, user, logout = await portal.login(one, self, IStompUser)
                return cast(IStompUser, user), logout
            except ConfigurationError as error:  # its words are for the owner only
                unable = LoginUnavailable(error.line)
            except LoginUnavailable as error:
                unable = error
            except LoginFailed as error:
                why, failed = str(error) or "wrong", isinstance(error, GuessAbandoned)
            except (CancelledError, StompError):
                raise
            except Exception as error:  # checkers of others raise what they like
                self.log.error("a checker failed: {error}", error=repr(error)[:LONGEST_WHY])
                why = "a checker failed"
            if self.is_over:
                if failed:  # to hang up saves nobody from being counted
                    self._lockout.failed(attempt)
                raise CancelledError()  # whatever a checker makes of being cancelled
        if unable is not None:
            self.log.error("logins can't be checked: {why}", why=unable.why)
            await self._lockout.hold_back(UNSURE)
            raise unable
        raise WrongCredentials(self._lockout.failed(attempt), why)


def credentials_of(
    login: str, passcode: str, place: str, sender: IFrameSender, portal: Portal
) -> list[ICredentials]:
    """What CONNECT and its connection show that this portal can judge; none: it can't be good.

    Raises LoginDenied for who shows nothing where that is not enough: it is no guess, and counts as none.
    """
    known = portal.listCredentialsInterfaces()
    shown: list[ICredentials] = []
    if passcode.count(".") == 2 and IBearerToken in known:
        shown.append(BearerToken(passcode))
    if login and IUsernamePassword in known:
        shown.append(Passcode(login, passcode, place))
    if shown:
        return shown
    certificate = sender.peer_certificate()
    if certificate is not None and IPeerCertificate in known:
        return [PeerCertificate(certificate)]
    if (login or passcode) and (IUsernamePassword in known or IBearerToken in known):
        return []  # somebody, they say: not anonymous
    if IAnonymous not in known:
        raise LoginDenied("nothing was shown to log in with", "no login, and no token or certificate")
    return [AnonymousPeer(sender.peer())]
