"""StompRealm: from an avatar id to a StompUser."""

from __future__ import annotations

from collections.abc import Callable

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from zope.interface import Interface, implementer

from stomp_tx.interfaces import IStompUser


@implementer(IStompUser)
class StompUser:
    """A user who may do everything."""

    def __init__(self, name: str) -> None:
        self.name = name

    def may(self, permission: str, destination: str) -> bool:
        return True

    def logout(self) -> None:
        """Nothing is held for it."""


@implementer(IRealm)
class StompRealm:
    """Makes the avatar of whoever a checker let in."""

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], StompUser, Callable[[], None]]:
        if IStompUser not in interfaces:
            raise NotImplementedError("this realm has users of STOMP only")
        name = "anonymous" if avatarId is ANONYMOUS else bytes(avatarId).decode()
        user = StompUser(name)
        return IStompUser, user, user.logout
