"""Login: who a session belongs to, from CONNECT to its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from twisted.cred.credentials import ICredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from stomp_tx.account import Owner
from stomp_tx.auth.credentials import BearerToken, IBearerToken
from stomp_tx.auth.identity import ANONYMOUS
from stomp_tx.broker.admission.connection_limits import place_of
from stomp_tx.broker.admission.login_attempt import LoginAttempt, login_attempt_of
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.events import LoginRenewed, address_text
from stomp_tx.broker.session.authentication import Authentication, WrongCredentials, credentials_of
from stomp_tx.errors import LoginDenied, ProtocolViolation, StompError
from stomp_tx.interfaces import IFrameSender, IStompUser

RENEWAL = "/session/token"
"""Where a client sends a new token, as the body of a message, before the old one expires."""

FOR_EVER = 2.0**31
"""Seconds; timers are for less."""


class Login:
    """Who a session belongs to.

    over -- called with a StompError when the session has to end
    renewed -- called when the user is the same, and may do other things
    login -- who they say they are
    user -- who it is, once that is known
    owner -- for whom what it keeps takes memory: the user, or the place of who has not said who they are
    """

    __slots__ = (
        "_authentication",
        "_broker",
        "_is_known",
        "_logout",
        "_over",
        "_peer",
        "_place",
        "_renewed",
        "_sender",
        "_session_id",
        "_timer",
        "_trying",
        "login",
        "owner",
        "user",
    )

    user: IStompUser
    owner: Owner

    def __init__(
        self,
        broker: Broker,
        session_id: str,
        over: Callable[[StompError], None],
        renewed: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._authentication = Authentication(broker.lockout)
        self._renewed = renewed
        self._trying: Deferred[None] | None = None
        self._is_known = False
        self.login = ""
        self._session_id = session_id
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
        shown = credentials_of(login, passcode, self._place or "", sender, portal)
        self._trying = Deferred.fromCoroutine(
            self._find_out(portal, shown, login_attempt_of(self._place or "", login, shown))
        )
        return self._trying

    async def _find_out(self, portal: Portal, shown: list[ICredentials], attempt: LoginAttempt) -> None:
        seconds = self._broker.settings.login_wait
        self._timer = self._broker.clock.callLater(seconds, self._took_too_long)
        try:
            user, logout = await self._broker.login_queue.in_turn(
                attempt, partial(self._authentication.first, portal, shown, attempt)
            )
        except WrongCredentials as error:
            self._stop_timer()
            # Only now: others from there do not wait for this answer.
            await self._broker.lockout.hold_back(error.seconds)
            raise LoginDenied("the login or the passcode is wrong", error.why) from None
        finally:
            self._stop_timer()
        if self._authentication.is_over or not user.is_valid():
            logout()
            raise LoginDenied("the login or the passcode is wrong", "it was changed or taken away meanwhile")
        self._is(user, logout)

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
        name = user.name
        is_named = self._broker.portal is not None and name != ANONYMOUS
        self.owner = self._broker.account.owner(f"user {name}" if is_named else f"address {self._place}")
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
            attempt = login_attempt_of(self._place or "", "", shown)
            user, logout = await self._authentication.first(portal, shown, attempt)
        except WrongCredentials as error:
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
        self._broker.events.emit(LoginRenewed, self._session_id, self._peer, user.name)
        self._renewed()

    def recheck(self) -> None:
        """Ask anew what the user may do.  Raises LoginDenied when they may not be here any more."""
        self.user.forget()
        if not self.user.is_valid():
            raise LoginDenied("your login has been changed or taken away: connect again")

    def end(self) -> None:
        """The session is over."""
        self._authentication.is_over = True
        self._stop_timer()
        if self._trying is not None:
            self._trying.cancel()
        if self._is_known:
            self._is_known = False
            self._broker.connection_limits.leave_as(self.user.name)
        if self._logout is not None:
            self._logout()
            self._logout = None
