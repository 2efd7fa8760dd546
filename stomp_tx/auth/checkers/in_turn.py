"""InTurn: several checkers of one kind of credentials; the first that knows who it is counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import Interface, implementer

from stomp_tx.auth.realm import StompRealm
from stomp_tx.errors import StompError


@implementer(ICredentialsChecker)
class InTurn:
    """One that can't answer does not stand in the way of the next one.

    But whom the others refuse is not refused then: it may be somebody whom that one knows.
    """

    log = Logger()

    def __init__(self, interface: type[Interface], checkers: Sequence[Any]) -> None:
        self.credentialInterfaces = (interface,)
        self._checkers = checkers

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: Any) -> object:
        refused: LoginFailed | None = None
        unable: StompError | None = None
        for checker in self._checkers:
            try:
                return await maybeDeferred(checker.requestAvatarId, credentials)
            except LoginFailed as error:
                refused = error
            except CancelledError:
                raise
            except StompError as error:
                unable = error
                self.log.error(
                    "{checker} can't tell who it is: {error}", checker=type(checker).__name__, error=error
                )
            except Exception as error:  # those of others raise what they like
                self.log.error("{checker} failed: {error!r}", checker=type(checker).__name__, error=error)
        raise unable or refused or UnauthorizedLogin()


def portal_of(realm: StompRealm, checkers: Sequence[Any]) -> Portal:
    """A portal that asks those for each kind of credentials in their order."""
    portal = Portal(realm)
    by_interface: dict[Any, list[Any]] = {}
    for checker in checkers:
        for interface in checker.credentialInterfaces:
            by_interface.setdefault(interface, []).append(checker)
    for interface, some in by_interface.items():
        portal.registerChecker(some[0] if len(some) == 1 else InTurn(interface, some), interface)
    return portal
