"""LDAPChecker: login and passcode by binding to a directory (RFC 4513, 5.1.3)."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import normalize

from ldaptor.protocols.ldap.distinguishedname import escape
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from ldaptor.protocols.ldap.ldaperrors import LDAPException
from ldaptor.protocols.pureldap import LDAPBindRequest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from stomp_tx.auth.identity import Identity
from stomp_tx.errors import ConfigurationError, LoginUnavailable
from stomp_tx.net.tls.faults import in_words

USER = "{user}"

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u1806\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufe00-\ufe0f\ufeff\ufffc]"
)
"""What a directory leaves out when it compares names (RFC 4518, 2.2)."""


def folded(login: str) -> str:
    """The one way to write a name that a directory knows by many: small letters, single blanks.

    Empty for one that nobody can have here.
    """
    if _INVISIBLE.search(login):
        return ""
    name = " ".join(normalize("NFKC", normalize("NFKC", login).casefold()).split())
    return name if name.isprintable() else ""


@implementer(ICredentialsChecker)
class LDAPChecker:
    """Whoever can bind with their passcode is who they say, in small letters.

    To a directory ``ANN`` and ``ann`` are one entry: two users they must not be, for roles and limits.

    endpoint -- of the directory; over TLS, where the way to it isn't this machine's own
    name -- of the entry of a user, {user} standing for the login: "uid={user},ou=people,dc=example,dc=com"
    timeout -- seconds that the directory has for its answer
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self, endpoint: IStreamClientEndpoint, name: str, reactor: Any, timeout: float = 5.0
    ) -> None:
        if USER not in name:
            raise ConfigurationError(f"{name!r} names one entry", f"write {USER} where the login belongs")
        self._endpoint = endpoint
        self._name = name
        self._reactor = reactor
        self._timeout = timeout

    def requestAvatarId(self, credentials: Any) -> Deferred[Identity]:  # type: ignore[override]  # see StompRealm
        name = folded(credentials.username.decode())
        if not name or not credentials.password:
            # A bind without a passcode is an anonymous one, and succeeds (RFC 4513, 5.1.2).
            raise UnauthorizedLogin()
        return (
            Deferred.fromCoroutine(self._bind(name, credentials.password))
            .addTimeout(self._timeout, self._reactor, self._timed_out)
            .addErrback(self._failed)
        )

    async def _bind(self, name: str, passcode: bytes) -> Identity:
        client: Any = await connectProtocol(self._endpoint, LDAPClient())
        try:
            entry = self._name.replace(USER, escape(name))
            answer = await client.send(LDAPBindRequest(dn=entry.encode(), auth=passcode))
            if answer.resultCode != 0:
                raise UnauthorizedLogin()
            return Identity(name)
        finally:
            client.transport.abortConnection()

    def _timed_out(self, result: object, seconds: float) -> Identity:
        raise LoginUnavailable(f"the directory did not answer in {seconds:g} seconds")

    def _failed(self, failure: Any) -> Any:
        if failure.check(CancelledError, ConnectingCancelledError):  # whoever asked is gone
            return failure
        if failure.check(UnauthorizedLogin, LDAPException):
            raise UnauthorizedLogin()
        if failure.check(LoginUnavailable):
            return failure
        raise LoginUnavailable(f"the directory did not answer: {in_words(failure.value)}")
