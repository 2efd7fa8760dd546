"""What every engine promises: mix EngineContract into a test case that says how to make one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from stomp_tx.interfaces import IClaim, IEngine
from stomp_tx.message import Batch, Message, Outcome

ACCEPTED, RELEASED, REJECTED = Outcome.ACCEPTED, Outcome.RELEASED, Outcome.REJECTED


class Taker:
    """Takes from a queue; ``asks`` for more, and remembers what it got."""

    def __init__(self, engine: IEngine, queue: str, done: bool = False) -> None:
        self.got: list[Message] = []
        self.done = done
        self.claim = engine.consume(queue, self.take)

    def take(self, message: Message) -> bool:
        self.got.append(message)
        return self.done

    def bodies(self) -> list[bytes]:
        return [message.body for message in self.got]


class EngineContract:
    """The promises of IEngine.  ``self.engine`` is a started engine that is empty."""

    engine: Any
    numbers = 0

    def make_engine(self) -> IEngine:
        """An engine, not started."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.engine = self.make_engine()
        self.settled(self.engine.start())

    def settled(self, safe: Deferred[None] | None) -> None:
        """Wait until it is safe."""
        raise NotImplementedError

    def message(self, body: str, address: str = "/queue/a") -> Message:
        self.numbers += 1
        return Message(f"m-{self.numbers}", address, address, {"x": "1"}, body.encode(), 100)

    def append(self, *bodies: str, address: str = "/queue/a") -> None:
        for body in bodies:
            self.settled(self.engine.append(self.message(body, address)))

    # -- queues -------------------------------------------------------------------------------------------

    def test_it_provides_its_interfaces(self) -> None:
        verifyObject(IEngine, self.engine)
        verifyObject(IClaim, Taker(self.engine, "/queue/a").claim)

    def test_messages_come_in_the_order_in_which_they_were_appended(self) -> None:
        self.append("1", "2")
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(10)
        self.append("3")
        self.assertEqual(taker.bodies(), [b"1", b"2", b"3"])

    def test_never_more_than_was_asked_for(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.append("1", "2", "3")
        self.assertEqual(taker.bodies(), [])
        taker.claim.request(1)
        self.assertEqual(taker.bodies(), [b"1"])
        taker.claim.request(1)
        taker.claim.request(5)
        self.append(*map(str, range(4, 12)))
        self.assertEqual(len(taker.got), 7)

    def test_what_was_asked_for_can_be_taken_back(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(5)
        taker.claim.request(-4)
        self.append("1", "2")
        self.assertEqual(taker.bodies(), [b"1"])
        taker.claim.request(-100)
        taker.claim.request(1)
        self.assertEqual(taker.bodies(), [b"1", b"2"])

    def test_queues_know_nothing_of_one_another(self) -> None:
        taker = Taker(self.engine, "/queue/b")
        taker.claim.request(10)
        self.append("1")
        self.assertEqual(taker.got, [])

    def test_headers_and_body_come_as_they_went(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(1)
        sent = Message("id", "a", "/queue/a", {"n\n": "v:", "é": ""}, bytes(range(256)), 1)
        self.settled(self.engine.append(sent))
        got = taker.got[0]
        self.assertEqual((got.id, got.destination, got.address), ("id", "a", "/queue/a"))
        self.assertEqual(
            (list(got.headers.items()), got.body), ([("n\n", "v:"), ("é", "")], bytes(range(256)))
        )

    def test_a_claim_that_stopped_gets_nothing_and_another_goes_on(self) -> None:
        first = Taker(self.engine, "/queue/a")
        first.claim.request(1)
        self.append("1", "2")
        first.claim.stop()
        second = Taker(self.engine, "/queue/a")
        second.claim.request(5)
        self.append("3")
        self.assertEqual(second.bodies(), [b"2", b"3"])
        self.settled(self.engine.settle(first.got[0], ACCEPTED))

    # -- settling -----------------------------------------------------------------------------------------

    def test_rejected_it_comes_again_in_its_place_one_attempt_more(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(2)
        self.append("1", "2", "3")
        self.settled(self.engine.settle(taker.got[0], REJECTED))
        taker.claim.request(2)
        self.assertEqual(taker.bodies(), [b"1", b"2", b"1", b"3"])
        self.assertEqual([message.attempts for message in taker.got], [0, 0, 1, 0])

    def test_released_it_comes_again_as_it_was(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(1)
        self.append("1")
        self.settled(self.engine.settle(taker.got[0], RELEASED))
        taker.claim.request(1)
        self.assertEqual([(m.body, m.attempts) for m in taker.got], [(b"1", 0), (b"1", 0)])

    def test_many_put_back_together_come_in_their_old_order_before_newer_ones(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(4)
        self.append("1", "2", "3", "4", "5")
        one, two, three, four = taker.got
        self.settled(self.engine.settle(three, ACCEPTED))
        taker.got = []
        taker.claim.request(3)
        self.settled(self.engine.commit(Batch(settled=[(two, REJECTED), (four, REJECTED), (one, REJECTED)])))
        taker.claim.request(10)
        self.assertEqual(taker.bodies()[-3:], [b"1", b"2", b"4"])

    def test_put_back_at_different_times_they_are_in_order_still(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(3)
        self.append("1", "2", "3", "4")
        one, two, three = taker.got
        taker.got = []
        for message in (two, three, one):
            self.settled(self.engine.settle(message, REJECTED))
        taker.claim.request(10)
        self.assertEqual(taker.bodies(), [b"1", b"2", b"3", b"4"])

    # -- batches ------------------------------------------------------------------------------------------

    def test_a_batch_appends_and_settles(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        taker.claim.request(1)
        self.append("1")
        heard: list[bytes] = []
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        batch = Batch(
            appended=[self.message("2"), self.message("t", "/topic/t"), self.message("3")],
            settled=[(taker.got[0], ACCEPTED)],
        )
        self.settled(self.engine.commit(batch))
        taker.claim.request(10)
        self.assertEqual(taker.bodies(), [b"1", b"2", b"3"])
        self.assertEqual(heard, [b"t"])

    def test_an_empty_batch_is_nothing(self) -> None:
        self.settled(self.engine.commit(Batch()))

    # -- topics -------------------------------------------------------------------------------------------

    def test_everyone_who_listens_hears_and_nobody_else(self) -> None:
        heard: list[tuple[str, bytes]] = []
        self.settled(self.engine.publish(self.message("before", "/topic/t")))
        stop = self.engine.listen("/topic/t", lambda message: heard.append(("a", message.body)))
        self.engine.listen("/topic/t", lambda message: heard.append(("b", message.body)))
        self.engine.listen("/topic/u", lambda message: heard.append(("u", message.body)))
        self.settled(self.engine.publish(self.message("1", "/topic/t")))
        stop()
        stop()
        self.settled(self.engine.publish(self.message("2", "/topic/t")))
        self.assertEqual(heard, [("a", b"1"), ("b", b"1"), ("b", b"2")])
