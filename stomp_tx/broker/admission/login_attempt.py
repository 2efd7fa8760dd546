"""LoginAttempt: somebody who wants to log in, from somewhere and as somebody."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from twisted.cred.credentials import ICredentials

from stomp_tx.auth.credentials import BearerToken, Passcode, PeerCertificate

_KEY = os.urandom(16)


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """What its failure counts by.

    place -- where it comes from, see connection_limits.place_of
    login -- who they say they are; empty where that does not matter
    key -- the same for the same login; where that does not matter, for the same token or certificate
    """

    place: str
    login: str
    key: bytes


def login_attempt_of(place: str, login: str, shown: Sequence[ICredentials]) -> LoginAttempt:
    """Of somebody who is to be judged by that.  Of what they show only a hash is kept, however long it is."""
    if not any(isinstance(one, Passcode) for one in shown):
        for one in shown:
            if isinstance(one, BearerToken):
                return LoginAttempt(place, "", _hash(b"token", one.token.encode()))
            if isinstance(one, PeerCertificate):
                return LoginAttempt(place, "", _hash(b"certificate", _octets_of(one)))
    return LoginAttempt(place, login, _hash(b"login", login.encode()))


def _octets_of(shown: PeerCertificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding  # not for brokers without certificates

    return shown.certificate.public_bytes(Encoding.DER)


def _hash(kind: bytes, text: bytes) -> bytes:
    return blake2b(text, key=_KEY, person=kind, digest_size=16).digest()
