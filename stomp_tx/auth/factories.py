"""What ``--auth`` can name: twisted.cred's checker factories, one for each of our checkers.

A checker imports its library when it is made, not before: all programs of Twisted that have ``--auth`` load
this module to list them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import Interface, implementer

from stomp_tx.auth.credentials import IBearerToken, IPeerCertificate
from stomp_tx.errors import ConfigurationError
from stomp_tx.net.endpoint_strings import arguments_of, kind_of

KEYS = ("audience", "issuer", "user", "groups", "revoked")


@implementer(IPlugin, ICheckerFactory)
class CheckerFactory:
    """One of them.

    make -- the checker of the text behind ``NAME:``; raises ConfigurationError
    """

    def __init__(
        self,
        authType: str,
        argStringFormat: str,
        authHelp: str,
        credentialInterfaces: Sequence[type[Interface]],
        make: Callable[[str], Any],
    ) -> None:
        self.authType = authType
        self.argStringFormat = argStringFormat
        self.authHelp = authHelp
        self.credentialInterfaces = credentialInterfaces
        self._make = make

    def generateChecker(self, argstring: str) -> Any:
        return self._make(argstring)


def _passwords(text: str) -> Any:
    from stomp_tx.auth.checkers.password import REMEMBER, PasswordChecker
    from stomp_tx.auth.passwords import PasswordFile

    file, given, seconds = text.partition(":remember=")
    if not file:
        raise ConfigurationError("passwd needs a file", "--auth passwd:/etc/stomp/users")
    remember = _seconds(seconds) if given else REMEMBER
    return PasswordChecker(PasswordFile(file), _reactor(), remember=remember)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ConfigurationError(f"remember={text} is no number of seconds", "remember=0: never")
    return seconds


def _tokens(text: str) -> Any:
    from stomp_tx.auth.checkers.token import TokenChecker, keys_in, names_in
    from stomp_tx.auth.watched_file import WatchedFile

    file, arguments = _arguments(text, KEYS)
    if not file:
        raise ConfigurationError("jwt needs a file with keys", "--auth jwt:/etc/stomp/key.pem")
    path = arguments.pop("revoked", "")
    revoked = WatchedFile(path, names_in) if path else None
    # What is left of KEYS are names of its arguments, all of them texts.
    return TokenChecker(WatchedFile(file, keys_in), revoked=revoked, **arguments)  # type: ignore[arg-type]


def _certificates(text: str) -> Any:
    from stomp_tx.auth.checkers.certificate import NAMES, CertificateChecker

    if text and text not in NAMES:
        raise ConfigurationError(
            f"a user's name can't be {text!r} of a certificate", f"but {', '.join(NAMES)}"
        )
    return CertificateChecker(text or "cn")


def _directory(text: str) -> Any:
    from twisted.internet.endpoints import clientFromString

    try:
        from stomp_tx.auth.checkers.ldap import LDAPChecker
    except ImportError as error:
        raise ConfigurationError(f"ldap needs {error.name}", "pip install 'stomp-tx[ldap]'") from None
    _, arguments = _arguments(text, ("server", "dn"))
    if len(arguments) != 2:
        raise ConfigurationError("ldap needs server= and dn=", LDAP_EXAMPLE)
    reactor, server = _reactor(), arguments["server"]
    try:
        if kind_of(server) == "tls":  # Twisted's own may not look at the host's name: see verifying.py
            from stomp_tx.net.tls.client import tls_endpoint

            endpoint = tls_endpoint(reactor, None, **arguments_of(server, ("host", "port")))
        else:
            endpoint = clientFromString(reactor, server)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(f"can't use server={server}: {error}", LDAP_EXAMPLE) from None
    return LDAPChecker(endpoint, arguments["dn"], reactor)


LDAP_EXAMPLE = r"--auth 'ldap:server=tls\:ldap.example.com\:636:dn=uid={user},ou=people,dc=example,dc=com'"


def _arguments(text: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    r"""What stands before the first ``:NAME=``, and the arguments; ``\`` escapes what follows it."""
    first, given = "", {}
    for number, part in enumerate(re.split(r"(?<!\\):", text)):
        name, equals, value = part.partition("=")
        if equals and name in names:
            given[name] = re.sub(r"\\(.)", r"\1", value)
        elif number == 0:
            first = re.sub(r"\\(.)", r"\1", part)
        else:
            raise ConfigurationError(f"what is {part!r} in {text!r}?", f"there are {', '.join(names)}")
    return first, given


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor


passwd = CheckerFactory(
    "passwd",
    "FILE[:remember=SECONDS]",
    """
Login and passcode of the users in a file, whose passcodes are kept as hashes (argon2id).

`stomp-tx passwd add FILE NAME` makes the file and adds users; it may be changed while the broker runs.

A passcode that was right is not compared again for SECONDS, 300 when not given, unless the file says another
one: to compare costs a good part of a second, and clients that come back all at once wait for one another.
remember=0 compares each time.
""",
    (IUsernamePassword,),
    _passwords,
)

tokens = CheckerFactory(
    "jwt",
    "FILE[:audience=NAME][:issuer=NAME][:user=CLAIM][:groups=CLAIM][:revoked=FILE]",
    """
JSON Web Tokens, which clients send as passcode; their login does not matter.

FILE holds the keys that verify them: a public key in PEM (RS256 or ES256), a JWKS, or a secret (HS256).  The
broker reads it again when it has changed.  A token must have exp and, where they are named here, this aud and
this iss.  The user is its claim sub, the groups are its claim groups, unless others are named.

The file of revoked= has a line for each token (its claim jti) and each user (sub) that is refused.  At SIGHUP
sessions end whose token was taken back, or is verified by no key any more.

A client renews it, on the same connection, by SEND to /session/token with the new one as body.
""",
    (IBearerToken,),
    _tokens,
)

certificates = CheckerFactory(
    "certificate",
    "[cn|subject|email|dns|uri]",
    """
Certificates of clients that come through a port with verify=optional or verify=required, as in
--port stomps:61617:privateKey=key.pem:certKey=cert.pem:ca=ca.pem:verify=required

The user's name is the certificate's common name, its whole subject, or its alternative name of that kind.
It counts for clients that send no login.
""",
    (IPeerCertificate,),
    _certificates,
)

directory = CheckerFactory(
    "ldap",
    "server=ENDPOINT:dn=NAME",
    f"""
Login and passcode of users in a directory: the broker binds with them (needs stomp-tx[ldap]).

{LDAP_EXAMPLE}

The server is an endpoint of Twisted, its colons escaped.  In the name of the entry {{user}} is the login.
""",
    (IUsernamePassword,),
    _directory,
)
