"""CertificateChecker: whoever comes with a certificate that TLS has verified."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
)
from cryptography.x509.oid import NameOID
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from stomp_tx.auth.credentials import IPeerCertificate
from stomp_tx.auth.identity import Identity
from stomp_tx.net.tls.revocation import is_revoked


def _common_name(certificate: Certificate) -> list[str]:
    return [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _subject(certificate: Certificate) -> list[str]:
    return [certificate.subject.rfc4514_string()]


def _alternative(kind: Any) -> Callable[[Certificate], list[str]]:
    def names(certificate: Certificate) -> list[str]:
        try:
            found = certificate.extensions.get_extension_for_class(SubjectAlternativeName)
        except ExtensionNotFound:
            return []
        return [str(one) for one in found.value.get_values_for_type(kind)]

    return names


NAMES: dict[str, Callable[[Certificate], list[str]]] = {
    "cn": _common_name,
    "subject": _subject,
    "email": _alternative(RFC822Name),
    "dns": _alternative(DNSName),
    "uri": _alternative(UniformResourceIdentifier),
}
"""What of a certificate can be the user's name: it must have exactly one of that kind."""


@implementer(ICredentialsChecker)
class CertificateChecker:
    """The user is whom the certificate names; ``name`` says where: see NAMES.

    The session ends with the certificate, or at SIGHUP when it was taken back.
    """

    credentialInterfaces = (IPeerCertificate,)

    def __init__(self, name: str = "cn") -> None:
        self._names = NAMES[name]
        self._kind = name

    def requestAvatarId(self, credentials: Any) -> Identity:  # type: ignore[override]  # see StompRealm
        shown = credentials.certificate
        try:
            names, expires = self._names(shown), shown.not_valid_after_utc.timestamp()
        except ValueError as error:  # what OpenSSL takes may be no good DER all the same
            raise UnauthorizedLogin(f"the certificate can't be read: {error}") from None
        if len(names) != 1 or not names[0].strip() or not names[0].isprintable():
            raise UnauthorizedLogin(f"the certificate has not one name as {self._kind}, but {len(names)}")
        return Identity(names[0], expires=expires, is_valid=lambda: not is_revoked(shown))
