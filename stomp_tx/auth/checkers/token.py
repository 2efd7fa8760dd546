"""TokenChecker: JWT bearer tokens (RFC 7519), which clients send in ``passcode``."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from stomp_tx.auth.credentials import BearerToken, IBearerToken
from stomp_tx.auth.identity import Identity
from stomp_tx.auth.watched_file import WatchedFile
from stomp_tx.errors import ConfigurationError

ALGORITHMS = ("HS256", "RS256", "ES256")

SHORTEST_SECRET = 32
"""Octets of a secret: as many as the hash has (RFC 7518, 3.2)."""

LONGEST = 16 * 1024
"""Characters of a token."""


@dataclass(frozen=True)
class Key:
    """What verifies tokens, with one algorithm; ``id`` is the ``kid`` of those that it is for, or None."""

    algorithm: str
    key: Any
    id: str | None = None


@implementer(ICredentialsChecker)
class TokenChecker:
    """Whoever bears a token that one of the keys verifies is who its claims say.

    keys -- the file that they are in: see ``keys_in``
    audience, issuer -- what the token must say; empty: whatever it says
    user, groups -- the claims that name the user and their groups
    revoked -- the file of the tokens (their ``jti``) and of the users that are refused: see ``names_in``
    leeway -- seconds by which clocks may differ
    now -- gives the seconds since 1970

    A token without an expiry is refused.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(
        self,
        keys: WatchedFile[list[Key]],
        audience: str = "",
        issuer: str = "",
        user: str = "sub",
        groups: str = "groups",
        revoked: WatchedFile[frozenset[str]] | None = None,
        leeway: float = 10.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._user = user
        self._groups = groups
        self._revoked = revoked
        self._leeway = leeway
        self._now = now
        for file in (keys, revoked):
            if file is not None:
                file.get()  # what is wrong with it is said at the start

    def requestAvatarId(self, credentials: Any) -> Identity:  # type: ignore[override]  # see StompRealm
        token = credentials.token
        claims = self._verified(token)
        name = claims.get(self._user)
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise UnauthorizedLogin(f"the token has no claim {self._user} with a name")
        groups = claims.get(self._groups, ())
        if isinstance(groups, str):
            groups = groups.split()  # as OAuth writes a scope
        if not isinstance(groups, (list, tuple)):
            groups = ()
        if self._revoked is not None:
            known = {one for one in (claims.get("jti"), claims.get("sub"), name) if isinstance(one, str)}
            if not known.isdisjoint(self._revoked.get()):
                raise UnauthorizedLogin("the token was taken back")
        return Identity(
            name,
            tuple(one for one in groups if isinstance(one, str)),
            float(claims["exp"]) + self._leeway,
            lambda: self._is_good_still(token),
        )

    def _is_good_still(self, token: str) -> bool:
        """Its key is still there, and it was not taken back."""
        try:
            self.requestAvatarId(BearerToken(token))
        except UnauthorizedLogin:
            return False
        except ConfigurationError:
            pass  # a file that can't be read takes nobody's login away
        return True

    def _verified(self, token: str) -> Mapping[str, Any]:
        if len(token) > LONGEST:
            raise UnauthorizedLogin("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise UnauthorizedLogin(f"no token: {error}") from None
        reason = f"no key is for algorithm {header.get('alg')!r} and key id {header.get('kid')!r}"
        for key in self._keys.get():
            if key.algorithm != header.get("alg") or (key.id and header.get("kid") not in (None, key.id)):
                continue
            try:
                return self._decoded(token, key)
            except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
                reason = str(error)
        raise UnauthorizedLogin(reason)

    def _decoded(self, token: str, key: Key) -> Mapping[str, Any]:
        must = ["exp", *(["aud"] if self._audience else ()), *(["iss"] if self._issuer else ())]
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],  # the key says which, never the token
            audience=self._audience or None,
            issuer=self._issuer or None,
            leeway=self._leeway,
            options={"require": must, "verify_aud": bool(self._audience), "verify_exp": False},
        )
        expires = claims["exp"]
        if type(expires) not in (int, float) or not self._now() < expires + self._leeway < math.inf:
            raise UnauthorizedLogin("the token has expired")
        if self._issuer and claims["iss"] != self._issuer:  # there was a PyJWT that took a part of it
            raise UnauthorizedLogin("the token has another issuer")
        return claims


def names_in(octets: bytes, path: str) -> frozenset[str]:
    """The lines of a file, but for empty ones and those that begin with ``#``.  Raises ConfigurationError."""
    try:
        lines = [line.strip() for line in octets.decode().split("\n")]
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no text in UTF-8") from None
    return frozenset(line for line in lines if line and not line.startswith("#"))


def keys_in(octets: bytes, path: str) -> list[Key]:
    """The keys in a file: a JWKS, public keys in PEM (or certificates), or else a secret.

    Raises ConfigurationError.
    """
    if octets.lstrip().startswith(b"{"):
        return _keys_of_set(octets, path)
    if b"-----BEGIN" in octets:
        return [_key_of_pem(octets, path)]
    secret = octets.strip()
    if len(secret) < SHORTEST_SECRET:
        raise ConfigurationError(
            f"the secret in {path} is too short", f"it needs {SHORTEST_SECRET} octets: openssl rand -hex 32"
        )
    return [Key("HS256", secret)]


def _key_of_pem(octets: bytes, path: str) -> Key:
    if b"PRIVATE KEY" in octets:
        raise ConfigurationError(
            f"{path} holds a private key", "the broker needs the public one only: openssl pkey -pubout"
        )
    try:
        if b"CERTIFICATE" in octets:
            key: object = load_pem_x509_certificate(octets).public_key()
        else:
            key = load_pem_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{path} holds no public key in PEM") from None
    for algorithm in ("RS256", "ES256"):
        if _is_strong(algorithm, key):
            return Key(algorithm, key)
    raise ConfigurationError(
        f"the key in {path} is for none of {', '.join(ALGORITHMS)}",
        "RSA keys need 2048 bits or more, those of elliptic curves are of P-256",
    )


def _is_strong(algorithm: str, key: object) -> bool:
    """Is it a key for that algorithm, and good enough?"""
    if algorithm == "RS256":
        return isinstance(key, RSAPublicKey) and key.key_size >= 2048
    if algorithm == "ES256":
        return isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    return algorithm == "HS256" and isinstance(key, bytes) and len(key) >= SHORTEST_SECRET


def _keys_of_set(octets: bytes, path: str) -> list[Key]:
    try:
        keys = jwt.PyJWKSet.from_dict(json.loads(octets)).keys
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigurationError(f"{path} holds no keys (JWKS): {error}") from None
    found = [
        Key(one.algorithm_name, one.key, one.key_id)
        for one in keys
        if one.public_key_use in (None, "sig") and _is_strong(one.algorithm_name, one.key)
    ]
    if not found:
        raise ConfigurationError(f"no key in {path} is for any of {', '.join(ALGORITHMS)}")
    return found
