"""Login: who it is that connects, by twisted.cred, from CONNECT to the end of the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.cred.credentials import ICredentials, UsernamePassword
from twisted.cred.error import LoginFailed, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import providedBy

from stomp_tx.auth.credentials import (
    AnonymousPeer,
    BearerToken,
    IBearerToken,
    IPeerCertificate,
    PeerCertificate,
)
from stomp_tx.broker.door import place_of
from stomp_tx.broker.events import LoginRenewed, address_text
from stomp_tx.errors import ConfigurationError, LoginDenied, ProtocolViolation, StompError
from stomp_tx.interfaces import IFrameSender, IStompUser

if TYPE_CHECKING:
    from stomp_tx.broker.factory import StompBrokerFactory

RENEWAL = "/session/token"
"""Where a client sends a new token, as the body of a message, before the old one expires."""


FOR_EVER = 2.0**31
"""Seconds; timers are for less."""

Found = tuple[IStompUser, Callable[[], None]]
"""Who it is, and what to call when they leave."""


class Login:
    """Who a session belongs to.

    over -- called with a StompError when the session has to end
    renewed -- called when the user is the same, and may do other things
    login -- who they say they are
    user -- who it is, once that is known
    """

    log = Logger()

    __slots__ = (
        "_factory",
        "_is_known",
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
        factory: StompBrokerFactory,
        session_id: str,
        over: Callable[[StompError], None],
        renewed: Callable[[], None],
    ) -> None:
        self._factory = factory
        self._renewed = renewed
        self._trying: Deferred[None] | None = None
        self._is_known = False
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
            self._factory.door.enter(place, sender)
            self._place = place
            self._sender = sender

    def leave(self) -> None:
        """The connection is gone."""
        if self._place is not None:
            self._factory.door.leave(self._place, self._sender)
            self._place = None

    # -- who it is ----------------------------------------------------------------------------------------

    def begin(self, login: str, passcode: str, sender: IFrameSender) -> Deferred[None] | None:
        """Find out who it is, by what CONNECT and the connection show.

        None: it is known already.  Fails with a StompError that is in the same words whether the user is
        unknown or the passcode wrong.
        """
        self._factory.door.logs_in(sender)
        portal = self._factory.portal
        self.login = login
        if portal is None:
            self._is(self._factory.anonymous, None)
            return None
        shown: list[ICredentials] = []
        if passcode.count(".") == 2:
            shown.append(BearerToken(passcode))
        if login:
            shown.append(UsernamePassword(login.encode(), passcode.encode()))
        known = portal.listCredentialsInterfaces()
        usable = [one for one in shown if any(kind in known for kind in providedBy(one))]
        certificate = sender.peer_certificate()
        if not usable and certificate is not None and IPeerCertificate in known:
            usable = [PeerCertificate(certificate)]
        usable = usable or [AnonymousPeer(sender.peer())]
        self._trying = self._factory.lockout.in_turn(
            self._place or "", lambda: Deferred.fromCoroutine(self._first(usable))
        ).addCallback(lambda found: self._is(*found))
        return self._trying

    async def _first(self, shown: list[ICredentials]) -> Found:
        """Whom the first of these credentials belongs to that are good."""
        why = "no such credentials are taken"
        portal = self._factory.portal
        assert portal is not None
        for one in shown:
            try:
                return await self._ask(portal, one)
            except ConfigurationError as error:  # its words are for the owner only
                self.log.error("no login: {summary}: {detail}", summary=error.summary, detail=error.detail)
                why = error.summary
            except (LoginFailed, UnhandledCredentials) as error:
                why = str(error) or "wrong"
        await self._factory.lockout.failed(self._place or "")
        raise LoginDenied("the login or the passcode is wrong", why)

    def _ask(self, portal: Portal, credentials: ICredentials) -> Deferred[Found]:
        asked: Deferred[Found] = Deferred()

        def found(result: Any) -> None:
            if asked.called:
                result[2]()  # whoever wanted to come in has gone meanwhile
            else:
                asked.callback(result[1:])

        def failed(failure: Failure) -> None:
            if not asked.called:
                asked.errback(failure)

        portal.login(credentials, self, IStompUser).addCallbacks(found, failed)
        return asked

    def _is(self, user: IStompUser, logout: Callable[[], None] | None) -> None:
        self._factory.door.enter_as(user.name, self._sender)
        self.user = user
        self._is_known = True
        self._logout = logout
        self._watch()

    def _watch(self) -> None:
        """The session ends when what it was opened by does."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self.user.expires:
            left = self.user.expires - self._factory.now() / 1000
            self._timer = self._factory.clock.callLater(min(max(0.0, left), FOR_EVER), self._expired)

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
        portal, before = self._factory.portal, self.user
        if portal is None or IBearerToken not in portal.listCredentialsInterfaces():
            raise ProtocolViolation("nothing to renew", "this broker takes no tokens")
        try:
            text = token.decode().strip()
            user, logout = await self._ask(portal, BearerToken(text))
        except (LoginFailed, ConfigurationError, UnicodeDecodeError) as error:
            await self._factory.lockout.failed(self._place or "")
            raise LoginDenied("the token is not good", str(error)) from None
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
        self._factory.events.emit(LoginRenewed, self._session, self._peer, user.name)
        self._renewed()

    def recheck(self) -> None:
        """Ask anew what the user may do.  Raises LoginDenied when they may not be here any more."""
        self.user.forget()
        if not self.user.is_valid():
            raise LoginDenied("your login has been changed or taken away: connect again")

    def end(self) -> None:
        """The session is over."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._trying is not None:
            self._trying.cancel()
        if self._is_known:
            self._is_known = False
            self._factory.door.leave_as(self.user.name)
        if self._logout is not None:
            self._logout()
            self._logout = None
