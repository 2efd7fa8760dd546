"""checkers/ldap.py, against a directory that ldaptor itself keeps."""

from __future__ import annotations

import tempfile
from typing import Any

from ldaptor.inmemory import fromLDIFFile
from ldaptor.interfaces import IConnectedLDAPEntry
from ldaptor.protocols.ldap.ldapserver import LDAPServer
from ldaptor.protocols.pureldap import LDAPBindResponse
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.python.components import registerAdapter
from twisted.trial.unittest import TestCase

from stomp_tx.auth.checkers.ldap import LDAPChecker, folded
from stomp_tx.auth.factories import directory
from stomp_tx.errors import ConfigurationError, LoginUnavailable
from tests.handshakes import HandshakeCase

LDIF = b"""\
dn: dc=example
objectClass: dcObject
dc: example

dn: uid=ann,dc=example
objectClass: person
uid: ann
userPassword: secret

dn: uid=a\\,b,dc=example
objectClass: person
uid: a,b
userPassword: geheim

"""


class Directory(ServerFactory):
    protocol = LDAPServer

    def __init__(self, root: Any) -> None:
        self.root = root

    def buildProtocol(self, addr: Any) -> Any:
        protocol = LDAPServer()
        protocol.factory = self
        return protocol


registerAdapter(lambda factory: factory.root, Directory, IConnectedLDAPEntry)


class LDAPCheckerTests(TestCase):
    async def serve(self, factory: ServerFactory) -> TCP4ClientEndpoint:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        self.addCleanup(port.stopListening)
        return TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)

    async def checker(self) -> LDAPChecker:
        with tempfile.TemporaryFile() as file:
            file.write(LDIF)
            file.seek(0)
            root = await fromLDIFFile(file)
        return LDAPChecker(await self.serve(Directory(root)), "uid={user},dc=example", reactor)

    async def refused(self, checker: LDAPChecker, name: bytes, passcode: bytes) -> None:
        try:
            await Deferred.fromCoroutine(self._ask(checker, name, passcode))
        except UnauthorizedLogin:
            return
        self.fail(f"{name!r} was let in")

    async def _ask(self, checker: LDAPChecker, name: bytes, passcode: bytes) -> str:
        return (await checker.requestAvatarId(UsernamePassword(name, passcode))).name

    async def test_right_wrong_and_nobody(self) -> None:
        checker = await self.checker()
        self.assertEqual(await self._ask(checker, b"ann", b"secret"), "ann")
        self.assertEqual(await self._ask(checker, b"a,b", b"geheim"), "a,b")
        for name, passcode in ((b"ann", b"x"), (b"bob", b"secret"), (b"*", b"secret")):
            await self.refused(checker, name, passcode)

    async def test_without_a_passcode_it_would_be_an_anonymous_bind(self) -> None:
        """Which a directory answers with success, whatever the name."""

        class Lax(LDAPServer):
            def handle_LDAPBindRequest(self, request: Any, controls: Any, reply: Any) -> Any:
                return LDAPBindResponse(resultCode=0)

        checker = LDAPChecker(await self.serve(ServerFactory.forProtocol(Lax)), "uid={user}", reactor)
        self.assertEqual(await self._ask(checker, b"ann", b"x"), "ann")
        await self.refused(checker, b"ann", b"")
        await self.refused(checker, b"", b"secret")

    async def test_one_entry_is_one_user(self) -> None:
        checker = await self.checker()
        for name in ("ann", "Ann", "ANN", " ann ", "\uff21nn", "\u1d43nn"):
            self.assertEqual(await self._ask(checker, name.encode(), b"secret"), "ann")
        for name in ("an\u00adn", "an\u200bn", "ann\ufe0f", "an\x00n", " ", "\u00ad"):
            await self.refused(checker, name.encode(), b"secret")
        self.assertEqual(folded("Stra\u00dfe  A"), folded("STRASSE a"))

    async def test_a_name_is_no_part_of_the_entry_s_path(self) -> None:
        checker = await self.checker()
        for name in (b"ann,dc=example", b"x+uid=ann", b"ann\\,dc=example", b"ann,dc=example,uid=x"):
            await self.refused(checker, name, b"secret")

    async def test_a_directory_that_says_nothing(self) -> None:
        silent = ServerFactory.forProtocol(Protocol)
        clock = Clock()
        checker = LDAPChecker(await self.serve(silent), "uid={user}", clock, timeout=3)
        asked = checker.requestAvatarId(UsernamePassword(b"ann", b"secret"))
        self.assertNoResult(asked)
        clock.advance(3)
        self.failureResultOf(asked, LoginUnavailable)

    async def test_a_directory_that_is_not_there(self) -> None:
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(ServerFactory())
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await port.stopListening()
        checker = LDAPChecker(endpoint, "uid={user}", reactor)
        try:
            await checker.requestAvatarId(UsernamePassword(b"ann", b"secret"))
        except LoginUnavailable as error:
            self.assertIn("did not answer", error.why)
        else:
            self.fail("nobody can be let in")

    async def test_who_asked_and_is_gone_is_nobodys_fault(self) -> None:
        checker = LDAPChecker(
            await self.serve(ServerFactory.forProtocol(Protocol)), "uid={user}", Clock(), timeout=3
        )
        asked = checker.requestAvatarId(UsernamePassword(b"ann", b"secret"))
        asked.cancel()
        self.failureResultOf(asked, CancelledError, ConnectingCancelledError)

    def test_a_name_without_a_place_for_the_login(self) -> None:
        self.assertRaises(ConfigurationError, LDAPChecker, None, "uid=ann", reactor)


class OverTLSTests(HandshakeCase):
    """Nobody but the directory hears a passcode."""

    async def checker(self, name: str) -> LDAPChecker:
        """Of a directory with this certificate, to which all passcodes are right."""

        class Lax(LDAPServer):
            def handle_LDAPBindRequest(self, request: Any, controls: Any, reply: Any) -> Any:
                return LDAPBindResponse(resultCode=0)

        files = f"privateKey={self.ours}/{name}.key:certKey={self.ours}/{name}.pem"
        port = await self.port_of(f"stomps:0:interface=127.0.0.1:{files}", ServerFactory.forProtocol(Lax))
        roots = self.folder / "roots"
        roots.mkdir(exist_ok=True)
        for one in ("pem", "key"):
            (roots / f"{one}.pem").write_bytes((self.ours / f"ca.{one}").read_bytes())
        checker = directory.generateChecker(
            rf"server=tls\:localhost\:{port}\:trustRoots={roots}:dn=uid={{user}},dc=example"
        )
        assert isinstance(checker, LDAPChecker)
        return checker

    async def test_it_has_to_show_its_certificate(self) -> None:
        ann = UsernamePassword(b"ann", b"secret")
        self.assertEqual((await (await self.checker("server")).requestAvatarId(ann)).name, "ann")
        self.sign("nameless", "localhost")
        self.sign("self", "localhost", self_signed=True)
        for name in ("nameless", "self"):
            checker = await self.checker(name)
            error = await self.assertFailure(checker.requestAvatarId(ann), LoginUnavailable)
            self.assertEqual(error.why, "the directory did not answer: certificate verify failed")

    def test_files_that_are_not_there(self) -> None:
        for more, said in (("trustRoots=/none", "no file /none/"), ("certificate=/x", "can't read /x")):
            with self.assertRaisesRegex(ConfigurationError, said):
                directory.generateChecker(rf"server=tls\:localhost\:636\:{more}:dn=uid={{user}}")
