"""checkers/certificate.py: whom a certificate names."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.cred.error import UnauthorizedLogin
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.certificate import CertificateChecker
from stomp_tx.auth.credentials import PeerCertificate

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*names: str, alternatives: list[x509.GeneralName] | None = None) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(KEY, hashes.SHA256())


class CertificateCheckerTests(SynchronousTestCase):
    def user(self, shown: x509.Certificate, name: str = "cn") -> str:
        return CertificateChecker(name).requestAvatarId(PeerCertificate(shown)).name

    def refused(self, shown: Any, name: str = "cn") -> None:
        self.assertRaises(UnauthorizedLogin, CertificateChecker(name).requestAvatarId, PeerCertificate(shown))

    def test_where_the_name_is(self) -> None:
        shown = certificate(
            "ann",
            alternatives=[
                x509.RFC822Name("ann@example.com"),
                x509.DNSName("ann.example.com"),
                x509.UniformResourceIdentifier("spiffe://example.com/ann"),
            ],
        )
        for name, user in (
            ("cn", "ann"),
            ("subject", "CN=ann"),
            ("email", "ann@example.com"),
            ("dns", "ann.example.com"),
            ("uri", "spiffe://example.com/ann"),
        ):
            self.assertEqual(self.user(shown, name), user)

    def test_the_session_ends_with_the_certificate(self) -> None:
        shown = certificate("ann")
        found = CertificateChecker().requestAvatarId(PeerCertificate(shown))
        self.assertEqual(found.expires, shown.not_valid_after_utc.timestamp())
        self.assertTrue(found.is_valid())

    def test_it_has_one_name_or_none_at_all(self) -> None:
        self.refused(certificate())
        self.refused(certificate("ann", "bob"))
        self.refused(certificate("ann"), "email")
        self.refused(
            certificate("ann", alternatives=[x509.DNSName("a.example"), x509.DNSName("b.example")]), "dns"
        )

    def test_names_that_are_none(self) -> None:
        for name in (" ", "ann\x00bob", "ann\nroot"):
            self.refused(certificate(name))
