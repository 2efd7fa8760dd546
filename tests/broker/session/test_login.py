"""login.py: who it is that connects, and for how long."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.acl import AccessList, Role
from stomp_tx.auth.checkers.certificate import CertificateChecker
from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.checkers.local import LocalChecker
from stomp_tx.auth.credentials import IBearerToken
from stomp_tx.auth.identity import Identity
from stomp_tx.auth.realm import StompRealm
from stomp_tx.broker.events import Connected, Event, LockedOut, LoginRenewed, Refused
from stomp_tx.errors import ConfigurationError
from stomp_tx.wire.frame import Frame
from tests.auth.checkers.test_certificate import certificate
from tests.conversation import Broker, Client

NOW = 1_000_000.0  # seconds since 1970, when a broker of these tests starts
LOCAL = IPv4Address("TCP", "127.0.0.1", 1)


class Tokens:
    """A checker for which "NAME.SECONDS.GROUP" is a token of NAME that is good for so long."""

    credentialInterfaces = (IBearerToken,)

    def requestAvatarId(self, credentials: Any) -> Identity:
        name, seconds, group = [*credentials.token.split("."), "", "", ""][:3]
        if not seconds.isdigit():
            raise UnauthorizedLogin("the token is bad")
        return Identity(name, (group,), NOW + int(seconds))


def passwords() -> Any:
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(b"ann", b"secret")
    checker.addUser(b"bob", b"geheim")
    return checker


class Raising:
    """A checker of tokens that raises this, whatever it is asked."""

    credentialInterfaces = (IBearerToken,)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def requestAvatarId(self, credentials: Any) -> Identity:
        raise self.error


class LoginCase(SynchronousTestCase):
    access = AccessList()

    def broker(self, *checkers: Any, **settings: Any) -> Broker:
        portal = portal_of(StompRealm(self.access), checkers)
        broker = Broker(factory={"portal": portal}, **settings)
        self.seen: list[Event] = []
        for kind in (Connected, LoginRenewed, Refused, LockedOut):
            broker.factory.events.observe(kind, self.seen.append)
        return broker

    def user(self, broker: Broker, certificate: x509.Certificate | None = None, **headers: str) -> str:
        """Whom they are taken for."""
        broker.knocks(LOCAL, certificate, **headers).hears("CONNECTED")
        assert isinstance(self.seen[-1], Connected)
        return self.seen[-1].user

    def refused(self, broker: Broker, peer: Any = LOCAL, **headers: str) -> str:
        """The reason that the log has of it."""
        client = broker.knocks(peer, **headers)
        if not client.is_closed:
            broker.clock.advance(6)
        client.fails("login refused")
        found = [event for event in self.seen if isinstance(event, Refused)]
        return found[-1].why


class CredentialsTests(LoginCase):
    """What a client shows, and which of it counts."""

    def test_passcode_token_certificate_or_nothing(self) -> None:
        broker = self.broker(passwords(), Tokens(), CertificateChecker(), AllowAnonymousAccess())
        bob = certificate("bob")
        self.assertEqual(self.user(broker, login="ann", passcode="secret"), "ann")
        self.assertEqual(self.user(broker, passcode="tim.60.x"), "tim")
        self.assertEqual(self.user(broker, login="whoever", passcode="tim.60.x"), "tim")
        self.assertEqual(self.user(broker, bob), "bob")
        self.assertEqual(self.user(broker), "anonymous")
        self.assertEqual(self.user(broker, login="", passcode=""), "anonymous")

    def test_a_login_comes_before_a_certificate(self) -> None:
        broker = self.broker(passwords(), CertificateChecker())
        self.assertEqual(self.user(broker, certificate("bob"), login="ann", passcode="secret"), "ann")
        client = broker.knocks(LOCAL, certificate("bob"), login="ann", passcode="wrong")
        broker.clock.advance(1)
        client.fails("login refused")

    def test_who_shows_something_wrong_is_not_taken_for_anybody(self) -> None:
        broker = self.broker(passwords(), Tokens(), AllowAnonymousAccess())
        self.refused(broker, login="ann", passcode="wrong")
        self.refused(broker, login="ann")
        self.assertEqual(self.refused(broker, passcode="tim.bad.x"), "the token is bad")

    def test_a_passcode_that_looks_like_a_token_may_be_one(self) -> None:
        checker = passwords()
        checker.addUser(b"eve", b"a.b.c")
        self.assertEqual(self.user(self.broker(checker, Tokens()), login="eve", passcode="a.b.c"), "eve")

    def test_what_nobody_checks_does_not_matter(self) -> None:
        """Clients of RabbitMQ send guest and guest if nothing else is said."""
        self.assertEqual(self.user(self.broker(LocalChecker()), login="guest", passcode="guest"), "anonymous")
        broker = self.broker(CertificateChecker())
        self.assertEqual(self.user(broker, certificate("bob"), login="ann", passcode="x"), "bob")

    def test_nothing_is_not_enough_where_users_are_known(self) -> None:
        broker = self.broker(passwords())
        self.refused(broker)
        self.refused(broker, passcode="secret")

    def test_without_users_only_this_machine_is_let_in(self) -> None:
        broker = self.broker(LocalChecker())
        self.assertEqual(self.user(broker), "anonymous")
        far = broker.knocks(IPv4Address("TCP", "192.0.2.7", 1))
        self.assertIn(b"stomp-tx passwd add", far.fails("login refused").body)

    def test_the_passcode_is_taken_out_of_the_frame(self) -> None:
        for version in ({}, {"accept-version": "1.2", "host": "test"}):
            broker = self.broker(passwords())
            broker.stranger()
            (session,) = broker.factory.sessions
            frame = Frame("CONNECT", {"login": "ann", "passcode": "secret", **version})
            session.frame_received(frame)
            self.assertEqual(session.user.name, "ann")
            self.assertNotIn("passcode", frame.headers)

    def test_what_is_wrong_with_the_brokers_files_is_not_for_clients(self) -> None:
        broker = self.broker(Raising(ConfigurationError("can't read /etc/stomp/key.pem")))
        client = broker.knocks(LOCAL, passcode="a.b.c")
        broker.clock.advance(1)
        error = client.fails("logins can't be checked now")
        self.assertNotIn(b"/etc", error.body)

    def test_what_a_checker_of_others_raises_is_a_failed_login(self) -> None:
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        broker = self.broker(Raising(RecursionError("too deep")), login_failures=2)
        for _ in range(2):
            self.assertEqual(self.refused(broker, passcode="a.b.c"), "a checker failed")
        self.assertEqual(len([line for line in lines if "checker failed" in line["log_format"]]), 2)
        self.assertFalse([line for line in lines if "log_failure" in line])
        self.assertTrue(any(isinstance(event, LockedOut) for event in self.seen))

    def test_a_reason_that_clients_have_written_is_cut(self) -> None:
        broker = self.broker(Raising(UnauthorizedLogin("x" * 10_000)))
        self.assertEqual(len(self.refused(broker, passcode="a.b.c")), 200)

    def test_who_says_who_they_are_is_never_anonymous(self) -> None:
        for checker in (passwords(), Tokens()):
            broker = self.broker(checker, AllowAnonymousAccess())
            self.assertEqual(self.user(broker), "anonymous")
            self.refused(broker, passcode="secret")
        self.refused(broker, login="ann")
        self.refused(broker, login="ann", passcode="secret")
        bob = self.broker(Tokens(), CertificateChecker(), AllowAnonymousAccess())
        self.assertEqual(self.user(bob, certificate("bob"), login="ann", passcode="x"), "bob")

    def test_who_was_taken_out_while_it_was_found_out_does_not_get_in(self) -> None:
        asked: Deferred[Identity] = Deferred()
        valid = True

        class Slow:
            credentialInterfaces = (IBearerToken,)

            def requestAvatarId(self, credentials: Any) -> Any:
                return asked

        broker = self.broker(Slow())
        client = broker.knocks(LOCAL, passcode="a.b.c")
        valid = False
        asked.callback(Identity("ann", is_valid=lambda: valid))
        client.fails("login refused")

    def test_one_that_takes_too_long(self) -> None:
        """It has its own time, which begins with CONNECT."""
        broker = self.broker(passwords(), connect_timeout=10, login_wait=30)
        asked: list[Deferred[Any]] = []
        self.patch(broker.factory.portal, "login", lambda *_: asked.append(Deferred()) or asked[-1])
        client = broker.dial(LOCAL)
        broker.clock.advance(9)
        client.says("CONNECT", login="ann", passcode="secret")
        broker.clock.advance(29)
        self.assertFalse(client.is_closed)
        broker.clock.advance(1)
        self.assertIn(b"in 30 seconds", client.fails("login took too long").body)
        self.assertTrue(asked[0].called)
        self.assertEqual(self.seen, [])

    def test_the_answer_to_a_wrong_guess_is_not_cut_short(self) -> None:
        broker = self.broker(passwords(), login_wait=0.01)
        self.assertEqual(self.refused(broker, login="ann", passcode="wrong"), "wrong")

    def test_who_is_in_has_no_end(self) -> None:
        for headers in ({"login": "ann", "passcode": "secret"}, {}):
            broker = self.broker(passwords(), AllowAnonymousAccess())
            client = broker.knocks(LOCAL, **headers)
            client.hears("CONNECTED")
            broker.clock.advance(1000)
            self.assertFalse(client.is_closed)


class ExpiryTests(LoginCase):
    """A token ends, and so does the session, unless it is renewed."""

    def test_when_the_token_expires_the_session_ends_and_says_why(self) -> None:
        broker = self.broker(Tokens())
        tim = broker.connect(passcode="tim.60.x")
        broker.clock.advance(59)
        self.assertFalse(tim.is_closed)
        broker.clock.advance(1)
        self.assertIn(b"/session/token", tim.fails("login expired").body)

    def renew(self, tim: Client, token: str, **headers: str) -> None:
        tim.says("SEND", destination="/session/token", body=token.encode(), receipt="r", **headers)
        tim.broker.clock.advance(0)

    def test_renewed_in_time_it_goes_on(self) -> None:
        broker = self.broker(Tokens())
        tim = broker.connect(passcode="tim.60.x")
        tim.subscribes("/queue/a")
        broker.clock.advance(50)
        self.renew(tim, "tim.120.x\n")
        self.assertEqual(tim.hears("RECEIPT").headers["receipt-id"], "r")
        broker.clock.advance(69)
        tim.says("SEND", destination="/queue/a", body=b"still here")
        self.assertEqual(tim.hears_bodies(), [b"still here"])
        broker.clock.advance(1)
        tim.fails("login expired")
        self.assertEqual([type(event) for event in self.seen], [Connected, LoginRenewed])

    def test_a_token_that_is_bad_ends_the_session(self) -> None:
        for token in ("tim.bad.x", "nonsense", ""):
            broker = self.broker(Tokens())
            tim = broker.connect(passcode="tim.60.x")
            self.renew(tim, token)
            broker.clock.advance(1)
            self.assertEqual(tim.fails("login refused").headers["receipt-id"], "r")

    def test_nobody_becomes_somebody_else(self) -> None:
        tim = self.broker(Tokens()).connect(passcode="tim.60.x")
        self.renew(tim, "ann.60.x")
        self.assertIn(b"somebody else's", tim.fails("login refused").body)

    def test_where_no_tokens_are_taken_there_is_nothing_to_renew(self) -> None:
        for broker in (self.broker(passwords()), Broker()):
            tim = broker.connect(login="ann", passcode="secret")
            self.renew(tim, "tim.60.x")
            tim.fails("nothing to renew")

    def test_a_token_is_never_kept(self) -> None:
        broker = self.broker(Tokens())
        for headers in ({"delay": "1000"}, {"persistent": "true", "expires": "1"}, {"priority": "9"}):
            tim = broker.connect(passcode="tim.60.x")
            self.renew(tim, "tim.90.x", **headers)
            tim.hears("RECEIPT")
        self.assertEqual(list(broker.engine.queues()), [])
        tim.says("BEGIN", transaction="t")
        self.renew(tim, "tim.90.x", transaction="t")
        tim.fails("can't be sent in a transaction")


class RenewedAccessTests(LoginCase):
    access = AccessList((Role("r", groups=("office",), allow=("all /queue/a",)),))

    def test_with_the_new_token_they_may_do_what_it_says(self) -> None:
        broker = self.broker(Tokens())
        tim = broker.connect(passcode="tim.60.office")
        tim.subscribes("/queue/a")
        tim.says("SEND", destination="/session/token", body=b"tim.60.street", receipt="r")
        broker.clock.advance(0)
        tim.fails("access denied")
        tim = broker.connect(passcode="tim.60.street")
        tim.says("SEND", destination="/session/token", body=b"tim.60.office", receipt="r")
        broker.clock.advance(0)
        tim.hears("RECEIPT")
        tim.subscribes("/queue/a")
        self.assertTrue(tim.hears_nothing())
