"""Login: who it is that connects, by twisted.cred, from CONNECT to the end of the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.cred.credentials import IAnonymous, ICredentials, IUsernamePassword
from twisted.cred.error import LoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
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
from stomp_tx.broker.admission.connection_limits import place_of
from stomp_tx.broker.admission.login_attempt import LoginAttempt, login_attempt_of
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.events import LoginRenewed, address_text
from stomp_tx.errors import (
    LONGEST_WHY,
    ConfigurationError,
    LoginDenied,
    LoginUnavailable,
    ProtocolViolation,
    StompError,
)
from stomp_tx.interfaces import IFrameSender, IStompUser

RENEWAL = "/session/token"
"""Where a client sends a new token, as the body of a message, before the old one expires."""


UNSURE = 1.0
"""Seconds until somebody is told that logins can't be checked, in which as few from there as ever are.

It counts as no failure; but where one of several checkers is down, it is what a wrong guess gets.
"""

FOR_EVER = 2.0**31
"""Seconds; timers are for less."""

Found = tuple[IStompUser, Callable[[], None]]
"""Who it is, and what to call when they leave."""


class _Wrong(Exception):
    """What was shown is wrong, and was counted: it is told so after ``seconds``.  ``why`` is for the log."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.why = why


class Login:
    """Who a session belongs to.

    over -- called with a StompError when the session has to end
    renewed -- called when the user is the same, and may do other things
    login -- who they say they are
    user -- who it is, once that is known
    """

    log = Logger()

    __slots__ = (
        "_broker",
        "_is_known",
        "_is_over",
        "_logout",
        "_over",
        "_peer",
        "_place",
        "_renewed",
        "_sender",
        "_session",
        "_timer",
        "_trying",
        "login",
        "user",
    )

    user: IStompUser

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        over: Callable[[StompError], None],
        renewed: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._renewed = renewed
        self._trying: Deferred[None] | None = None
        self._is_known = False
        self._is_over = False
        self.login = ""
        self._session = session_id
        self._over = over
        self._logout: Callable[[], None] | None = None
        self._timer: IDelayedCall | None = None
        self._place: str | None = None

    # -- the connection -----------------------------------------------------------------------------------

    def enter(self, sender: IFrameSender) -> None:
        """Somebody has connected.  Raises StompError when they may not."""
        peer = sender.peer()
        self._peer = address_text(peer)
        place = place_of(peer)
        if place != self._place:
            self.leave()
            self._broker.connection_limits.enter(place, sender)
            self._place = place
            self._sender = sender

    def leave(self) -> None:
        """The connection is gone."""
        if self._place is not None:
            self._broker.connection_limits.leave(self._place, self._sender)
            self._place = None

    # -- who it is ----------------------------------------------------------------------------------------

    def begin(self, login: str, passcode: str, sender: IFrameSender) -> Deferred[None] | None:
        """Find out who it is, by what CONNECT and the connection show.

        None: it is known already.  Fails with a StompError that is in the same words whether the user is
        unknown or the passcode wrong.  Cancelled, it does no more than is under way.
        """
        self._broker.connection_limits.logs_in(sender)
        portal = self._broker.portal
        self.login = login
        if portal is None:
            self._is(self._broker.anonymous, None)
            return None
        shown = self._shown(portal, login, passcode, sender)
        self._trying = Deferred.fromCoroutine(
            self._find_out(portal, shown, login_attempt_of(self._place or "", login, shown))
        )
        return self._trying

    def _shown(self, portal: Portal, login: str, passcode: str, sender: IFrameSender) -> list[ICredentials]:
        """What they are to be judged by; none: what they show can't be good.

        Raises LoginDenied for who shows nothing where that is not enough: it is no guess, and counts as none.
        """
        known = portal.listCredentialsInterfaces()
        shown: list[ICredentials] = []
        if passcode.count(".") == 2 and IBearerToken in known:
            shown.append(BearerToken(passcode))
        if login and IUsernamePassword in known:
            shown.append(Passcode(login, passcode, self._place or ""))
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

    async def _find_out(self, portal: Portal, shown: list[ICredentials], attempt: LoginAttempt) -> None:
        seconds = self._broker.settings.login_wait
        self._timer = self._broker.clock.callLater(seconds, self._took_too_long)
        try:
            user, logout = await self._broker.login_queue.in_turn(
                attempt, lambda: self._first(portal, shown, attempt)
            )
        except _Wrong as error:
            self._stop_timer()
            # Only now: others from there do not wait for this answer.
            await self._broker.lockout.hold_back(error.seconds)
            raise LoginDenied("the login or the passcode is wrong", error.why) from None
        finally:
            self._stop_timer()
        if self._is_over or not user.is_valid():
            logout()
            raise LoginDenied("the login or the passcode is wrong", "it was changed or taken away meanwhile")
        self._is(user, logout)

    async def _first(self, portal: Portal, shown: list[ICredentials], attempt: LoginAttempt) -> Found:
        """Whom the first of these credentials belongs to that are good.  Raises _Wrong, which is counted."""
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
            if self._is_over:
                if failed:  # to hang up saves nobody from being counted
                    self._broker.lockout.failed(attempt)
                raise CancelledError()  # whatever a checker makes of being cancelled
        if unable is not None:
            self.log.error("logins can't be checked: {why}", why=unable.why)
            await self._broker.lockout.hold_back(UNSURE)
            raise unable
        raise _Wrong(self._broker.lockout.failed(attempt), why)

    def _took_too_long(self) -> None:
        seconds = self._broker.settings.login_wait
        self._over(
            StompError(
                "login took too long",
                f"the login was not checked within {seconds:g} seconds: connect again later",
            )
        )

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _is(self, user: IStompUser, logout: Callable[[], None] | None) -> None:
        self._broker.connection_limits.enter_as(user.name, self._sender)
        self.user = user
        self._is_known = True
        self._logout = logout
        self._watch()

    def _watch(self) -> None:
        """The session ends when what it was opened by does."""
        self._stop_timer()
        if self.user.expires:
            left = self.user.expires - self._broker.now() / 1000
            self._timer = self._broker.clock.callLater(min(max(0.0, left), FOR_EVER), self._expired)

    def _expired(self) -> None:
        self._over(
            StompError(
                "login expired", f"renew it in time: SEND the new token to {RENEWAL}, or connect again"
            )
        )

    # -- while it lasts -----------------------------------------------------------------------------------

    def renew(self, token: bytes) -> Deferred[None]:
        """Go on with this token.  Fails with StompError when the session can't."""
        return Deferred.fromCoroutine(self._renew(token))

    async def _renew(self, token: bytes) -> None:
        portal, before = self._broker.portal, self.user
        if portal is None or IBearerToken not in portal.listCredentialsInterfaces():
            raise ProtocolViolation("nothing to renew", "this broker takes no tokens")
        shown: list[ICredentials] = [BearerToken(token.decode("utf-8", "replace").strip())]
        try:
            user, logout = await self._first(portal, shown, login_attempt_of(self._place or "", "", shown))
        except _Wrong as error:
            await self._broker.lockout.hold_back(error.seconds)
            raise LoginDenied("the token is not good", error.why) from None
        if not self._is_known or self.user is not before:
            logout()  # it has ended meanwhile, or was renewed by another one
            return
        if user.name != before.name:
            logout()
            raise LoginDenied("the token is somebody else's", f"the new token is {user.name}'s")
        if self._logout is not None:
            self._logout()
        self.user, self._logout = user, logout
        self._watch()
        self._broker.events.emit(LoginRenewed, self._session, self._peer, user.name)
        self._renewed()

    def recheck(self) -> None:
        """Ask anew what the user may do.  Raises LoginDenied when they may not be here any more."""
        self.user.forget()
        if not self.user.is_valid():
            raise LoginDenied("your login has been changed or taken away: connect again")

    def end(self) -> None:
        """The session is over."""
        self._is_over = True
        self._stop_timer()
        if self._trying is not None:
            self._trying.cancel()
        if self._is_known:
            self._is_known = False
            self._broker.connection_limits.leave_as(self.user.name)
        if self._logout is not None:
            self._logout()
            self._logout = None
