"""Certificates for development: an authority, a server's and clients', in one folder."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stomp_tx.errors import ConfigurationError

LOCAL = ("localhost", "127.0.0.1", "::1")
"""What a server's certificate is for, if nothing else is said."""

AUTHORITY = "ca"


class Authority:
    """Signs certificates; its own is ``ca.pem`` in the folder, with ``ca.key``, used again if it is there.

    Raises ConfigurationError for what can't be read or written.
    """

    def __init__(self, folder: str, days: int = 365, now: datetime | None = None) -> None:
        self._folder = Path(folder)
        self._days = days
        self._now = now or datetime.now(timezone.utc)
        try:
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._key, self._certificate = self._own()
        except OSError as error:
            raise ConfigurationError(f"can't use {folder}: {error.strerror}") from None

    def server(self, hosts: Sequence[str] = LOCAL) -> list[Path]:
        """Write ``server.pem`` (the certificate, and the authority's behind it) and ``server.key``."""
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host.encode("idna").decode()))
        return self._issue("server", hosts[0], names, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, user: str) -> list[Path]:
        """Write ``client-USER.pem`` and ``client-USER.key``; the common name is the user."""
        if not user or "/" in user or not user.isprintable() or len(user) > 64:
            raise ConfigurationError(f"{user!r} can't be a common name, and the name of a file")
        return self._issue(f"client-{user}", user, [], ExtendedKeyUsageOID.CLIENT_AUTH)

    def _own(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        path, key_path = self._folder / f"{AUTHORITY}.pem", self._folder / f"{AUTHORITY}.key"
        if path.exists() and key_path.exists():
            try:
                key = serialization.load_pem_private_key(key_path.read_bytes(), None)
                certificate = x509.load_pem_x509_certificate(path.read_bytes())
            except (ValueError, TypeError):
                raise ConfigurationError(
                    f"{path} and {key_path} are no authority", "move them away"
                ) from None
            if (
                not isinstance(key, ec.EllipticCurvePrivateKey)
                or key.public_key() != certificate.public_key()
            ):
                raise ConfigurationError(
                    f"{path} and {key_path} do not belong together", "move them away, to make new ones"
                )
            return key, certificate
        own = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stomp-tx development")])
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            self._builder(name, name, own.public_key(), days=10 * self._days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
            .sign(own, hashes.SHA256())
        )
        self._write(AUTHORITY, own, [made])
        return own, made

    def _issue(
        self, file: str, name: str, alternatives: Sequence[x509.GeneralName], usage: x509.ObjectIdentifier
    ) -> list[Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        builder = (
            self._builder(subject, self._certificate.subject, key.public_key(), self._days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return self._write(file, key, [builder.sign(self._key, hashes.SHA256()), self._certificate])

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(hours=1))  # clocks differ
            .not_valid_after(self._now + timedelta(days=days))
        )

    def _write(
        self, name: str, key: ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]
    ) -> list[Path]:
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path, key_path = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        try:
            key_path.unlink(missing_ok=True)
            # Nobody but the owner may read a key, not even for the moment until its mode is set.
            with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(pem)
            path.write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
        except OSError as error:
            raise ConfigurationError(f"can't write {key_path}: {error.strerror}") from None
        return [path, key_path]
