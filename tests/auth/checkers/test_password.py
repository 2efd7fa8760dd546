"""checkers/password.py: login and passcode, in threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase

from stomp_tx.auth.checkers import password
from stomp_tx.auth.checkers.password import PasswordChecker
from stomp_tx.auth.credentials import Passcode
from stomp_tx.auth.identity import Identity
from stomp_tx.auth.passwords import PasswordFile, is_right
from stomp_tx.errors import ConfigurationError
from tests.scratch import scratch


class Threads:
    """A thread pool, and the reactor that it tells, whose work is done when the test says so."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []

    def callInThreadWithCallback(self, told: Any, call: Any, *arguments: Any, **named: Any) -> None:
        def work() -> None:
            try:
                result = call(*arguments, **named)
            except Exception:
                told(False, Failure())
            else:
                told(True, result)

        self.work.append(work)

    def callFromThread(self, call: Any, *arguments: Any) -> None:
        call(*arguments)

    def do(self) -> int:
        """Do all that there is; how much it was."""
        work, self.work = self.work, []
        for one in work:
            one()
        return len(work)


class PasswordCheckerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.users = PasswordFile(str(scratch(self) / "users"))
        self.users.add("ann", "secret")
        self.threads: Any = Threads()
        self.clock = Clock()
        self.checker = self.remembering(0)

    def remembering(self, seconds: float) -> PasswordChecker:
        return PasswordChecker(self.users, self.threads, self.threads, seconds, self.clock.seconds)

    def ask(self, name: str, passcode: str) -> Any:
        return self.checker.requestAvatarId(UsernamePassword(name.encode(), passcode.encode()))

    def answer(self, name: str, passcode: str) -> Identity:
        asked = self.ask(name, passcode)
        self.assertNoResult(asked)
        self.assertEqual(self.threads.do(), 1)  # as much work for whoever it is
        found: Identity = self.successResultOf(asked)
        return found

    def refused(self, name: str, passcode: str) -> None:
        asked = self.ask(name, passcode)
        self.assertEqual(self.threads.do(), 1)
        self.assertEqual(str(self.failureResultOf(asked, UnauthorizedLogin).value), "")

    def test_right_wrong_and_nobody(self) -> None:
        self.assertEqual(self.answer("ann", "secret").name, "ann")
        for name, passcode in (
            ("ann", "Secret"),
            ("ann", ""),
            ("bob", "secret"),
            ("", ""),
            ("ANN", "secret"),
        ):
            self.refused(name, passcode)

    def test_a_user_who_is_taken_out_or_changed_is_not_valid_any_more(self) -> None:
        ann = self.answer("ann", "secret")
        self.users.add("bob", "geheim")
        self.assertTrue(ann.is_valid())
        self.users.add("ann", "other")
        self.assertFalse(ann.is_valid())
        other = self.answer("ann", "other")
        self.users.remove("ann")
        self.assertFalse(other.is_valid())

    def test_a_file_that_can_not_be_read_takes_nobody_out(self) -> None:
        ann = self.answer("ann", "secret")
        with open(self.users.path, "a") as file:
            file.write("nonsense\n")
        self.assertTrue(ann.is_valid())
        self.answer("ann", "secret")

    def test_one_hash_is_compared_whoever_it_is(self) -> None:
        """Of the same cost as most of those in the file, whatever others it has."""
        cheap = PasswordHasher(memory_cost=8192, time_cost=1, parallelism=1)
        with open(self.users.path, "a") as file:
            file.write(f"tim:{cheap.hash('t')}\ntom:{cheap.hash('t')}\n")
        compared: list[str] = []
        self.patch(password, "is_right", lambda hash, passcode: bool(compared.append(hash)))
        for name in ("tim", "nobody", "somebody", "ann"):
            self.refused(name, "x")
        tim, nobody, somebody, ann = (extract_parameters(hash) for hash in compared)
        self.assertEqual([nobody, somebody], [tim, tim])
        self.assertNotEqual(ann, tim)

    def test_in_an_empty_file_nobody_costs_what_a_new_user_would(self) -> None:
        self.users.remove("ann")
        self.assertEqual(
            extract_parameters(self.users.nobody()), extract_parameters(PasswordHasher().hash("x"))
        )
        self.assertFalse(is_right(self.users.nobody(), ""))

    def test_whoever_came_in_is_favoured(self) -> None:
        self.checker.requestAvatarId(Passcode("ann", "secret", "192.0.2.1"))
        self.checker.requestAvatarId(Passcode("ann", "wrong", "192.0.2.2")).addErrback(lambda _: None)
        self.threads.do()
        self.assertEqual(list(self.checker._worker_threads._favoured), ["192.0.2.1"])

    def known(self, name: str, passcode: str) -> Identity:
        """Who needs no hash."""
        found: Identity = self.successResultOf(self.ask(name, passcode))
        return found

    def test_a_passcode_that_was_right_is_not_compared_again_for_a_while(self) -> None:
        self.checker = self.remembering(300)
        self.answer("ann", "secret")
        for _ in range(2):
            self.clock.advance(149)
            self.assertTrue(self.known("ann", "secret").is_valid())
        self.clock.advance(2)
        self.answer("ann", "secret")  # as old as the first one, whoever came in between
        self.known("ann", "secret")

    def test_a_wrong_one_costs_as_much_each_time(self) -> None:
        self.checker = self.remembering(300)
        self.answer("ann", "secret")
        for name in ("ann", "bob"):
            for _ in range(2):
                self.refused(name, "wrong")

    def test_what_is_remembered_is_forgotten_with_the_hash(self) -> None:
        self.checker = self.remembering(300)
        before = self.answer("ann", "secret")
        self.users.add("ann", "other")
        self.refused("ann", "secret")
        self.assertFalse(before.is_valid())
        self.answer("ann", "other")
        self.users.add("ann", "secret")  # with another salt
        self.answer("ann", "secret")
        self.users.remove("ann")
        self.refused("ann", "secret")

    def test_of_a_crowd_with_one_passcode_each_thread_compares_one(self) -> None:
        self.checker = self.remembering(300)
        compared: list[str] = []
        is_right = password.is_right
        self.patch(password, "is_right", lambda *given: compared.append(given[1]) or is_right(*given))
        crowd = [self.ask("ann", passcode) for passcode in ("secret", "secret", "wrong", "secret", "secret")]
        crowd[2].addErrback(lambda _: None)
        while self.threads.do():
            pass
        for one in crowd[:2] + crowd[3:]:
            self.assertEqual(self.successResultOf(one).name, "ann")
        self.assertEqual(compared, ["secret", "wrong"])

    def test_whoever_is_remembered_is_favoured_too(self) -> None:
        self.checker = self.remembering(300)
        self.answer("ann", "secret")
        self.checker.requestAvatarId(Passcode("ann", "secret", "192.0.2.1"))
        self.assertIn("192.0.2.1", self.checker._worker_threads._favoured)

    def test_without_a_file_there_is_no_checker(self) -> None:
        self.assertRaises(
            ConfigurationError, PasswordChecker, PasswordFile("/nowhere"), self.threads, self.threads
        )


class ThreadTests(TestCase):
    async def test_in_real_threads(self) -> None:
        users = PasswordFile(str(scratch(self) / "users"))
        users.add("ann", "secret")
        pool = ThreadPool(0, 1)
        pool.start()
        self.addCleanup(pool.stop)
        checker = PasswordChecker(users, reactor, pool)
        found = await checker.requestAvatarId(UsernamePassword(b"ann", b"secret"))
        self.assertEqual(found.name, "ann")
