"""net/tls/faults.py: each mistake made for real, and what the client's user and the broker's log are told."""

from __future__ import annotations

import socket
import ssl
import string
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.client import ConnectionLost, StompClientService, TLSFailed, connect
from stomp_tx.net.tls import explanations
from stomp_tx.net.tls.development_certificates import Authority
from stomp_tx.net.tls.explanations import ALERTS, REASONS, REFUSED, Explanation
from stomp_tx.net.tls.faults import MOST_NAMES, TLSFault, explained
from tests.handshakes import HandshakeCase
from tests.net.tls.test_server import revocation_list

ISSUER = "CN=stomp-tx development"
WITH_TLS = "connect with it: tls:HOST:PORT (stomp-tx: stomp+tls://HOST:PORT)"
WITHOUT = "connect without it: tcp:HOST:PORT (stomp-tx: stomp://HOST:PORT)"


def days_from_now(days: int) -> datetime:
    return datetime.now(timezone.utc) + timedelta(days=days)


class BrokersCertificateTests(HandshakeCase):
    """The client does not like it."""

    async def test_an_authority_that_is_not_trusted(self) -> None:
        for kind in ("stomps", "ssl"):
            port = await self.tls(kind=kind)
            await self.is_told(
                f"tls:localhost:{port}",
                f"the broker's certificate is not trusted: it comes from {ISSUER}: ",
                "name its file in ca_file (stomp-tx: --ca-file)",
                "the authority was made again since",
                ca=self.theirs,
            )
            await self.is_logged(f"does not trust the issuer of this port's certificate, {ISSUER}: ")

    async def test_without_ca_file_the_systems_are_trusted(self) -> None:
        port = await self.tls()
        error = await self.assertFailure(connect(f"tls:localhost:{port}"), TLSFailed)
        self.has(str(error), f"is not trusted: it comes from {ISSUER}")
        await self.is_logged("does not trust the issuer")

    async def test_one_that_is_self_signed(self) -> None:
        self.sign("self", "localhost", self_signed=True)
        port = await self.tls("self")
        said = "certificate is self-signed, and not trusted: CN=localhost: if it is the right one, name"
        await self.is_told(f"tls:localhost:{port}", said, "--ca-file")
        await self.is_logged("does not trust the issuer")

    async def test_one_whose_time_is_over(self) -> None:
        Authority(str(self.ours), days=5, now=days_from_now(-10)).server()
        port = await self.tls()
        await self.is_told(f"tls:localhost:{port}", "has expired: CN=localhost was valid until 20", " UTC: ")
        await self.is_logged("says that this port's certificate has expired; it was valid until 20")

    async def test_one_whose_time_is_yet_to_come(self) -> None:
        Authority(str(self.ours), days=5, now=days_from_now(10)).server()
        port = await self.tls()
        await self.is_told(f"tls:localhost:{port}", "is not valid yet: CN=localhost is valid from 20")
        await self.is_logged("does not accept this port's certificate")

    async def test_another_host(self) -> None:
        self.authority.server(["broker.example", "10.0.0.1"])
        for host in ("localhost", "127.0.0.1"):
            port = await self.tls()
            await self.is_told(
                f"tls:{host}:{port}",
                f"the broker's certificate is not for {host}: it is for broker.example, 10.0.0.1: ",
                f"stomp-tx cert --host {host}",
            )
            await self.is_logged(f"of {ISSUER}, for broker.example, 10.0.0.1")

    async def test_one_without_a_host_is_for_none(self) -> None:
        """There are versions of Twisted to which it is good for all."""
        self.sign("nameless", "localhost")
        for host in ("localhost", "127.0.0.1"):
            port = await self.tls("nameless")
            said = f"the broker's certificate is not for {host}: it is for no host"
            await self.is_told(f"tls:{host}:{port}", said)
            await self.is_logged(f"of {ISSUER}, for no host")

    async def test_no_more_names_are_told_than_one_reads(self) -> None:
        self.authority.server([f"h{number}.example" for number in range(MOST_NAMES + 7)])
        port = await self.tls()
        said = await self.is_told(f"tls:localhost:{port}", f"h{MOST_NAMES - 1}.example, 7 more: ")
        self.assertNotIn(f"h{MOST_NAMES}.example", said)

    async def test_one_for_clients(self) -> None:
        self.authority.client("localhost")
        port = await self.tls("client-localhost")
        await self.is_told(f"tls:localhost:{port}", "the broker's certificate is not for servers: ")
        await self.is_logged("this port's certificate: it is not for servers")

    async def test_clients_of_others(self) -> None:
        """Python's own: it says no in its own way."""
        port = await self.tls()
        self.assertIsNone(await self.pythons(port))
        self.assertIn("verify failed", str(await self.pythons(await self.tls(), ca=self.theirs)))
        await self.is_logged("does not trust the issuer")
        self.authority.server(["broker.example"])
        self.assertIn("not valid for 'localhost'", str(await self.pythons(await self.tls())))
        await self.is_logged(f"of {ISSUER}, for broker.example")

    async def test_a_service_fails_with_the_same(self) -> None:
        port = await self.tls()
        service = StompClientService(f"tls:localhost:{port}", ca_file=f"{self.theirs}/ca.pem")
        service.startService()
        self.addCleanup(service.stopService)
        with capturedLogs() as events:
            error = await self.assertFailure(service.whenConnected(failAfterFailures=1), TLSFailed)
        self.assertIn("is not trusted", str(error))
        (line,) = [formatEvent(event) for event in events if "attempt" in event]
        self.has(line or "", "is not trusted: it comes from", "--ca-file")

    async def test_a_users_own_endpoint_too(self) -> None:
        port = await self.tls()
        plain = HostnameEndpoint(reactor, "localhost", port)
        endpoint = wrapClientTLS(optionsForClientTLS("localhost"), plain)
        await self.is_told(endpoint, f"is not trusted: it comes from {ISSUER}")


