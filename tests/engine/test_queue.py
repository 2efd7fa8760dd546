"""engine/queue.py: one queue, and the claim of its taker."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.message import Batch, Keeping, Message, Outcome
from tests.engine.contract import Taker

NAME = "/queue/a"


class ClaimTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.engine = MemoryEngine()

    def append(self, *bodies: str, expires: int = 0) -> None:
        for body in bodies:
            message = Message(body, NAME, NAME, {}, body.encode(), 1)
            message.keeping = Keeping(expires=expires) if expires else None
            self.engine.append(message)

    def test_a_taker_may_ask_for_more_while_it_is_given_one(self) -> None:
        self.append("1", "2", "3")
        got = []

        def take(message: Message) -> bool:
            got.append(message.body)
            claim.request(1)
            return True

        claim = self.engine.consume(NAME, take)
        claim.request(1)
        self.assertEqual(got, [b"1", b"2", b"3"])

    def test_a_taker_may_give_one_back_while_it_is_given_it(self) -> None:
        self.append("1", "2")
        got = []

        def take(message: Message) -> bool:
            got.append(message.body)
            if len(got) == 1:
                self.engine.settle(message, Outcome.RELEASED)
            return len(got) > 1

        self.engine.consume(NAME, take).request(3)
        self.assertEqual(got, [b"1", b"1", b"2"])

    def test_a_taker_may_send_while_it_is_given_one(self) -> None:
        self.append("1")
        got = []

        def take(message: Message) -> bool:
            got.append(message.body)
            if len(got) < 4:
                self.append(str(len(got) + 1))
            return True

        self.engine.consume(NAME, take).request(10)
        self.assertEqual(got, [b"1", b"2", b"3", b"4"])

    def test_a_taker_may_stop_while_it_is_given_one(self) -> None:
        self.append("1", "2")
        got = []

        def take(message: Message) -> bool:
            got.append(message.body)
            claim.stop()
            return True

        claim = self.engine.consume(NAME, take)
        claim.request(10)
        self.assertEqual(got, [b"1"])
        other = Taker(self.engine, NAME)
        other.claim.request(10)
        self.assertEqual(other.bodies(), [b"2"])

    def test_a_taker_that_breaks_does_not_block_the_queue(self) -> None:
        self.append("1", "2")
        broken = True

        def take(message: Message) -> bool:
            if broken:
                raise ZeroDivisionError
            return True

        claim = self.engine.consume(NAME, take)
        with self.assertRaises(ZeroDivisionError):
            claim.request(1)
        broken = False
        claim.request(1)
        self.assertEqual(len(self.engine._lanes[NAME].waiting), 0)

    def test_a_queue_is_forgotten_by_itself_not_by_its_name(self) -> None:
        """Its messages have expired or gone; by then another of its name may have some."""
        self.append("1", expires=10)
        taker = Taker(self.engine, NAME, done=True)
        taker.claim.request(1)
        taker.claim.stop()
        self.append("2")
        self.engine.expire(20, lambda message: [])
        other = Taker(self.engine, NAME)
        other.claim.request(1)
        self.assertEqual(other.bodies(), [b"2"])

    def test_what_expired_in_the_middle_takes_no_room(self) -> None:
        self.append("first")
        for number in range(1000):
            self.append(str(number), expires=10)
            if number % 100 == 0:
                self.append("stays")
        self.append("last")
        self.engine.expire(10, lambda message: [])
        waiting = self.engine._lanes[NAME].waiting
        self.assertEqual(len(waiting), 12)
        self.assertLessEqual(len(waiting.messages), 2 * len(waiting))


class BookTests(SynchronousTestCase):
    """Whatever is done to it, its books agree with what is there."""

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("append"), st.sampled_from([0, 0, 5, 10])),
                st.tuples(st.just("request"), st.integers(-2, 4)),
                st.tuples(st.just("settle"), st.sampled_from(list(Outcome)[:3])),
                st.tuples(st.just("batch"), st.sampled_from(list(Outcome)[:3])),
                st.tuples(st.just("expire"), st.sampled_from([4, 5, 10])),
                st.tuples(st.just("stop"), st.just(0)),
            )
        )
    )
    def test_at_random(self, steps: list[tuple[str, object]]) -> None:
        engine = MemoryEngine()
        taker = Taker(engine, NAME)
        numbers, settled = 0, 0
        for step, value in steps:
            if step == "append":
                numbers += 1
                message = Message(str(numbers), NAME, NAME, {}, b"%d" % numbers, 1)
                message.keeping = Keeping(expires=int(value)) if value else None  # type: ignore[call-overload]
                engine.append(message)
            elif step == "request":
                taker.claim.request(value)  # type: ignore[arg-type]
            elif step == "settle" and settled < len(taker.got):
                settled += 1
                engine.settle(taker.got[settled - 1], value)  # type: ignore[arg-type]
            elif step == "batch":
                some, settled = taker.got[settled:], len(taker.got)
                engine.commit(Batch(settled=[(message, value) for message in some]))  # type: ignore[misc]
            elif step == "expire":
                engine.expire(value, lambda message: [])  # type: ignore[arg-type]
            elif step == "stop":
                got = taker.got
                taker.claim.stop()
                taker = Taker(engine, NAME)
                taker.got = got
            settled = min(settled, len(taker.got))
            lane = engine._lanes[NAME]
            waiting = lane.waiting
            left = [message for message in waiting.messages if message.position not in waiting.gone]
            self.assertEqual([message.position for message in left], sorted({m.position for m in left}))
            self.assertEqual((len(waiting), waiting.octets), (len(left), sum(m.size for m in left)))
            in_flight = sum(message.size for message in taker.got[settled:])
            self.assertEqual(engine.octets, waiting.octets + in_flight)
            self.assertFalse(left and lane.queue.demand)
