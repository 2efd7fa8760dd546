"""event_log.py: what the log says, and to whom it can be shown."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.acl import AccessList, Role
from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.credentials import IBearerToken
from stomp_tx.auth.identity import Identity
from stomp_tx.auth.realm import StompRealm
from tests.conversation import Broker, Client

THERE = IPv4Address("TCP", "192.0.2.7", 4711)
PEER = "192.0.2.7:4711"
BREAKS = "\x85\u2028\u2029\x9b\u202e\x1b\x7f"  # ends lines, or writes on terminals


class Tokens:
    """A checker for which "NAME.good.SECRET" is a token of NAME that is good for a minute."""

    credentialInterfaces = (IBearerToken,)

    def __init__(self, now: float) -> None:
        self._now = now

    def requestAvatarId(self, credentials: Any) -> Identity:
        name, good, _ = credentials.token.split(".")
        if good != "good":
            raise UnauthorizedLogin("the token is bad")
        return Identity(name, (), self._now + 60)


class LogCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[Any] = []
        self.begin()

    def begin(self, **settings: Any) -> None:
        passwords = InMemoryUsernamePasswordDatabaseDontUse()
        passwords.addUser(b"ann", b"SECRET")
        allow = ("all /queue/a",)
        access = AccessList((Role("r", users=("*",), allow=allow),))
        checkers = [passwords, Tokens(1_000_000.0), AllowAnonymousAccess()]
        log = Logger(namespace="test", observer=self.events.append)
        factory = {"portal": portal_of(StompRealm(access), checkers), "log": log}
        self.broker = Broker(factory=factory, **settings)

    def connect(self, **headers: str) -> Client:
        client: Client = self.broker.knocks(THERE, **headers)
        self.broker.clock.advance(6)
        return client

    def ann(self) -> Client:
        """In an open session."""
        client = self.connect(login="ann", passcode="SECRET")
        client.hears("CONNECTED")
        return client

    def audit(self) -> list[tuple[str, str, str | None]]:
        """Of the events about who may do what: what they are, from where, and the user."""
        for event in self.events:
            self.assertNotIn("SECRET", repr(event) + formatEvent(event))
        found = [event for event in self.events if "audit" in event]
        return [(event["audit"], event["peer"], event.get("user")) for event in found]

    def lines(self) -> str:
        return "\n".join(map(formatEvent, self.events))


class AuditTests(LogCase):
    """One event for each, with the address and the user, and neither passcode nor token."""

    def test_login(self) -> None:
        self.connect(login="ann", passcode="SECRET").hears("CONNECTED")
        self.connect(passcode="tim.good.SECRET").hears("CONNECTED")
        self.connect().hears("CONNECTED")
        users = ["ann", "tim", "anonymous"]
        self.assertEqual(self.audit(), [("login", PEER, user) for user in users])

    def test_refusal(self) -> None:
        self.connect(login="ann", passcode="SECRETS").fails("login refused")
        self.connect(login="eve", passcode="x.bad.SECRET").fails("login refused")
        self.assertEqual(self.audit(), [("refusal", PEER, "ann"), ("refusal", PEER, "eve")])

    def test_too_many_connections(self) -> None:
        for setting, user in (
            ("connections_per_user", "ann"),
            ("connections_per_address", ""),
            ("connections", ""),
        ):
            self.events.clear()
            self.begin(**{setting: 1})
            self.connect(login="ann", passcode="SECRET").hears("CONNECTED")
            self.connect(login="ann", passcode="SECRET").fails("too many connections")
            self.assertEqual(self.audit(), [("login", PEER, "ann"), ("refusal", PEER, user)], setting)
            self.assertEqual(self.lines().count("too many connections"), 1)

    def test_lockout(self) -> None:
        self.begin(login_failures=2)
        for _ in range(3):
            self.connect(login="ann", passcode="SECRETS").fails("login refused")
        lockout, refusal = ("lockout", "192.0.2.7", "ann"), ("refusal", PEER, "ann")
        self.assertEqual(sorted(self.audit()), [lockout, refusal, refusal, refusal])
        self.assertIn("192.0.2.7 is locked out as 'ann' for 300 seconds", self.lines())
        self.connect(login="eve", passcode="SECRETS").fails("login refused")
        self.assertEqual([one[1:] for one in self.audit() if one[0] == "lockout"][1:], [("192.0.2.7", None)])
        self.assertIn("192.0.2.7 is locked out for 300 seconds", self.lines())

    def test_lockout_of_a_token(self) -> None:
        self.begin(login_failures=2)
        for _ in range(2):
            self.connect(passcode="tim.bad.SECRET").fails("login refused")
        self.assertIn("192.0.2.7 is locked out with one token or certificate for 300", self.lines())

    def test_renewal(self) -> None:
        client = self.connect(passcode="tim.good.SECRET")
        for token in ("tim.good.SECRET2", "tim.bad.SECRET"):
            client.says("SEND", destination="/session/token", body=token.encode())
        self.broker.clock.advance(6)
        login, renewal, refusal = self.audit()
        self.assertEqual((login[0], renewal), ("login", ("renewal", PEER, "tim")))
        self.assertEqual(refusal, ("refusal", PEER, "tim"))

    def test_denial(self) -> None:
        client = self.ann()
        client.subscribes("/queue/b")
        client.fails("access denied")
        self.assertEqual(self.audit()[1:], [("denial", PEER, "ann")])
        (event,) = (event for event in self.events if event.get("audit") == "denial")
        self.assertEqual((event["permission"], event["destination"]), ("subscribe", "/queue/b"))

    def test_what_is_wrong_otherwise_is_none(self) -> None:
        self.ann().says("FOO")
        self.assertEqual([kind for kind, _, _ in self.audit()], ["login"])
        self.assertIn("got ERROR: unknown command", self.lines())


class LineTests(LogCase):
    """No name that a client has chosen ends a line of the log, or is more than text on a terminal."""

    def assert_printable(self) -> None:
        for line in self.lines().split("\n"):
            self.assertTrue(line.isprintable(), ascii(line))

    def test_destinations(self) -> None:
        client = self.ann()
        client.subscribes(f"/queue/{BREAKS[:5]}")
        client.fails("access denied")
        self.assertIn("/queue/\\x85\\u2028\\u2029\\x9b\\u202e", self.lines())
        self.assert_printable()

    def test_logins(self) -> None:
        self.begin(login_failures=2)
        for _ in range(2):
            self.connect(login=f"ann{BREAKS}", passcode="SECRET").fails("login refused")
        self.assertIn("is locked out as 'ann\\x85", self.lines())
        self.connect(passcode=f"tim{BREAKS}.good.SECRET").hears("CONNECTED")
        self.assertIn("tim\\x85", self.lines())
        self.assert_printable()

    def test_what_is_wrong(self) -> None:
        client = self.connect(login="ann", passcode="SECRET", heart_beat=BREAKS)
        client.fails("heart-beat")
        client = self.ann()
        client.subscribes("/topic/t", durable_subscription=BREAKS)
        client.fails("access denied")
        client = self.ann()
        client.says(f"FOO{BREAKS}")
        client.fails("unknown command")
        self.assert_printable()

    def test_what_can_be_shown_stays_as_it_is(self) -> None:
        self.connect(passcode="jörg müller.good.SECRET").hears("CONNECTED")
        self.assertIn("connected: jörg müller from 192.0.2.7:4711", self.lines())
