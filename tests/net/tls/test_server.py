"""net/tls/server.py: the endpoint stomps:, with real handshakes over a loopback of memory."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from weakref import WeakSet

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.certificate import CertificateChecker
from stomp_tx.auth.credentials import PeerCertificate
from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls import server
from stomp_tx.net.tls.development_certificates import Authority
from stomp_tx.net.tls.server import ServerContext, reload_certificates
from tests.scratch import scratch


def authority_of(folder: Path) -> tuple[Any, x509.Certificate]:
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    return key, x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())


def revocation_list(folder: Path, serials: list[int], days: float = 7) -> bytes:
    """What the authority of that folder has taken back; it is good until then."""
    key, own = authority_of(folder)
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(own.subject)
        .last_update(now - timedelta(hours=1))
        .next_update(now + timedelta(days=days))
    )
    for serial in serials:
        one = x509.RevokedCertificateBuilder().serial_number(serial)
        builder = builder.add_revoked_certificate(one.revocation_date(now - timedelta(minutes=1)).build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sign_again(signer: Path, folder: Path, name: str) -> x509.Certificate:
    """Give the authority of that folder another name, by this signer, and let it have authorities below."""
    key, issuer = authority_of(signer)
    inner, before = authority_of(folder)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer == folder else issuer.subject)
        .public_key(inner.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(before.not_valid_before_utc)
        .not_valid_after(before.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    for extension in before.extensions:
        if not isinstance(extension.value, x509.BasicConstraints):
            builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return signed


class TLSCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(server, "_in_use", WeakSet())
        self.folder = scratch(self) / "certs"
        self.authority = Authority(str(self.folder))
        self.authority.server()

    def at(self, name: str) -> str:
        return str(self.folder / name)

    def context(self, **more: str) -> ServerContext:
        names = {"privateKey": self.at("server.key"), "certKey": self.at("server.pem"), **more}
        return ServerContext(**names)

    def client(self, folder: Path | None = None, user: str | None = None, version: int | None = None) -> Any:
        """A client's side, which trusts our authority and shows this user's certificate."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.load_verify_locations(self.at("ca.pem"))
        context.set_verify(SSL.VERIFY_PEER, lambda *result: bool(result[-1]))
        if version is not None:
            context.set_max_proto_version(version)
        if user is not None:
            where = (folder or self.folder) / f"client-{user}"
            context.use_certificate_chain_file(f"{where}.pem")
            context.use_privatekey_file(f"{where}.key")
        return SSL.Connection(context)

    def shake(self, server: ServerContext, client: Any) -> x509.Certificate | None:
        """Whom the server sees.  Raises SSL.Error when either side does not want it."""
        theirs = SSL.Connection(server.getContext())
        theirs.set_accept_state()
        client.set_connect_state()
        for _ in range(10):
            for one, other in ((client, theirs), (theirs, client)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                try:
                    other.bio_write(one.bio_read(1 << 16))
                except SSL.WantReadError:
                    pass
        try:
            theirs.recv(1)
        except SSL.WantReadError:
            pass
        found = theirs.get_peer_certificate()
        return None if found is None else found.to_cryptography()

    def revoke(self, *users: str, days: float = 7, folder: Path | None = None) -> str:
        """The file of an authority's list of these users' certificates."""
        folder = folder or self.folder
        files = [(folder / f"client-{user}.pem").read_bytes() for user in users]
        serials = [x509.load_pem_x509_certificates(one)[0].serial_number for one in files]
        (folder / "crl.pem").write_bytes(revocation_list(folder, serials, days))
        return str(folder / "crl.pem")


class HandshakeTests(TLSCase):
    def test_without_an_authority_no_certificate_is_asked_for(self) -> None:
        self.authority.client("ann")
        self.assertIsNone(self.shake(self.context(), self.client(user="ann")))

    def test_a_certificate_that_the_authority_has_signed(self) -> None:
        self.authority.client("ann")
        for verify in ("", "optional", "required"):
            seen = self.shake(self.context(ca=self.at("ca.pem"), verify=verify), self.client(user="ann"))
            assert seen is not None
            self.assertEqual(seen.subject.rfc4514_string(), "CN=ann")

    def test_none(self) -> None:
        self.assertIsNone(self.shake(self.context(ca=self.at("ca.pem"), verify="optional"), self.client()))
        required = self.context(ca=self.at("ca.pem"), verify="required")
        self.assertRaises(SSL.Error, self.shake, required, self.client())

    def test_of_another_authority_or_of_its_own(self) -> None:
        other = scratch(self) / "other"
        Authority(str(other)).client("ann")
        for verify in ("optional", "required"):
            server = self.context(ca=self.at("ca.pem"), verify=verify)
            self.assertRaises(SSL.Error, self.shake, server, self.client(other, "ann"))
        # One that has signed itself, and is an authority to itself.
        (other / "client-self.pem").write_bytes((other / "ca.pem").read_bytes())
        (other / "client-self.key").write_bytes((other / "ca.key").read_bytes())
        server = self.context(ca=self.at("ca.pem"), verify="optional")
        self.assertRaises(SSL.Error, self.shake, server, self.client(other, "self"))

    def test_a_servers_certificate_is_no_clients(self) -> None:
        for name in ("pem", "key"):
            (self.folder / f"client-server.{name}").write_bytes((self.folder / f"server.{name}").read_bytes())
        server = self.context(ca=self.at("ca.pem"))
        self.assertRaises(SSL.Error, self.shake, server, self.client(user="server"))

    def test_one_that_is_over(self) -> None:
        past = datetime.now(timezone.utc) - timedelta(days=10)
        Authority(str(self.folder), days=5, now=past).client("late")
        server = self.context(ca=self.at("ca.pem"))
        self.assertRaises(SSL.Error, self.shake, server, self.client(user="late"))

    def test_one_that_was_taken_back(self) -> None:
        self.authority.client("eve")
        crl = self.revoke("eve")
        self.authority.client("ann")
        server = self.context(ca=self.at("ca.pem"), crl=crl)
        self.assertIsNotNone(self.shake(server, self.client(user="ann")))
        self.assertRaises(SSL.Error, self.shake, server, self.client(user="eve"))

    def test_application_protocols_that_a_client_offers_are_passed_over(self) -> None:
        server = self.context()
        for read_again in (False, True):
            if read_again:
                server.read()
            client = self.client()
            client.set_alpn_protos([b"stomp", b"http/1.1"])
            self.shake(server, client)
            self.assertEqual(client.get_alpn_proto_negotiated(), b"")

    def test_versions(self) -> None:
        self.assertRaises(SSL.Error, self.shake, self.context(), self.client(version=SSL.TLS1_1_VERSION))
        self.shake(self.context(), self.client(version=SSL.TLS1_2_VERSION))
        newest = self.context(minimum="1.3")
        self.assertRaises(SSL.Error, self.shake, newest, self.client(version=SSL.TLS1_2_VERSION))
        self.shake(newest, self.client())


class RevocationTests(TLSCase):
    """Lists of certificates that were taken back: one that is of no use would keep everybody outside."""

    def refused(self, crl: str, ca: str = "ca.pem") -> ConfigurationError:
        error: ConfigurationError = self.assertRaises(
            ConfigurationError, self.context, ca=self.at(ca), crl=crl
        )
        return error

    def both(self, *names: str) -> str:
        (self.folder / "both.pem").write_bytes(b"".join(Path(name).read_bytes() for name in names))
        return self.at("both.pem")

    def test_one_that_is_over(self) -> None:
        self.assertIn("is over", str(self.refused(self.revoke(days=-0.01))))

    def test_one_of_another_authority(self) -> None:
        other = scratch(self) / "other"
        Authority(str(other))
        crl = self.revoke(folder=other)
        self.assertIn("of no authority in ca", str(self.refused(crl)))  # of the same name, by another key
        self.assertIn("of no authority in ca", str(self.refused(self.both(self.revoke(), crl))))

    def test_one_for_each_authority(self) -> None:
        other = scratch(self) / "other"
        Authority(str(other))
        self.both(self.at("ca.pem"), str(other / "ca.pem"))
        (self.folder / "cas.pem").write_bytes((self.folder / "both.pem").read_bytes())
        self.assertIn("has no revocation list of", str(self.refused(self.revoke(), ca="cas.pem")))
        self.authority.client("ann")
        server = self.context(ca=self.at("cas.pem"), crl=self.both(self.revoke(), self.revoke(folder=other)))
        self.assertIsNotNone(self.shake(server, self.client(user="ann")))

    def test_at_a_reload_the_old_ones_stay(self) -> None:
        for user in ("ann", "eve"):
            self.authority.client(user)
        server = self.context(ca=self.at("ca.pem"), crl=self.revoke("eve"))
        self.revoke(days=-0.01)
        self.assertRaises(ConfigurationError, reload_certificates)
        self.assertIsNotNone(self.shake(server, self.client(user="ann")))
        self.assertRaises(SSL.Error, self.shake, server, self.client(user="eve"))

    def test_what_is_connected_is_asked_about_again(self) -> None:
        self.authority.client("eve")
        (eve, *_) = x509.load_pem_x509_certificates((self.folder / "client-eve.pem").read_bytes())
        server = self.context(ca=self.at("ca.pem"), crl=self.revoke())
        found = CertificateChecker().requestAvatarId(PeerCertificate(eve))
        self.assertTrue(found.is_valid())
        self.revoke("eve")
        self.assertTrue(found.is_valid())
        reload_certificates()
        self.assertFalse(found.is_valid())
        self.revoke()
        server.read()
        self.assertTrue(found.is_valid())

    def test_an_intermediate_authority_that_was_taken_back(self) -> None:
        """Its clients are refused, though it has taken none of them back itself."""
        inner = scratch(self) / "inner"
        Authority(str(inner))
        sign_again(self.folder, self.folder, "root")
        signed = sign_again(self.folder, inner, "inner")
        Authority(str(inner)).client("tim")
        Authority(str(self.folder)).server()
        self.both(self.at("ca.pem"), str(inner / "ca.pem"))
        (self.folder / "cas.pem").write_bytes((self.folder / "both.pem").read_bytes())
        own = revocation_list(inner, [])
        for serials, is_good in (([], True), ([signed.serial_number], False)):
            crl = self.folder / "crl.pem"
            crl.write_bytes(own + revocation_list(self.folder, serials))
            server = self.context(ca=self.at("cas.pem"), crl=str(crl))
            if is_good:
                self.assertIsNotNone(self.shake(server, self.client(inner, "tim")))
            else:
                self.assertRaises(SSL.Error, self.shake, server, self.client(inner, "tim"))

    def test_when_one_is_over_soon_its_owner_is_told(self) -> None:
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.context(ca=self.at("ca.pem"), crl=self.revoke())
        self.assertEqual(lines, [])
        self.context(ca=self.at("ca.pem"), crl=self.revoke(days=0.5))
        self.assertIn("is over at", lines[0]["log_format"])


class ReloadTests(TLSCase):
    def serial(self, server: ServerContext) -> int:
        client = self.client()
        self.shake(server, client)
        shown = client.get_peer_certificate()
        assert shown is not None
        serial: int = shown.get_serial_number()
        return serial

    def test_new_connections_get_the_new_certificate(self) -> None:
        server = self.context()
        before = self.serial(server)
        self.authority.server()
        self.assertEqual(self.serial(server), before)
        self.assertGreaterEqual(reload_certificates(), 1)
        self.assertNotEqual(self.serial(server), before)

    def test_a_daemon_goes_to_another_folder(self) -> None:
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        (self.folder / "crl.pem").write_bytes(revocation_list(self.folder, []))
        server = ServerContext("server.key", "server.pem", "ca.pem", "crl.pem")
        os.chdir("/")
        server.read()

    def test_files_that_do_not_fit_change_nothing(self) -> None:
        server = self.context()
        before = self.serial(server)
        (self.folder / "server.key").write_bytes((self.folder / "ca.key").read_bytes())
        self.assertRaises(ConfigurationError, reload_certificates)
        self.assertEqual(self.serial(server), before)


class EndpointTests(TLSCase):
    def refused(self, **more: str) -> str:
        return str(self.assertRaises(ConfigurationError, self.context, **more))

    def test_twisted_knows_the_prefix(self) -> None:
        description = f"stomps:0:privateKey={self.at('server.key')}:certKey={self.at('server.pem')}"
        endpoint = serverFromString(reactor, f"{description}:ca={self.at('ca.pem')}:interface=127.0.0.1")
        self.assertEqual(endpoint._interface, "127.0.0.1")  # type: ignore[attr-defined]

    def test_key_and_certificate_may_be_one_file(self) -> None:
        both = self.folder / "both.pem"
        both.write_bytes(
            (self.folder / "server.key").read_bytes() + (self.folder / "server.pem").read_bytes()
        )
        self.shake(ServerContext(privateKey=str(both)), self.client())

    def test_what_is_wrong_is_said(self) -> None:
        self.assertIn("verify can't be 'yes'", self.refused(verify="yes"))
        self.assertIn("needs ca=FILE", self.refused(verify="required"))
        self.assertIn("needs ca=FILE", self.refused(crl=self.at("crl.pem")))
        self.assertIn("minimum can't be '1.1'", self.refused(minimum="1.1"))
        self.assertIn("no certificate", self.refused(certKey=self.at("server.key")))
        self.assertIn("is not that of the private key", self.refused(privateKey=self.at("ca.key")))
        self.assertIn("no certificate", self.refused(ca=self.at("ca.key")))
        self.assertIn("no revocation list", self.refused(ca=self.at("ca.pem"), crl=self.at("ca.pem")))
        self.assertIn("can't read /nowhere: no such file", self.refused(ca="/nowhere"))