class ClientsCertificateTests(HandshakeCase):
    """The broker does not like it, or wants one."""

    def setUp(self) -> None:
        super().setUp()
        self.ca = f":ca={self.ours}/ca.pem"
        self.authority.client("ann")

    async def test_none(self) -> None:
        for version, told in (
            (SSL.TLS1_3_VERSION, "the broker wants a client's certificate: name one: tls:HOST:PORT:cert"),
            (SSL.TLS1_2_VERSION, "the broker ended the handshake: it may want a client's certificate: n"),
        ):
            port = await self.tls(more=self.ca)
            await self.is_told(self.limited(port, version), told, "--cert FILE --key FILE")
            await self.is_logged("the client showed no certificate, and the port wants one (verify=required)")

    async def test_of_another_authority(self) -> None:
        self.others.client("ann")
        port = await self.tls(more=self.ca)
        await self.is_told(
            f"tls:localhost:{port}{self.shows('client-ann', self.theirs)}",
            f"the broker does not trust the issuer of the client's certificate, {ISSUER}: ",
            "show another certificate",
        )
        await self.is_logged(f"does not come from an authority in ca=, but from {ISSUER}")

    async def test_one_whose_time_is_over(self) -> None:
        Authority(str(self.ours), days=5, now=days_from_now(-10)).client("ann")
        port = await self.tls(more=self.ca)
        said = "says that the client's certificate has expired: it was valid until 20"
        await self.is_told(f"tls:localhost:{port}{self.shows('client-ann')}", said)
        await self.is_logged("the client's certificate has expired: CN=ann was valid until 20")

    async def test_one_whose_time_is_yet_to_come(self) -> None:
        Authority(str(self.ours), days=5, now=days_from_now(10)).client("ann")
        port = await self.tls(more=self.ca)
        said = f"does not accept the client's certificate: it is CN=ann, issued by {ISSUER}; the broker's log"
        await self.is_told(f"tls:localhost:{port}{self.shows('client-ann')}", said)
        await self.is_logged("the client's certificate is not valid yet: CN=ann is valid from 20")

    async def test_one_that_was_revoked(self) -> None:
        (ann, _) = x509.load_pem_x509_certificates((self.ours / "client-ann.pem").read_bytes())
        crl = self.folder / "crl.pem"
        crl.write_bytes(revocation_list(self.ours, [ann.serial_number]))
        port = await self.tls(more=f"{self.ca}:crl={crl}")
        said = f"the client's certificate was revoked: {ISSUER} has taken CN=ann back: get a new one"
        await self.is_told(f"tls:localhost:{port}{self.shows('client-ann')}", said)
        await self.is_logged("the client's certificate was revoked, as crl= says: CN=ann")

    async def test_a_servers(self) -> None:
        port = await self.tls(more=self.ca)
        said = "does not accept the client's certificate: it is not for clients: stomp-tx cert --client"
        await self.is_told(f"tls:localhost:{port}{self.shows('server')}", said)
        await self.is_logged("the client's certificate is not for clients: CN=localhost")

    async def test_whatever_it_is_called_it_is_one_line_of_the_log(self) -> None:
        self.sign("eve", "eve\n\x1b[2J\u2028" + "x" * 40, self_signed=True)
        port = await self.tls(more=self.ca)
        await self.is_told(f"tls:localhost:{port}{self.shows('eve')}", r"CN=eve\n\x1b[2J\u2028xxx")
        said = await self.is_logged(r"self-signed, and not in ca=: CN=eve\n\x1b[2J\u2028xxx")
        self.assertEqual(len(said.splitlines()), 1)

    async def test_one_that_is_good_gets_in(self) -> None:
        port = await self.tls(more=self.ca)
        endpoint = f"tls:localhost:{port}{self.shows('client-ann')}"
        client = await connect(endpoint, ca_file=f"{self.ours}/ca.pem")
        await client.disconnect()
        self.assertNotIn("TLS", await self.is_logged("disconnected"))


