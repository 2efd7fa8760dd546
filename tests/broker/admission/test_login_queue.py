"""login_queue.py: many who log in at once, in the order in which they came."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address

from stomp_tx.auth.checkers import password
from stomp_tx.auth.checkers.password import PasswordChecker
from stomp_tx.auth.passwords import HASHER, PasswordFile
from stomp_tx.broker.events import Connected, LockedOut
from tests.auth.checkers.test_password import Threads
from tests.broker.session.test_login import LoginCase
from tests.conversation import Client
from tests.scratch import scratch

HERE = IPv4Address("TCP", "192.0.2.7", 1)
EACH = 0.25  # seconds that it takes to compare a passcode


class BurstTests(LoginCase):
    """A crowd behind one address, as after a restart of the broker."""

    users = 100

    def start(self, **settings: Any) -> None:
        """A broker that has two threads for hashes, and nothing remembered."""
        hash = HASHER.hash("secret")
        path = scratch(self) / "users"
        path.write_text("".join(f"user{number}:{hash}\n" for number in range(self.users)))
        self.threads: Any = Threads()
        self.compared: list[str] = []
        self.patch(password, "is_right", self.is_right)
        self.file = PasswordFile(str(path))
        self.crowd = self.broker(PasswordChecker(self.file, self.threads, self.threads), **settings)

    def is_right(self, hash: str, passcode: str) -> bool:
        self.compared.append(passcode)
        return passcode == "secret"

    def come(self, count: int, user: str = "user{}", passcode: str = "secret") -> list[Client]:
        broker = self.crowd
        return [broker.knocks(HERE, login=user.format(number), passcode=passcode) for number in range(count)]

    def work(self) -> list[int]:
        """How many were compared at a time, until none is left."""
        at_a_time = []
        while done := self.threads.do():
            at_a_time.append(done)
            self.crowd.clock.advance(EACH)
        return at_a_time

    def got_in(self) -> list[str]:
        return [event.user for event in self.seen if isinstance(event, Connected)]

    def test_none_is_refused_and_both_threads_are_busy_until_the_end(self) -> None:
        self.start()
        clients = self.come(100)
        self.assertEqual(self.work(), [2] * 50)  # which is longer than the handshake may take
        for client in clients:
            client.hears("CONNECTED")
        self.assertEqual(self.got_in(), [f"user{number}" for number in range(100)])
        self.assertEqual(self.crowd.factory.broker.login_queue._sites, {})

    def test_of_one_user_one_passcode_is_compared(self) -> None:
        self.start()
        clients = self.come(100, "user7")
        self.work()
        for client in clients:
            client.hears("CONNECTED")
        self.assertEqual(len(self.compared), 1)

    def test_a_few_who_are_wrong_keep_nobody_out(self) -> None:
        self.start()
        wrong = self.come(9, "eve{}", "guess")
        clients = self.come(100)
        wrong += self.come(10, "user0", "guess")
        self.work()
        for client in clients:
            client.hears("CONNECTED")
        self.crowd.clock.advance(10)
        for client in wrong:
            client.fails("login refused")
        self.assertEqual([event.login for event in self.seen if isinstance(event, LockedOut)], [None])

    def test_who_waits_too_long_is_told_so_and_waits_no_more(self) -> None:
        self.start(login_wait=30)
        clients = self.come(100)
        self.crowd.clock.advance(30)
        for client in clients:
            client.fails("login took too long")
        self.assertEqual(self.work(), [2])  # which were under way
        self.assertEqual(self.crowd.factory.broker.login_queue._sites, {})
        self.assertEqual(self.got_in(), [])

    def test_when_they_come_back_nothing_is_compared(self) -> None:
        self.start()
        self.come(100)
        self.work()
        self.compared.clear()
        for client in self.come(100):
            client.hears("CONNECTED")
        self.assertEqual((self.compared, self.work()), ([], []))

    def test_who_is_locked_out_is_not_let_in_by_what_is_remembered(self) -> None:
        self.start(login_failures=3)
        self.come(1)
        self.work()
        self.come(3, "user0", "guess")
        self.work()
        self.assertEqual(self.compared, ["secret", "guess", "guess", "guess"])
        (right,) = self.come(1)
        (wrong,) = self.come(1, "user0", "guess")
        self.crowd.clock.advance(5)
        for client in (right, wrong):
            self.assertIn(b"try again", client.fails("login refused").body)
        self.assertEqual(len(self.compared), 4)

    def test_who_has_gone_is_not_worked_for(self) -> None:
        self.start()
        clients = self.come(100)
        for client in clients[4:50]:
            client.hangs_up()
        for client in clients[50:96]:
            client.closes_its_side()  # perhaps it is gone as well
        self.crowd.clock.advance(5.1)
        for client in clients[50:96]:
            self.assertTrue(client.transport.aborted)
            client.hangs_up()
        self.work()
        self.assertEqual(
            self.got_in(), ["user0", "user1", "user2", "user3", "user96", "user97", "user98", "user99"]
        )

    def test_who_hangs_up_while_theirs_is_compared_has_had_a_guess(self) -> None:
        self.start()
        for number in range(10):
            [eve] = self.come(1, "user7", f"guess{number}")
            eve.hangs_up()
            self.work()
        self.assertEqual(len(self.compared), 10)
        [ann] = self.come(1, "user7")
        self.work()
        self.crowd.clock.advance(5.1)
        self.assertIn(b"try again in", ann.hears("ERROR").body)

    def test_who_says_all_at_once_is_heard_when_it_is_their_turn(self) -> None:
        """What a script sends, and closes."""
        self.start()
        first = self.come(20)
        script = self.crowd.dial(HERE)
        script.says("CONNECT", login="user7", passcode="secret")
        script.says("SEND", destination="/queue/a", body=b"hello")
        script.closes_its_side()
        self.crowd.clock.advance(20)
        self.work()
        for client in first:
            client.hears("CONNECTED")
        script.hears("CONNECTED")
        self.assertTrue(script.is_closed)
        self.assertEqual(self.crowd.waiting("/queue/a"), [b"hello"])

    def test_who_only_looks_whether_they_get_in_is_told_so(self) -> None:
        self.start()
        (client,) = self.come(1)
        client.closes_its_side()
        self.work()
        client.hears("CONNECTED")
        self.assertTrue(client.is_closed)
