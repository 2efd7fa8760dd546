"""factories.py: what --auth can name."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IAnonymous, IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import findCheckerFactory, makeChecker
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.certificate import CertificateChecker
from stomp_tx.auth.checkers.in_turn import portal_of
from stomp_tx.auth.checkers.ldap import LDAPChecker
from stomp_tx.auth.checkers.password import PasswordChecker
from stomp_tx.auth.checkers.token import TokenChecker
from stomp_tx.auth.credentials import IBearerToken
from stomp_tx.auth.passwords import PasswordFile
from stomp_tx.auth.realm import StompRealm
from stomp_tx.errors import ConfigurationError, LoginUnavailable
from stomp_tx.interfaces import IStompUser
from tests.scratch import scratch


class FactoryTests(SynchronousTestCase):
    def test_twisted_finds_them(self) -> None:
        users = scratch(self) / "users"
        PasswordFile(str(users)).add("ann", "secret")
        secret = scratch(self) / "secret"
        secret.write_text("x" * 32)
        revoked = scratch(self) / "revoked"
        revoked.write_text("eve\n")
        for description, kind in (
            (f"passwd:{users}", PasswordChecker),
            (f"passwd:{users}:remember=60", PasswordChecker),
            (f"jwt:{secret}", TokenChecker),
            (f"jwt:{secret}:revoked={revoked}", TokenChecker),
            (f"jwt:{secret}:audience=a\\:b:issuer=c", TokenChecker),
            ("certificate", CertificateChecker),
            ("certificate:email", CertificateChecker),
            (r"ldap:server=tcp\:127.0.0.1\:389:dn=uid={user},dc=example", LDAPChecker),
        ):
            self.assertIsInstance(makeChecker(description), kind, description)

    def test_a_passcode_is_remembered_for_as_long_as_is_said(self) -> None:
        users = scratch(self) / "users"
        PasswordFile(str(users)).add("ann", "secret")
        for said, seconds in (("", 300), (":remember=60", 60), (":remember=0", 0)):
            checker: Any = makeChecker(f"passwd:{users}{said}")
            self.assertEqual(checker._passcode_cache._seconds, seconds)

    def test_a_colon_in_the_name_of_the_file_is_one(self) -> None:
        users = scratch(self) / "the:users"
        PasswordFile(str(users)).add("ann", "secret")
        self.assertIsInstance(makeChecker(f"passwd:{users}:remember=60"), PasswordChecker)

    def test_each_says_what_it_is(self) -> None:
        for name in ("passwd", "jwt", "certificate", "ldap"):
            self.assertGreater(len(findCheckerFactory(name).authHelp), 100)

    def test_what_is_wrong_is_said(self) -> None:
        secret = scratch(self) / "secret"
        secret.write_text("x" * 32)
        for description, words in (
            ("passwd", "needs a file"),
            ("passwd:/nowhere/users", "no file /nowhere/users"),
            ("passwd:/nowhere/users:remember=60", "no file /nowhere/users"),
            ("passwd::remember=60", "needs a file"),
            ("passwd:users:remember=", "remember= is no number of seconds"),
            ("passwd:users:remember=-1", "remember=-1 is no number of seconds"),
            ("passwd:users:remember=nan", "remember=nan is no number of seconds"),
            ("passwd:users:remember=inf", "remember=inf is no number of seconds"),
            ("passwd:users:remember=60:more", "remember=60:more is no number of seconds"),
            ("jwt", "needs a file"),
            ("jwt:/nowhere/key", "no file /nowhere/key"),
            ("jwt:/nowhere/key:audiance=x", "'audiance=x'"),
            (f"jwt:{secret}:revoked=/nowhere/revoked", "no file /nowhere/revoked"),
            ("certificate:serial", "'serial'"),
            ("ldap", "needs server="),
            ("ldap:dn=uid={user}", "needs server="),
            ("ldap:server=nonsense:dn=uid={user}", "can't use server=nonsense"),
        ):
            error = self.assertRaises(ConfigurationError, makeChecker, description)
            self.assertIn(words, str(error), description)


class Broken:
    """A checker that can't check."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def requestAvatarId(self, credentials: Any) -> Any:
        raise self.error


class InTurnTests(SynchronousTestCase):
    def portal(self):
        first, second = (InMemoryUsernamePasswordDatabaseDontUse() for _ in range(2))
        first.addUser(b"ann", b"1")
        second.addUser(b"bob", b"2")
        return portal_of(StompRealm(), [first, second])

    def test_the_first_that_knows_who_it_is_counts(self) -> None:
        for name, passcode in ((b"ann", b"1"), (b"bob", b"2")):
            login = self.portal().login(UsernamePassword(name, passcode), None, IStompUser)
            self.assertEqual(self.successResultOf(login)[1].name, name.decode())

    def in_turn(self, *checkers: Any) -> Any:
        return portal_of(StompRealm(), checkers).login(UsernamePassword(b"ann", b"1"), None, IStompUser)

    def test_one_that_can_not_answer_does_not_stand_in_the_way(self) -> None:
        good = InMemoryUsernamePasswordDatabaseDontUse(ann=b"1")
        other = InMemoryUsernamePasswordDatabaseDontUse(bob=b"2")
        for error in (ConfigurationError("broken"), LoginUnavailable("down"), KeyError("a mistake")):
            broken = Broken(error)
            for checkers in ((broken, good), (good, broken), (other, broken, good)):
                self.assertEqual(self.successResultOf(self.in_turn(*checkers))[1].name, "ann")

    def test_whom_it_may_have_known_is_not_called_wrong(self) -> None:
        other = InMemoryUsernamePasswordDatabaseDontUse(bob=b"2")
        for error in (ConfigurationError("broken"), LoginUnavailable("down")):
            for checkers in ((Broken(error), other), (other, Broken(error))):
                self.failureResultOf(self.in_turn(*checkers), type(error))
        self.failureResultOf(self.in_turn(Broken(KeyError("a mistake")), other), UnauthorizedLogin)

    def test_cancelled_it_asks_nobody_else(self) -> None:
        class Slow:
            credentialInterfaces = (IUsernamePassword,)

            def requestAvatarId(self, credentials: Any) -> Any:
                return Deferred()

        asked = self.in_turn(Slow(), InMemoryUsernamePasswordDatabaseDontUse(ann=b"1"))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)

    def test_whom_none_knows_is_refused(self) -> None:
        for name, passcode in ((b"ann", b"2"), (b"eve", b"1")):
            login = self.portal().login(UsernamePassword(name, passcode), None, IStompUser)
            self.failureResultOf(login, UnauthorizedLogin)

    def test_only_what_is_asked_for_is_taken(self) -> None:
        kinds = self.portal().listCredentialsInterfaces()
        self.assertIn(IUsernamePassword, kinds)
        self.assertNotIn(IAnonymous, kinds)
        self.assertNotIn(IBearerToken, kinds)
