"""StompRealm: from what a checker has found out to a StompUser."""

from __future__ import annotations

from collections.abc import Callable

from twisted.cred.checkers import ANONYMOUS as NOBODY
from twisted.cred.portal import IRealm
from zope.interface import Interface, implementer

from stomp_tx.auth.acl import AccessList
from stomp_tx.auth.identity import ANONYMOUS, Identity, always
from stomp_tx.interfaces import IStompUser

KNOWN = 10_000
"""Decisions that are remembered for one user."""


@implementer(IStompUser)
class StompUser:
    """A user, and what they may do: everything, where there is no access list."""

    def __init__(
        self,
        name: str,
        access: AccessList | None = None,
        groups: tuple[str, ...] = (),
        expires: float = 0.0,
        is_valid: Callable[[], bool] = always,
    ) -> None:
        self.name = name
        self.expires = expires
        self.is_valid = is_valid
        self._access = access or AccessList()
        self._groups = groups
        self._known: dict[tuple[str, str], bool] = {}

    def may(self, permission: str, destination: str) -> bool:
        known = self._known.get((permission, destination))
        if known is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            known = self._access.may(self.name, self._groups, permission, destination)
            self._known[permission, destination] = known
        return known

    def forget(self) -> None:
        self._known.clear()

    def logout(self) -> None:
        """Nothing is held for it."""


@implementer(IRealm)
class StompRealm:
    """Makes the avatar of whoever a checker let in.

    access -- who may do what; without, everybody may do everything
    """

    def __init__(self, access: AccessList | None = None) -> None:
        self.access = access or AccessList()

    def requestAvatar(
        self, avatarId: bytes | Identity | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], StompUser, Callable[[], None]]:
        if IStompUser not in interfaces:
            raise NotImplementedError("this realm has users of STOMP only")
        if avatarId is NOBODY:
            who = Identity(ANONYMOUS)
        elif isinstance(avatarId, Identity):
            who = avatarId
        else:
            who = Identity(bytes(avatarId).decode())
        user = StompUser(who.name, self.access, who.groups, who.expires, who.is_valid)
        return IStompUser, user, user.logout
