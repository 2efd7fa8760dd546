"""engine/memory/engine.py: the contract, and its limits."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine import engineFromString
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.errors import ConfigurationError
from stomp_tx.interfaces import IEngine
from stomp_tx.message import Outcome
from tests.engine.contract import EngineContract, Taker


class MemoryEngineTests(EngineContract, SynchronousTestCase):
    def make_engine(self) -> IEngine:
        return MemoryEngine(self.limits, self.clock.seconds)

    def settled(self, safe: Deferred[None] | None) -> None:
        if safe is not None:
            self.successResultOf(safe)

    def test_its_books_balance_when_all_is_settled(self) -> None:
        acks, auto = Taker(self.engine, "/queue/a"), Taker(self.engine, "/queue/b", done=True)
        for claim in (acks.claim, auto.claim):
            claim.request(2)
        self.append("1", "2", "3")
        self.append("1", "2", "3", address="/queue/b")
        for claim in (acks.claim, auto.claim):
            claim.request(2)
        for message in acks.got:
            self.engine.settle(message, Outcome.ACCEPTED)
        self.assertEqual(self.engine.octets, 0)

    def test_names_that_nobody_uses_are_forgotten(self) -> None:
        for number in range(100):
            Taker(self.engine, f"/queue/{number}").claim.stop()
        self.assertEqual(self.engine._lanes, {})


class LimitTests(SynchronousTestCase):
    """Over its limits a queue asks producers to wait."""

    def full(self, **limits: int) -> EngineContract:
        case = MemoryEngineTests()
        case.engine = MemoryEngine(EngineLimits(**limits))
        return case

    def test_each_limit_and_the_room_there_is_again(self) -> None:
        for limits in ({"queue_length": 10}, {"queue_octets": 10_500}, {"total_octets": 10_500}):
            case = self.full(**limits)
            engine = case.engine
            kept = 0
            while engine.append(case.message("x")) is None:
                kept += 1
            self.assertEqual(kept, 9, limits)
            room = engine.room("/queue/a", case.message("x"))
            self.assertNoResult(room)
            taker = Taker(engine, "/queue/a", done=True)
            taker.claim.request(1)
            self.assertIsNone(self.successResultOf(room))
            self.assertIsNone(
                engine.room("/queue/b", case.message("x")) if "total_octets" not in limits else None
            )

    def test_room_that_an_ack_makes_in_another_queue(self) -> None:
        case = self.full(total_octets=10_500)
        engine = case.engine
        taker = Taker(engine, "/queue/b")
        taker.claim.request(8)
        case.append(*"12345678", address="/queue/b")
        case.append("1", "2")
        room = engine.room("/queue/a", case.message("x"))
        self.assertNoResult(room)
        engine.settle(taker.got[0], Outcome.ACCEPTED)
        self.successResultOf(room)

    def test_who_waits_no_more_is_forgotten(self) -> None:
        case = self.full(queue_length=1)
        case.append("1")
        room = case.engine.room("/queue/a", case.message("x"))
        room.addErrback(lambda _: None)
        room.cancel()
        taker = Taker(case.engine, "/queue/a", done=True)
        taker.claim.request(1)

    def test_limits_that_make_no_sense_are_refused(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "queue_length"):
            EngineLimits(queue_length=0)


class EngineFromStringTests(SynchronousTestCase):
    def test_memory(self) -> None:
        self.assertIsInstance(engineFromString("memory:", Clock()), MemoryEngine)

    def test_anything_else_is_refused_by_name(self) -> None:
        for text in ("", "memry:", "memory", "memory:x", "sqlite"):
            with self.assertRaisesRegex(ConfigurationError, repr(text)):
                engineFromString(text, Clock())
