"""lockout.py and login_queue.py: logins that fail."""

from __future__ import annotations

from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.checkers.certificate import CertificateChecker
from stomp_tx.auth.credentials import Passcode
from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.admission import lockout
from stomp_tx.broker.admission.lockout import Lockout
from stomp_tx.broker.admission.login_attempt import LoginAttempt, login_attempt_of
from stomp_tx.broker.events import Connected, LockedOut
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import ConfigurationError, LoginDenied, LoginUnavailable
from stomp_tx.interfaces import IStompUser
from tests.auth.checkers.test_certificate import certificate
from tests.broker.session.test_login import LoginCase, Raising, Tokens, passwords
from tests.conversation import Broker


def attempt(place: str, login: str) -> LoginAttempt:
    return login_attempt_of(place, login, [Passcode(login, "x", place)])


class LockoutTests(LoginCase):
    """Failed logins are slow, and then that login, or all of that address, stays outside."""

    FAR = IPv4Address("TCP", "192.0.2.7", 1)

    def try_wrong(self, broker: Broker, login: str = "ann", passcode: str = "wrong") -> float:
        """How long the answer took."""
        client = broker.knocks(self.FAR, login=login, passcode=passcode)
        seconds = 0.0
        while not client.is_closed and seconds < 10:
            broker.clock.advance(0.05)
            seconds += 0.05
        client.fails("login refused")
        return seconds

    def locked_out(self) -> list[tuple[str, float, str | None]]:
        return [
            (event.place, event.seconds, event.login) for event in self.seen if isinstance(event, LockedOut)
        ]

    def waits_and_is_told(self, broker: Broker, certificate: Any = None, **headers: str) -> bytes:
        """What who is locked out is told, in as long as a failure can take."""
        client = broker.knocks(self.FAR, certificate, **headers)
        self.assertFalse(client.is_closed)
        broker.clock.advance(5)
        return client.fails("login refused").body

    def asked(self, broker: Broker) -> list[Deferred[Any]]:
        """Those of whom it is being found out who they are: the test says what they are."""
        asked: list[Deferred[Any]] = []

        def login(*_: Any) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[-1]

        self.patch(broker.factory.portal, "login", login)
        return asked

    def test_each_failure_takes_longer(self) -> None:
        broker = self.broker(passwords(), connect_timeout=20)
        took = [self.try_wrong(broker) for _ in range(6)]
        self.assertEqual(took, sorted(took))
        self.assertLess(took[0], 0.2)
        self.assertGreater(took[5], 2)
        self.assertLess(self.try_wrong(broker, "bob"), 0.2)  # whose first one it is

    def test_after_so_many_that_login_is_not_let_in_from_there_for_a_while(self) -> None:
        broker = self.broker(passwords(), login_failures=3, lockout=60)
        for _ in range(3):
            self.try_wrong(broker)
        self.assertEqual(self.locked_out(), [("192.0.2.7", 60, "ann")])
        told = self.waits_and_is_told(broker, login="ann", passcode="secret")
        self.assertIn(b"of this user failed from your address: try again in 60 seconds", told)
        # Neither another user there is any worse off, nor she elsewhere.
        broker.knocks(self.FAR, login="bob", passcode="geheim").hears("CONNECTED")
        self.assertEqual(self.user(broker, login="ann", passcode="secret"), "ann")
        broker.clock.advance(60)
        broker.knocks(self.FAR, login="ann", passcode="secret").hears("CONNECTED")

    def test_others_get_in_while_one_wrong_passcode_is_tried_for_ever(self) -> None:
        broker = self.broker(passwords())
        portal, asked = broker.factory.portal, []
        login = portal.login
        self.patch(portal, "login", lambda *shown: asked.append(shown) or login(*shown))
        for _ in range(1000):
            ann = broker.knocks(self.FAR, login="ann", passcode="wrong")
            broker.clock.advance(5)
            ann.fails("login refused")
            ann.hangs_up()
            broker.knocks(self.FAR, login="bob", passcode="geheim").hears("CONNECTED")
        # What is refused while it is locked out is not even compared.
        self.assertEqual(len(asked) - 1000, len([one for one in self.locked_out() if one[2] == "ann"]) * 10)
        self.assertEqual({one[2] for one in self.locked_out()}, {"ann"})

    def test_after_ten_times_as_many_nobody_from_there_is_let_in_for_a_while(self) -> None:
        broker = self.broker(passwords(), login_failures=3, lockout=10)
        for number in range(10):
            broker.dial(self.FAR)
            for _ in range(3):
                self.try_wrong(broker, ("ann", "eve")[number % 2])
            broker.clock.advance(11 if number < 9 else 0)
        self.assertEqual(self.locked_out()[-1], ("192.0.2.7", 10, None))
        error = broker.dial(self.FAR).fails("login refused")
        self.assertIn(b"from your address: try again in 10 seconds", error.body)
        self.assertEqual(self.user(broker, login="ann", passcode="secret"), "ann")
        broker.clock.advance(10)
        broker.knocks(self.FAR, login="ann", passcode="secret").hears("CONNECTED")

    def test_after_so_many_logins_that_failed_nobody_from_there_is_let_in(self) -> None:
        """One passcode tried for everybody."""
        broker = self.broker(passwords(), login_failures=3, lockout=60)
        for name in ("ann", "bob", "ann", "eve"):
            broker.dial(self.FAR)
            self.try_wrong(broker, name)
        self.assertEqual(self.locked_out(), [("192.0.2.7", 60, None)])
        broker.dial(self.FAR).fails("login refused")
        self.assertEqual(self.user(broker, login="ann", passcode="secret"), "ann")

    def test_many_networks_of_one_site_are_one_in_the_end(self) -> None:
        guard = self.broker(passwords(), login_failures=3, lockout=60).factory.broker.lockout
        for number in range(29):
            guard.failed(attempt(f"2001:db8:1:{number:x}::/64", f"user{number}"))
        guard.must_be_open("2001:db8:1:ff::/64")
        guard.failed(attempt("2001:db8:1:aa::/64", "another"))
        self.assertRaises(LoginDenied, guard.must_be_open, "2001:db8:1:ff::/64")
        guard.must_be_open("2001:db8:2:1::/64")
        guard.must_be_open("192.0.2.1")

    def test_one_login_from_many_networks_of_one_site(self) -> None:
        guard = self.broker(passwords(), login_failures=3, lockout=60).factory.broker.lockout
        for number in range(30):
            guard.must_be_open_to(attempt("2001:db8:1:ff::/64", "ann"))
            guard.failed(attempt(f"2001:db8:1:{number:x}::/64", "ann"))
        self.assertRaises(LoginDenied, guard.must_be_open_to, attempt("2001:db8:1:ff::/64", "ann"))
        guard.must_be_open_to(attempt("2001:db8:1:ff::/64", "bob"))
        guard.must_be_open_to(attempt("2001:db8:2:ff::/64", "ann"))
        self.assertEqual(self.locked_out(), [("2001:db8:1::/48", 60, "ann")])

    def test_clients_of_a_unix_socket_do_not_lock_each_other_out(self) -> None:
        broker = self.broker(passwords(), login_failures=2, connect_timeout=100)
        here = UNIXAddress(None)
        for number in range(100):
            broker.knocks(here, login=("ann", str(number))[number % 2], passcode="wrong")
        broker.knocks(here, login="ann", passcode="secret").hears("CONNECTED")
        late = [broker.knocks(here, login=name, passcode="wrong") for name in ("ann", "yet another")]
        broker.clock.advance(4.9)
        self.assertFalse(any(one.is_closed for one in late))
        broker.clock.advance(0.2)
        for one in late:
            one.fails("login refused")
        self.assertEqual(self.locked_out(), [])

    def test_old_failures_do_not_count(self) -> None:
        broker = self.broker(passwords(), login_failures=3, login_window=100)
        for _ in range(5):
            self.try_wrong(broker)
            broker.clock.advance(60)
        for number in range(10):
            self.try_wrong(broker, f"user{number}")
            broker.clock.advance(60)
        self.assertEqual(self.locked_out(), [])

    def test_a_good_login_in_between_does_not_help(self) -> None:
        for names in (["ann"] * 4, ["ann", "eve", "tim", "tom"]):
            broker = self.broker(passwords(), login_failures=4)
            for name in names:
                broker.knocks(self.FAR, login="ann", passcode="secret").hears("CONNECTED")
                broker.knocks(self.FAR, login="bob", passcode="geheim").hears("CONNECTED")
                self.try_wrong(broker, name)
            broker.stranger(self.FAR).says("CONNECT", login="ann", passcode="secret")
            broker.clock.advance(10)
            self.assertEqual(len(self.locked_out()), 1)

    def test_no_more_guesses_are_made_at_once_than_may_fail(self) -> None:
        """Those behind them wait, and find the door locked."""
        for name, login in ((str, "ann"), ("user{}".format, None)):
            broker = self.broker(passwords(), login_failures=3)
            asked = self.asked(broker)
            for number in range(2):
                broker.knocks(self.FAR, login=name(number) if login is None else login, passcode="x")
            asked[0].errback(UnauthorizedLogin())
            clients = [
                broker.knocks(self.FAR, login=login or name(number), passcode=str(number))
                for number in range(2, 52)
            ]
            self.assertEqual(len(asked), 3)  # of which one has failed
            asked[1].errback(UnauthorizedLogin())
            self.assertEqual(len(asked), 3)
            asked[2].errback(UnauthorizedLogin())
            broker.clock.advance(10)
            for client in clients:
                client.fails("login refused")
            self.assertEqual((len(asked), [one[2] for one in self.locked_out()]), (3, [login]))
            self.assertEqual(broker.factory.broker.login_queue._sites, {})

    def test_of_many_networks_no_more_are_made_at_once_either(self) -> None:
        broker = self.broker(passwords(), login_failures=3)
        asked = self.asked(broker)
        for number in range(9):
            broker.knocks(IPv6Address("TCP", f"2001:db8:1:{number}::1", 1), login="ann", passcode="x")
        broker.knocks(IPv6Address("TCP", "2001:db8:2::1", 1), login="ann", passcode="x")
        self.assertEqual(len(asked), 3 + 1)

    def test_of_many_networks_each_has_its_turn(self) -> None:
        """Somebody else's, perhaps: of some providers each customer has a /64."""
        broker = self.broker(passwords(), login_failures=3)
        asked = self.asked(broker)
        user = (IStompUser, StompUser("ann"), lambda: None)
        for number in range(20):
            broker.knocks(IPv6Address("TCP", f"2001:db8:1:{number % 2}::1", 1), login="ann", passcode="x")
        bob = broker.knocks(IPv6Address("TCP", "2001:db8:1:b::1", 1), login="bob", passcode="x")
        for number in range(3):
            asked[number].callback(user)
        self.assertEqual(len(asked), 6)
        for number in range(3, 6):
            asked[number].callback(user)
        bob.hears("CONNECTED")

    def test_a_network_that_is_held_up_holds_up_no_other(self) -> None:
        broker = self.broker(passwords(), login_failures=3)
        asked = self.asked(broker)
        one, other = (IPv6Address("TCP", f"2001:db8:1:{number}::1", 1) for number in (1, 2))
        for _ in range(2):
            broker.knocks(one, login="eve", passcode="x")
            asked[-1].errback(UnauthorizedLogin())
        for _ in range(5):
            broker.knocks(one, login="eve", passcode="x")
        self.assertEqual(len(asked), 2 + 1)  # which may be the last one
        broker.knocks(other, login="ann", passcode="x")
        self.assertEqual(len(asked), 2 + 2)

    def test_who_waits_while_others_are_locked_out_gets_in(self) -> None:
        broker = self.broker(passwords(), login_failures=2)
        asked = self.asked(broker)
        eve = [broker.knocks(self.FAR, login="eve", passcode=str(number)) for number in range(10)]
        bob = broker.knocks(self.FAR, login="bob", passcode="geheim")
        for one in asked[:]:
            one.errback(UnauthorizedLogin())
        self.assertEqual(len(asked), 3)
        asked[2].callback((IStompUser, StompUser("bob"), lambda: None))
        bob.hears("CONNECTED")
        broker.clock.advance(10)
        for client in eve:
            client.fails("login refused")

    def test_a_crowd_that_is_let_in_at_once(self) -> None:
        """Each makes room for the next one before it is done: no call stands on top of all the others."""
        broker = self.broker(passwords(), login_failures=1, strangers_per_address=0)
        first, *asked = [Deferred(), *[None] * 999]
        answers = iter([first])
        user = (IStompUser, StompUser("ann"), lambda: None)
        self.patch(broker.factory.portal, "login", lambda *_: next(answers, succeed(user)))
        clients = [broker.knocks(self.FAR, login="ann", passcode="secret") for _ in range(1 + len(asked))]
        first.callback(user)
        for client in clients:
            client.hears("CONNECTED")

    def test_who_hangs_up_waits_no_more(self) -> None:
        broker = self.broker(passwords(), login_failures=1)
        asked = self.asked(broker)
        clients = [broker.knocks(self.FAR, login="ann", passcode="x") for _ in range(50)]
        for client in reversed(clients):
            client.hangs_up()
        self.assertEqual(len(asked), 1)
        self.assertEqual(broker.factory.broker.login_queue._sites, {})
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_is_done_for_who_has_hung_up(self) -> None:
        """Whatever the checker makes of being cancelled: it is no failure of theirs."""

        def refuse(asked: Deferred[Any]) -> None:
            asked.errback(UnauthorizedLogin())

        for canceller in (None, refuse, lambda asked: asked.callback((IStompUser, StompUser("ann"), str))):
            broker = self.broker(passwords(), login_failures=1)
            asked: Deferred[Any] = Deferred(canceller)
            self.patch(broker.factory.portal, "login", lambda *_, asked=asked: asked)
            client = broker.knocks(self.FAR, login="ann", passcode="x")
            client.hangs_up()
            self.assertTrue(asked.called)
            self.assertEqual(broker.factory.broker.connection_limits._of, {})
            broker.dial(self.FAR)  # which is let in
            self.assertFalse(any(isinstance(event, (Connected, LockedOut)) for event in self.seen))

    def test_any_number_may_fail(self) -> None:
        """Then no login waits for another one, and still each failure is answered late."""
        broker = self.broker(passwords(), login_failures=0)
        for _ in range(200):
            broker.knocks(self.FAR, login="ann", passcode="wrong")
        broker.knocks(self.FAR, login="ann", passcode="secret").hears("CONNECTED")
        self.assertApproximates(self.try_wrong(broker), 5, 0.1)
        self.assertEqual(self.locked_out(), [])

    def test_a_good_login_does_not_wait_for_the_answers_to_bad_ones(self) -> None:
        broker = self.broker(passwords(), login_failures=10)
        for _ in range(9):
            broker.knocks(self.FAR, login="ann", passcode="wrong")
        broker.knocks(self.FAR, login="ann", passcode="secret").hears("CONNECTED")

    def test_the_brokers_own_faults_lock_nobody_out(self) -> None:
        for error in (ConfigurationError("a broken file"), LoginUnavailable("the directory is down")):
            broker = self.broker(Raising(error), login_failures=2)
            for _ in range(25):
                client = broker.knocks(self.FAR, passcode="a.b.c")
                self.assertFalse(client.is_closed)  # a guess that another checker has refused costs time
                broker.clock.advance(1)
                self.assertIn(b"connect again later", client.fails("logins can't be checked now").body)

    def test_who_shows_nothing_has_guessed_nothing(self) -> None:
        broker = self.broker(passwords(), login_failures=2)
        for _ in range(25):
            broker.knocks(self.FAR).fails("login refused")
        broker.knocks(self.FAR, login="ann", passcode="secret").hears("CONNECTED")

    def test_one_bad_token_locks_out_itself_whatever_login_is_sent(self) -> None:
        broker = self.broker(Tokens(), login_failures=2, lockout=60)
        for number in range(2):
            self.refused(broker, self.FAR, login=f"user{number}", passcode="tim.bad.x")
        self.assertEqual(self.locked_out(), [("192.0.2.7", 60, "")])
        told = self.waits_and_is_told(broker, passcode="tim.bad.x")
        self.assertIn(b"too many tokens or certificates from your address", told)
        self.assertIn(b"try again in", told)
        broker.knocks(self.FAR, login="user1", passcode="tim.60.x").hears("CONNECTED")

    def test_many_bad_tokens_lock_out_their_address(self) -> None:
        """No more than ten times as many; they are no logins, of which there would be fewer."""
        broker = self.broker(Tokens(), login_failures=2)
        for number in range(20):
            broker.knocks(self.FAR, passcode="tim.60.x").hears("CONNECTED")
            self.refused(broker, self.FAR, passcode=f"tim.bad{number}.x")
        broker.dial(self.FAR).fails("login refused")

    def test_one_bad_certificate_locks_out_itself(self) -> None:
        broker = self.broker(CertificateChecker("email"), login_failures=2, lockout=60)
        bad, other = certificate("bob"), certificate("ann")
        for _ in range(2):
            client = broker.knocks(self.FAR, bad, login="guest", passcode="guest")
            broker.clock.advance(1)
            client.fails("login refused")
        self.assertIn(b"try again in", self.waits_and_is_told(broker, bad))
        client = broker.knocks(self.FAR, other, login="guest", passcode="guest")
        broker.clock.advance(1)
        self.assertNotIn(b"try again in", client.fails("login refused").body)

    def test_a_renewal_that_is_bad_counts_too(self) -> None:
        broker = self.broker(Tokens(), login_failures=2)
        for body in (b"tim.bad.x", b"tim.bad.x\n"):
            tim = broker.knocks(self.FAR, passcode="tim.60.x")
            tim.hears("CONNECTED")
            tim.says("SEND", destination="/session/token", body=body)
            broker.clock.advance(1)
            tim.fails("login refused")
        self.assertEqual([one[2] for one in self.locked_out()], [""])
        self.assertIn(b"try again", self.waits_and_is_told(broker, passcode="tim.bad.x"))

    def test_no_more_than_so_many_places_are_remembered(self) -> None:
        self.patch(lockout, "REMEMBERED", 3)
        broker = self.broker(passwords(), login_failures=2, lockout=60)
        guard = broker.factory.broker.lockout
        for number in range(10):
            guard.failed(attempt(f"192.0.2.{number}", "ann"))
        self.assertEqual(list(guard._places), ["192.0.2.7", "192.0.2.8", "192.0.2.9"])
        for number in range(10):
            guard.failed(attempt(f"192.0.2.{number}", "ann"))
            guard.failed(attempt(f"192.0.2.{number}", "bob"))
        self.assertLessEqual(len(guard._until), 3)
        self.assertRaises(LoginDenied, guard.must_be_open, "192.0.2.9")

    def test_what_is_remembered_of_one_place_is_bounded_and_pushes_out_no_other(self) -> None:
        self.patch(lockout, "LOGINS", 5)
        guard = self.broker(passwords(), login_failures=0).factory.broker.lockout
        guard.failed(attempt("192.0.2.7", "ann"))
        for number in range(1000):
            guard.failed(attempt("192.0.2.66", f"user{number}"))
            guard.failed(attempt("unix", f"user{number}"))
        for name in ("192.0.2.66", "unix"):
            place = guard._places[name]
            self.assertEqual(list(place.logins)[-1], attempt(name, "user999").key)
            self.assertEqual(len(place.logins), 5)
            self.assertLess(len(place.times), 100)
        self.assertEqual(len(guard._places["192.0.2.7"].logins), 1)

    def test_a_login_is_remembered_by_a_hash(self) -> None:
        """Whatever a client writes there."""
        long = attempt("192.0.2.7", "x" * 60_000)
        self.assertEqual(len(long.key), 16)
        self.assertNotEqual(long.key, attempt("192.0.2.7", "x" * 60_001).key)

    def test_who_is_locked_out_long_is_not_forgotten_before(self) -> None:
        broker = self.broker(passwords(), login_failures=2, login_window=10, lockout=1000)
        for _ in range(2):
            self.try_wrong(broker)
        broker.clock.advance(500)
        self.try_wrong(broker, "bob")
        self.assertIn(b"try again", self.waits_and_is_told(broker, login="ann"))


class RememberedTests(SynchronousTestCase):
    def test_all_places_together_are_bounded(self) -> None:
        self.patch(lockout, "LOGINS_IN_ALL", 50)
        one = Lockout(BrokerSettings(), Clock(), lambda *what: None)
        for number in range(100):
            for user in range(3):
                one.failed(attempt(f"192.0.2.{number}", f"user-{user}"))
        self.assertLessEqual(sum(len(place.logins) for place in one._places.values()), 50)
        self.assertEqual(one._remembered, sum(len(place.logins) for place in one._places.values()))
        self.assertIn("192.0.2.99", one._places)
