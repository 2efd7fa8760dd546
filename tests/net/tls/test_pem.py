"""pem.py: files of certificates and keys, and what is said of those that are of no use."""

from __future__ import annotations

import os
from typing import Any
from unittest import skipIf

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls import pem
from stomp_tx.net.tls.development_certificates import Authority
from tests.scratch import scratch

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, TRADITIONAL = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
SECRET = serialization.BestAvailableEncryption(b"open sesame")


class PEMCase(SynchronousTestCase):
    """A folder with server.key and server.pem, in which the authority's certificate comes second."""

    def setUp(self) -> None:
        self.folder = scratch(self)
        Authority(str(self.folder)).server()
        self.key: Any = serialization.load_pem_private_key(self.octets("server.key"), None)
        self.leaf, self.root = x509.load_pem_x509_certificates(self.octets("server.pem"))

    def octets(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def at(self, name: str, octets: bytes | None = None) -> str:
        """The path of a file, with this in it."""
        if octets is not None:
            (self.folder / name).write_bytes(octets)
        return str(self.folder / name)

    def refused(self, call: Any, *names: str) -> str:
        error = self.assertRaises(ConfigurationError, call, *names)
        said = f"{error.summary}: {error.detail}"
        self.assertNotIn("[(", said)
        return said.replace(f"{self.folder}/", "")


class CertificatesTests(PEMCase):
    def found(self, octets: bytes) -> list[str]:
        found = pem.certificates(self.at("file", octets))
        return [one.to_cryptography().subject.rfc4514_string() for one in found]

    def test_all_in_their_order_whatever_is_between(self) -> None:
        names = ["CN=localhost", "CN=stomp-tx development"]
        both = self.octets("server.pem")
        self.assertEqual(self.found(both), names)
        self.assertEqual(self.found(self.octets("server.key") + b"a note\n" + both.strip()), names)
        self.assertEqual(self.found(both.replace(b"\n", b"\r\n")), names)

    def test_no_such_file_or_none_of_ours(self) -> None:
        self.assertEqual(
            self.refused(pem.certificates, self.at("none")),
            "can't read none: no such file or directory: can't read none: no such file or directory",
        )
        self.assertIn("is a directory", self.refused(pem.certificates, str(self.folder)))

    @skipIf(os.geteuid() == 0, "root may read everything")
    def test_one_that_may_not_be_read(self) -> None:
        os.chmod(self.at("server.pem"), 0)
        self.assertIn("permission denied", self.refused(pem.certificates, self.at("server.pem")))

    def test_files_without_any(self) -> None:
        p12 = pkcs12.serialize_key_and_certificates(b"x", self.key, self.leaf, None, SECRET)
        der = self.leaf.public_bytes(DER)
        for octets, detail in (
            (b"", "it is empty"),
            (b"\n", "it is empty"),
            (b"hello", "no line of it is -----BEGIN CERTIFICATE-----"),
            (self.octets("server.key"), "it holds: PRIVATE KEY"),
            (der, "it is DER; to convert it: openssl x509 -inform der -in file -out file.pem"),
            (p12, "it is PKCS #12; to convert it: openssl pkcs12 -in file -nodes -out file.pem"),
        ):
            said = self.refused(pem.certificates, self.at("file", octets))
            self.assertEqual(said, f"file holds no certificate in PEM: {detail}")

    def test_one_that_is_damaged_is_counted(self) -> None:
        lines = self.octets("ca.pem").splitlines(keepends=True)
        damaged = self.octets("server.pem") + b"".join(lines[:1] + lines[2:])
        said = self.refused(pem.certificates, self.at("file", damaged))
        self.assertEqual(said, "a certificate in file is damaged: number 3 of 3 can't be read")


class PrivateKeyTests(PEMCase):
    def test_of_every_kind_and_format(self) -> None:
        for key in (self.key, rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()):
            octets = key.private_bytes(PEM, PKCS8, PLAIN)
            found = pem.private_key(self.at("file", self.octets("server.pem") + octets))
            self.assertEqual(found.to_cryptography_key().private_bytes(PEM, PKCS8, PLAIN), octets)
        for key in (self.key, rsa.generate_private_key(65537, 2048)):
            pem.private_key(self.at("file", key.private_bytes(PEM, TRADITIONAL, PLAIN)))

    def test_files_without_any(self) -> None:
        der = self.key.private_bytes(DER, PKCS8, PLAIN)
        p12 = pkcs12.serialize_key_and_certificates(b"x", self.key, self.leaf, None, SECRET)
        for octets, detail in (
            (self.octets("server.pem"), "it holds: CERTIFICATE"),
            (der, "it is DER; to convert it: openssl pkey -inform der -in file -out file.pem"),
            (p12, "it is PKCS #12; to convert it: openssl pkcs12 -in file -nodes -out file.pem"),
            (b"hello", "no line of it is -----BEGIN PRIVATE KEY-----"),
        ):
            said = self.refused(pem.private_key, self.at("file", octets))
            self.assertEqual(said, f"file holds no private key in PEM: {detail}")

    def test_one_that_is_encrypted_asks_nobody(self) -> None:
        for form in (PKCS8, TRADITIONAL):
            octets = self.key.private_bytes(PEM, form, SECRET)
            said = self.refused(pem.private_key, self.at("file", octets))
            self.assertIn("the private key in file is encrypted: nobody can be asked for its", said)
            self.assertIn("openssl pkey -in ", said)

    def test_one_that_is_damaged(self) -> None:
        lines = self.octets("server.key").splitlines(keepends=True)
        said = self.refused(pem.private_key, self.at("file", b"".join(lines[:1] + lines[2:])))
        self.assertEqual(said, "the private key in file can't be read: the file is damaged")


class IdentityTests(PEMCase):
    def test_a_key_and_its_certificate_with_those_behind_it(self) -> None:
        _, chain = pem.identity(self.at("server.key"), self.at("server.pem"))
        self.assertEqual([one.to_cryptography() for one in chain], [self.leaf, self.root])
        both = self.octets("server.pem") + self.octets("server.key")
        pem.identity(self.at("file", both), self.at("file"))

    def test_two_that_do_not_belong_together(self) -> None:
        Authority(self.at("other")).server()
        said = self.refused(pem.identity, self.at("other/server.key"), self.at("server.pem"))
        self.assertEqual(
            said,
            "the private key in other/server.key is not that of the certificate in server.pem:"
            " that certificate is of CN=localhost: name two files that belong together",
        )

    def test_the_first_certificate_is_anothers(self) -> None:
        upside_down = self.at("file", b"".join(one.public_bytes(PEM) for one in (self.root, self.leaf)))
        self.assertEqual(
            self.refused(pem.identity, self.at("server.key"), upside_down),
            "the first certificate in file is not that of the private key in server.key: put the certificate"
            " of CN=localhost first, its issuer's second, and so on; now CN=stomp-tx development is first",
        )