class OtherPortTests(HandshakeCase):
    """One side speaks TLS, and the other does not."""

    async def test_a_plain_client_at_a_tls_port(self) -> None:
        for kind in ("stomps", "ssl"):
            port = await self.tls(kind=kind)
            await self.is_told(f"tcp:127.0.0.1:{port}", WITH_TLS, kind=ConnectionLost)
            await self.is_logged("disconnected: a client spoke plain STOMP", "to the TLS port")

    async def test_whatever_else_is_said_to_a_tls_port(self) -> None:
        for octets, logged in (
            (b"STOMP\naccept-version:1.2\nhost:a\n\n\0", "a client spoke plain STOMP, or something else"),
            (b"\n" * 20, "a client spoke plain STOMP, or something else"),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "a client spoke plain HTTP to the TLS port"),
            (b"CON", "the client closed the connection before TLS was agreed on"),
            (b"", "the client closed the connection before TLS was agreed on"),
        ):
            port = await self.tls()

            def say(peer: socket.socket, octets: bytes = octets) -> None:
                peer.sendall(octets)
                peer.shutdown(socket.SHUT_WR)
                peer.recv(4096)

            await self.elsewhere(port, say)
            await self.is_logged(logged)

    async def test_a_tls_client_at_a_plain_port(self) -> None:
        port = await self.plain()
        said = "the broker closed the connection before TLS was agreed on: if the port does not speak TLS, "
        await self.is_told(f"tls:localhost:{port}", f"{said}{WITHOUT}")
        log = await self.is_logged("spoke TLS to a plain port: this is a TLS handshake: the port speaks")
        self.assertNotIn("ERROR", log)

    async def test_a_plain_port_sends_no_frame_to_who_speaks_tls(self) -> None:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for octets in (hello, hello + b"\n\n" + b"\xff" * 9, hello[:1]):

            def say(peer: socket.socket, octets: bytes = octets) -> bytes:
                peer.sendall(octets)
                return peer.recv(4096)

            self.assertEqual(await self.elsewhere(await self.plain(), say), b"")
            await self.is_logged("spoke TLS to a plain port")

    async def test_a_tls_client_where_others_answer_without(self) -> None:
        for answer in (b"ERROR\nmessage:what?\n\n\0", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"):
            port = await self.answering(answer)
            await self.is_told(f"tls:localhost:{port}", f"the port does not speak TLS: {WITHOUT}")

    async def test_a_plain_client_where_tls_answers(self) -> None:
        """Some say goodbye in their own language."""
        port = await self.answering(b"\x15\x03\x03\x00\x02\x02\x16")
        said = await self.is_told(f"tcp:127.0.0.1:{port}")
        self.assertEqual(said, f"the port speaks TLS, and the client does not: {WITH_TLS}")

    async def test_a_client_at_a_web_server(self) -> None:
        port = await self.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        said = "this is an HTTP answer: the port speaks HTTP, not STOMP"
        await self.is_told(f"tcp:127.0.0.1:{port}", said, kind=ConnectionLost)


class NothingInCommonTests(HandshakeCase):
    async def test_no_version(self) -> None:
        port = await self.tls(more=":minimum=1.3")
        said = "client and broker have no version of TLS in common"
        await self.is_told(self.limited(port, SSL.TLS1_2_VERSION), said)
        await self.is_logged("the client has no version of TLS that this port takes (minimum=)")

    async def test_no_version_of_pythons_client(self) -> None:
        port = await self.tls(more=":minimum=1.3")
        await self.pythons(port, maximum_version=ssl.TLSVersion.TLSv1_2)
        await self.is_logged("the client has no version of TLS that this port takes (minimum=)")

    async def test_no_cipher(self) -> None:
        """The broker's key is none for RSA."""
        port = await self.tls()
        endpoint = self.limited(port, SSL.TLS1_2_VERSION, b"ECDHE-RSA-AES128-GCM-SHA256")
        await self.is_told(endpoint, "the broker ended the handshake", "or there is no cipher in common")
        await self.is_logged("client and port have no cipher in common")


class ExplanationTests(SynchronousTestCase):
    """The tables, and what OpenSSL's versions call the same thing."""

    def told(self, *reasons: str, is_agreed_on: bool = False) -> Explanation:
        connection = SimpleNamespace(
            get_peer_finished=lambda: b"x" if is_agreed_on else None,
            get_certificate=lambda: None,
        )
        failure = Failure(SSL.Error([("SSL routines", "", reason) for reason in reasons]))
        fault = explained(failure, transport_of(connection)).value
        assert isinstance(fault, TLSFault)
        self.assertIs(fault.__cause__, failure.value)
        failed = fault.failed()
        return Explanation(str(fault), failed.summary, failed.detail)

    def test_versions_of_openssl_name_the_same_alert_differently(self) -> None:
        for alert, names in {
            "unknown ca": ("tlsv1 alert unknown ca", "TLSV1_ALERT_UNKNOWN_CA"),
            "certificate expired": (
                "sslv3 alert certificate expired",
                "ssl/tls alert certificate expired",
                "tls alert certificate expired",
                "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            ),
            "certificate required": (
                "tlsv13 alert certificate required",
                "TLSV13_ALERT_CERTIFICATE_REQUIRED",
            ),
        }.items():
            beginning = ALERTS[alert].summary.partition(",")[0]
            for name in names:
                self.assertTrue(self.told(name).summary.startswith(beginning), name)

    def test_one_of_several_reasons_says_it(self) -> None:
        self.assertIn("to the TLS port", self.told("packet length too long", "record layer failure").log)

    def test_in_the_middle_of_a_session_nobody_has_spoken_without_tls(self) -> None:
        said = self.told("wrong version number", is_agreed_on=True)
        self.assertEqual(said.log, "TLS has failed: wrong version number")

    def test_what_is_new_is_told_as_it_is(self) -> None:
        for reason, log in {
            "tlsv1 alert no renegotiation": "the client ended TLS: no renegotiation",
            "tlsv1 unrecognized name": "the client ended TLS: unrecognized name",
            "bad decrypt": "TLS has failed: bad decrypt",
        }.items():
            self.assertEqual(self.told(reason).log, log)
        self.assertEqual(self.told("bad decrypt", "eof").log, "TLS has failed: bad decrypt, eof")
        self.assertEqual(self.told().log, "TLS has failed: Error")

    def test_brokers_say_in_many_words_that_they_want_a_certificate(self) -> None:
        for name in ("bad certificate", "certificate unknown", "certificate required"):
            self.assertIn("wants a client's certificate", self.told(f"sslv3 alert {name}").summary)

    def test_all_that_is_to_be_filled_in_is_known(self) -> None:
        known = {"subject", "issuer", "since", "until", "names", "text"}
        alone = [one for one in vars(explanations).values() if isinstance(one, Explanation)]
        for words in (*alone, *ALERTS.values(), *REASONS.values(), *REFUSED.values()):
            for text in words:
                fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
                self.assertLessEqual(fields, known, text)
        for words in REASONS.values():
            self.assertNotIn("{", "".join(words))

    def test_what_is_not_about_tls_stays_as_it_is(self) -> None:
        failure = Failure(ConnectionLost("x"))
        open_one = SimpleNamespace(get_peer_finished=lambda: b"x")
        for transport in (SimpleNamespace(), transport_of(open_one)):
            self.assertIs(explained(failure, transport), failure)

    def test_a_fault_in_here_is_no_connections_fault(self) -> None:
        failure = Failure(SSL.Error([("", "", "x")]))
        self.assertIs(explained(failure, transport_of(None)), failure)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


def transport_of(connection: Any) -> Any:
    return SimpleNamespace(getPeerCertificate=None, getHandle=lambda: connection)
