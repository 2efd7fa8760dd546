"""RevocationLists: which certificates were taken back (RFC 5280, 5), as authorities say in lists."""

from __future__ import annotations

import re
import weakref
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import (
    Certificate,
    CertificateRevocationList,
    ExtensionNotFound,
    KeyUsage,
    load_pem_x509_crl,
)

from stomp_tx.errors import ConfigurationError

_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)

SOON = timedelta(days=1)
"""When less than that is left of a list, its owner is told: once it is over, nobody gets in."""

_in_use: weakref.WeakSet[RevocationLists] = weakref.WeakSet()


def is_revoked(certificate: Certificate) -> bool:
    """Has its authority taken it back, as the lists of any port say that are in force?"""
    return any(lists.have(certificate) for lists in _in_use)


class RevocationLists:
    """The lists in a file, which are of these authorities, now good, and one or more for each of them.

    Raises ConfigurationError for others: with such a list in force nobody would get in.

    lists -- what OpenSSL is to be told
    ends_soon -- when the first of them is over, where that is soon
    """

    def __init__(
        self, octets: bytes, path: str, authorities: Sequence[Certificate], now: datetime | None = None
    ) -> None:
        now = now or datetime.now(timezone.utc)
        try:
            self.lists = [load_pem_x509_crl(one + b"\n") for one in _LIST.findall(octets)]
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigurationError(f"a revocation list in {path} can't be read", str(error)) from None
        if not self.lists:
            raise ConfigurationError(f"{path} holds no revocation list in PEM")
        without = list(authorities)
        for one in self.lists:
            signers = [authority for authority in authorities if _is_signed(one, authority)]
            issuer = one.issuer.rfc4514_string()
            if not signers:
                raise ConfigurationError(
                    f"the revocation list of {issuer} in {path} is of no authority in ca",
                    "an authority's certificate must be there, those of intermediate ones too, and allow it",
                )
            ends = one.next_update_utc
            if one.last_update_utc > now or (ends is not None and ends <= now):
                raise ConfigurationError(
                    f"the revocation list of {issuer} in {path} is over, or not good yet",
                    f"it is good from {one.last_update_utc} to {ends}: get a new one",
                )
            without = [authority for authority in without if authority not in signers]
        if without:
            raise ConfigurationError(
                f"{path} has no revocation list of {without[0].subject.rfc4514_string()}",
                "each authority in ca needs one",
            )
        ends_first = min((one.next_update_utc for one in self.lists if one.next_update_utc), default=None)
        self.ends_soon = ends_first if ends_first is not None and ends_first - now < SOON else None

    def enforce(self) -> None:
        """From now on ``is_revoked`` knows them, as long as somebody holds this."""
        _in_use.add(self)

    def have(self, certificate: Certificate) -> bool:
        """Do they name it?"""
        return any(
            one.issuer == certificate.issuer
            and one.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
            for one in self.lists
        )


def _is_signed(one: CertificateRevocationList, authority: Certificate) -> bool:
    if one.issuer != authority.subject:
        return False
    try:
        if not authority.extensions.get_extension_for_class(KeyUsage).value.crl_sign:
            return False  # OpenSSL would not take it
    except ExtensionNotFound:
        pass
    try:
        return one.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # TypeError for others
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
