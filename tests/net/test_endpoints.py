import os

from cryptography.hazmat.primitives import serialization
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.endpoints import KINDS, development_certificate, endpoint_from_string
from stomp_tx.net.tls.development_certificates import Authority
from tests.scratch import scratch


class EndpointTests(SynchronousTestCase):
    def refused(self, description):
        error = self.assertRaises(ConfigurationError, endpoint_from_string, MemoryReactorClock(), description)
        self.assertEqual(error.summary, f"can't use port {description}")
        return error.detail

    def test_endpoint_listens_where_it_says(self):
        reactor = MemoryReactorClock()
        endpoint_from_string(reactor, "tcp:61613:interface=127.0.0.1").listen(None)
        self.assertEqual(reactor.tcpServers[0][0], 61613)
        self.assertEqual(reactor.tcpServers[0][3], "127.0.0.1")

    def test_a_crowd_is_let_wait_to_be_accepted(self):
        for description, backlog in {
            "tcp:61613": 1024,
            "tcp:61613:interface=127.0.0.1": 1024,
            "tcp6:61613:interface=\\:\\:1": 1024,
            "haproxy:tcp:61613": 1024,
            "tcp:61613:backlog=7": 7,
            "tcp:61613:interface=127.0.0.1:backlog=7": 7,
            "tcp:61613:127.0.0.1:7": 7,
            "tcp:port=61613": 1024,
            "tcp:backlog=7:port=61613": 7,
        }.items():
            reactor = MemoryReactorClock()
            endpoint_from_string(reactor, description).listen(Factory())
            self.assertEqual(reactor.tcpServers[0][0], 61613, description)
            self.assertEqual(reactor.tcpServers[0][2], backlog, description)
        reactor = MemoryReactorClock()
        endpoint_from_string(reactor, "unix:/run/stomp:mode=600").listen(None)
        self.assertEqual(reactor.unixServers[0][2], 1024)

    def test_what_is_wrong_with_the_string_is_said(self):
        no_socket = "systemd passed no such socket: start this by a .socket unit that has it"
        kinds = f"the kinds are, for example, {KINDS}"
        for description, detail in {
            "61613": "an endpoint string begins with its kind: tcp:61613",
            "tpc:61613": kinds,
            "haproxy:tpc:61613": kinds,
            "": kinds,
            "tcp": f"too much or too little of it; {kinds}",
            "tcp:1:2:3:4": f"too much or too little of it; {kinds}",
            "tcp:stomp": "'stomp' is no number",
            "tcp:1:interfce=127.0.0.1": "there is no interfce= for this kind",
            "systemd:domain=INET:index=0": no_socket,
            "systemd:domain=INET:name=a": no_socket,
            "systemd:domain=INET": "Specify exactly one of descriptor index or name",
        }.items():
            self.assertEqual(self.refused(description), detail, description)

    def test_missing_certificate_is_named_with_the_command_that_makes_one(self):
        pem = os.path.abspath("server.pem")
        detail = self.refused("ssl:61617")
        self.assertTrue(detail.startswith(f"there is no server.pem in {os.getcwd()}; name your files"))
        self.assertTrue(detail.endswith(development_certificate(pem)))

    def test_name_with_blanks_is_quoted_in_the_command(self):
        self.assertIn("-keyout 'my key.pem' -out 'my key.pem' ", development_certificate("my key.pem"))

    def test_certificate_that_can_not_be_read_is_named(self):
        folder = scratch(self)
        self.assertEqual(
            self.refused(f"ssl:61617:privateKey={folder}"), f"can't read {folder}: Is a directory"
        )

    def test_missing_files_of_stomps_are_named_with_the_command_that_makes_them(self):
        detail = self.refused("stomps:61617:privateKey=none.key:certKey=none.pem")
        self.assertTrue(detail.startswith(f"there is no none.pem in {os.getcwd()}; name your files"), detail)
        self.assertTrue(detail.endswith("for development: stomp-tx cert"))

    def test_file_that_holds_no_certificate_is_refused(self):
        path = scratch(self) / "server.pem"
        path.write_text("no PEM")
        for kind in ("ssl", "stomps"):
            self.assertEqual(
                self.refused(f"{kind}:61617:privateKey={path}"),
                f"{path} holds no certificate in PEM: no line of it is -----BEGIN CERTIFICATE-----",
            )

    def test_what_is_wrong_with_files_is_said_before_twisted_reads_them(self):
        """It would ask for the passphrase of a key at the terminal, and give OpenSSL's own errors."""
        folder = scratch(self)
        authority = Authority(str(folder))
        authority.server()
        key = serialization.load_pem_private_key((folder / "server.key").read_bytes(), None)
        (folder / "secret.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"open sesame"),
            )
        )
        for kind in ("ssl", "stomps"):
            for port in (f"{folder}/secret.key:{folder}/server.pem", f"privateKey={folder}/secret.key"):
                if kind == "ssl" or "=" in port:
                    certificate = "" if "server.pem" in port else f":certKey={folder}/server.pem"
                    detail = self.refused(f"{kind}:61617:{port}{certificate}")
                    self.assertIn(f"the private key in {folder}/secret.key is encrypted: nobody can", detail)
            detail = self.refused(f"{kind}:61617:privateKey={folder}/ca.key:certKey={folder}/server.pem")
            self.assertIn("the first certificate in ", detail)
        extra = f"privateKey={folder}/server.key:certKey={folder}/server.pem:extraCertChain={folder}/ca.key"
        self.assertIn("ca.key holds no certificate in PEM", self.refused(f"ssl:61617:{extra}"))
