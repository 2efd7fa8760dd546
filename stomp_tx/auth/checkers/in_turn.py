"""InTurn: several checkers of one kind of credentials; the first that knows who it is counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Interface, implementer

from stomp_tx.auth.realm import StompRealm


@implementer(ICredentialsChecker)
class InTurn:
    def __init__(self, interface: type[Interface], checkers: Sequence[Any]) -> None:
        self.credentialInterfaces = (interface,)
        self._checkers = checkers

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: Any) -> object:
        refused: UnauthorizedLogin | None = None
        for checker in self._checkers:
            try:
                return await maybeDeferred(checker.requestAvatarId, credentials)
            except UnauthorizedLogin as error:
                refused = error
        raise refused or UnauthorizedLogin()


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
