"""A certificate for one run: made in a temporary folder, trusted by the generator, gone afterwards."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path


class Certificate:
    """Self-signed for 127.0.0.1, as two PEM files for an `ssl:` endpoint string."""

    def __init__(self, folder: Path) -> None:
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        self._write()

    def endpoint(self, port: int) -> str:
        return f"ssl:{port}:privateKey={self.key}:certKey={self.certificate}:interface=127.0.0.1"

    def client_context(self) -> ssl.SSLContext:
        """Trusts this certificate and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def _write(self) -> None:
        # Here and not above: everything but the TLS case runs without cryptography.
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmarks")])
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        loopback = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
