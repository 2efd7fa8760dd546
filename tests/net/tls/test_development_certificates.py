"""net/tls/development_certificates.py: an authority for development."""

from __future__ import annotations

import stat

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls.development_certificates import Authority
from tests.scratch import scratch


class AuthorityTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = scratch(self) / "certs"

    def loaded(self, name: str) -> list[x509.Certificate]:
        return x509.load_pem_x509_certificates((self.folder / name).read_bytes())

    def test_a_servers_certificate_is_good_for_its_hosts(self) -> None:
        Authority(str(self.folder)).server(["broker.lan", "192.0.2.7"])
        own, authority = self.loaded("server.pem")
        verifier = PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName("broker.lan"))
        self.assertEqual(verifier.verify(own, [])[-1], authority)
        self.assertEqual(self.loaded("ca.pem"), [authority])

    def test_a_clients_names_the_user(self) -> None:
        authority = Authority(str(self.folder))
        paths = authority.client("ann")
        self.assertEqual([path.name for path in paths], ["client-ann.pem", "client-ann.key"])
        own, _ = self.loaded("client-ann.pem")
        self.assertEqual(own.subject.rfc4514_string(), "CN=ann")

    def test_keys_are_the_owners(self) -> None:
        for path in Authority(str(self.folder)).server():
            mode = stat.S_IMODE(path.stat().st_mode)
            self.assertEqual(mode & 0o077 if path.suffix == ".key" else 0, 0)

    def test_the_authority_stays_the_same(self) -> None:
        Authority(str(self.folder)).server()
        before = self.loaded("ca.pem")
        Authority(str(self.folder)).client("ann")
        self.assertEqual(self.loaded("ca.pem"), before)

    def test_what_can_not_be(self) -> None:
        authority = Authority(str(self.folder))
        for user in ("", "../ann", "a\nb", "x" * 65):
            self.assertRaises(ConfigurationError, authority.client, user)
        (self.folder / "ca.key").write_text("nonsense")
        self.assertRaises(ConfigurationError, Authority, str(self.folder))
        self.assertRaises(ConfigurationError, Authority, "/proc/nowhere")
