"""What every engine promises: mix EngineContract into a test case that says how to make one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from stomp_tx.engine.expiring import AT_ONCE
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.errors import EngineError
from stomp_tx.interfaces import IClaim, IEngine
from stomp_tx.message import Batch, Keeping, Message, Outcome

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
    seconds = 1000.0
    limits: EngineLimits | None = None

    def now(self) -> float:
        """Seconds since 1970, for the engine."""
        return self.seconds

    def make_engine(self) -> IEngine:
        """An engine, not started."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = Clock()
        self.engine = self.make_engine()
        self.settled(self.engine.start())

    def settled(self, safe: Deferred[None] | None) -> None:
        """Wait until it is safe."""
        raise NotImplementedError

    def ask(self, taker: Taker, count: int) -> None:
        """Ask for more, and wait for what comes."""
        taker.claim.request(count)
        self.settled(None)

    def message(self, body: str, address: str = "/queue/a", **keeping: Any) -> Message:
        self.numbers += 1
        message = Message(f"m-{self.numbers}", address, address, {"x": "1"}, body.encode(), 100)
        if keeping:
            message.keeping = Keeping(**keeping)
        return message

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
        self.ask(taker, 10)
        self.append("3")
        self.assertEqual(taker.bodies(), [b"1", b"2", b"3"])

    def test_never_more_than_was_asked_for(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.append("1", "2", "3")
        self.assertEqual(taker.bodies(), [])
        self.ask(taker, 1)
        self.assertEqual(taker.bodies(), [b"1"])
        self.ask(taker, 1)
        self.ask(taker, 5)
        self.append(*map(str, range(4, 12)))
        self.assertEqual(len(taker.got), 7)

    def test_what_was_asked_for_can_be_taken_back(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 5)
        self.ask(taker, -4)
        self.append("1", "2")
        self.assertEqual(taker.bodies(), [b"1"])
        self.ask(taker, -100)
        self.ask(taker, 1)
        self.assertEqual(taker.bodies(), [b"1", b"2"])

    def test_queues_know_nothing_of_one_another(self) -> None:
        taker = Taker(self.engine, "/queue/b")
        self.ask(taker, 10)
        self.append("1")
        self.assertEqual(taker.got, [])

    def test_headers_and_body_come_as_they_went(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        sent = Message("id", "a", "/queue/a", {"n\n": "v:", "é": ""}, bytes(range(256)), 1)
        self.settled(self.engine.append(sent))
        got = taker.got[0]
        self.assertEqual((got.id, got.destination, got.address), ("id", "a", "/queue/a"))
        self.assertEqual(
            (list(got.headers.items()), got.body), ([("n\n", "v:"), ("é", "")], bytes(range(256)))
        )

    def test_a_claim_that_stopped_gets_nothing_and_another_goes_on(self) -> None:
        first = Taker(self.engine, "/queue/a")
        self.ask(first, 1)
        self.append("1", "2")
        first.claim.stop()
        second = Taker(self.engine, "/queue/a")
        self.ask(second, 5)
        self.append("3")
        self.assertEqual(second.bodies(), [b"2", b"3"])
        self.settled(self.engine.settle(first.got[0], ACCEPTED))

    # -- settling -----------------------------------------------------------------------------------------

    def test_rejected_it_comes_again_in_its_place_one_attempt_more(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 2)
        self.append("1", "2", "3")
        self.settled(self.engine.settle(taker.got[0], REJECTED))
        self.ask(taker, 2)
        self.assertEqual(taker.bodies(), [b"1", b"2", b"1", b"3"])
        self.assertEqual([message.attempts for message in taker.got], [0, 0, 1, 0])

    def test_released_it_comes_again_as_it_was(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        self.append("1")
        self.settled(self.engine.settle(taker.got[0], RELEASED))
        self.ask(taker, 1)
        self.assertEqual([(m.body, m.attempts) for m in taker.got], [(b"1", 0), (b"1", 0)])

    def test_many_put_back_together_come_in_their_old_order_before_newer_ones(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 4)
        self.append("1", "2", "3", "4", "5")
        one, two, three, four = taker.got
        self.settled(self.engine.settle(three, ACCEPTED))
        taker.got = []
        self.ask(taker, 3)
        self.settled(self.engine.commit(Batch(settled=[(two, REJECTED), (four, REJECTED), (one, REJECTED)])))
        self.ask(taker, 10)
        self.assertEqual(taker.bodies()[-3:], [b"1", b"2", b"4"])

    def test_put_back_at_different_times_they_are_in_order_still(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 3)
        self.append("1", "2", "3", "4")
        one, two, three = taker.got
        taker.got = []
        for message in (two, three, one):
            self.settled(self.engine.settle(message, REJECTED))
        self.ask(taker, 10)
        self.assertEqual(taker.bodies(), [b"1", b"2", b"3", b"4"])

    # -- batches ------------------------------------------------------------------------------------------

    def test_a_batch_appends_and_settles(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        self.append("1")
        heard: list[bytes] = []
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        batch = Batch(
            appended=[self.message("2"), self.message("t", "/topic/t"), self.message("3")],
            settled=[(taker.got[0], ACCEPTED)],
        )
        self.settled(self.engine.commit(batch))
        self.ask(taker, 10)
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

    # -- bound queues -------------------------------------------------------------------------------------

    def test_a_bound_queue_keeps_what_is_published(self) -> None:
        heard: list[bytes] = []
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        self.settled(self.engine.publish(self.message("0", "/topic/t")))
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.settled(self.engine.bind("/dsub/b", "/topic/t"))
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.assertEqual(self.engine.bindings, {"/dsub/a": "/topic/t", "/dsub/b": "/topic/t"})
        self.settled(self.engine.publish(self.message("1", "/topic/t")))
        batch = Batch([self.message("2", "/topic/t"), self.message("x", "/topic/other")])
        self.settled(self.engine.commit(batch))
        for name in ("/dsub/a", "/dsub/b"):
            taker = Taker(self.engine, name)
            self.ask(taker, 10)
            self.assertEqual(taker.bodies(), [b"1", b"2"])
            self.assertEqual(
                [(m.address, m.destination, m.id) for m in taker.got],
                [(name, "/topic/t", "m-2"), (name, "/topic/t", "m-3")],
            )
        self.assertEqual(heard, [b"0", b"1", b"2"])

    def test_a_queue_is_bound_to_one_topic(self) -> None:
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        with self.assertRaisesRegex(EngineError, "/dsub/a to /topic/t"):
            self.engine.bind("/dsub/a", "/topic/u")

    def test_what_a_queue_is_bound_to_by_name_is_known(self) -> None:
        self.engine.bind("/dsub/1", "/topic/a,/topic/b.>")
        self.engine.bind("/dsub/2", "/topic/a")
        topics = ("/topic/a", "/topic/b.c", "/topic/c")
        self.assertEqual([self.engine.has_bound(topic) for topic in topics], [True, False, False])
        self.engine.unbind("/dsub/1")
        self.assertTrue(self.engine.has_bound("/topic/a"))
        self.engine.unbind("/dsub/2")
        self.assertFalse(self.engine.has_bound("/topic/a"))

    def test_it_is_told_when_a_topic_has_the_first_one_and_none_any_more(self) -> None:
        told: list[bool] = []
        self.engine.has_bound_changed = lambda: told.append(self.engine.has_bound("/topic/a"))
        self.engine.bind("/dsub/1", "/topic/a,/topic/b.>")
        self.assertEqual(told, [True])
        self.engine.bind("/dsub/2", "/topic/a")
        self.engine.bind("/dsub/3", "/topic/b.>")
        self.engine.bind("/dsub/1", "/topic/a,/topic/b.>")
        for queue in ("/dsub/3", "/dsub/1", "/dsub/none"):
            self.engine.unbind(queue)
        self.assertEqual(told, [True])
        self.engine.unbind("/dsub/2")
        self.assertEqual(told, [True, False])

    def test_unbound_it_is_empty_and_gets_no_more(self) -> None:
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.settled(self.engine.publish(self.message("1", "/topic/t")))
        taker = Taker(self.engine, "/dsub/a")
        self.settled(self.engine.publish(self.message("2", "/topic/t")))
        self.ask(taker, 1)
        self.settled(self.engine.unbind("/dsub/a"))
        self.settled(self.engine.unbind("/dsub/a"))
        self.assertEqual(self.engine.bindings, {})
        self.settled(self.engine.settle(taker.got[0], REJECTED))  # it has nowhere to go
        self.settled(self.engine.publish(self.message("3", "/topic/t")))
        taker.claim.stop()
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.settled(self.engine.publish(self.message("4", "/topic/t")))
        again = Taker(self.engine, "/dsub/a", done=True)
        self.ask(again, 10)
        self.assertEqual(again.bodies(), [b"4"])
        self.assertEqual(self.engine.octets, 0)

    # -- selectors ----------------------------------------------------------------------------------------

    def selects(self) -> None:
        """A selector is a text; who has it in their body is wanted."""
        self.engine.select(lambda queue, text: lambda message: text.encode() in message.body)

    def publish(self, *bodies: str) -> None:
        for body in bodies:
            self.settled(self.engine.publish(self.message(body, "/topic/t")))

    def kept(self, queue: str = "/dsub/a") -> list[bytes]:
        return [message.body for page in self.engine.browse(queue) for message in page]

    def test_a_bound_queue_keeps_what_its_selector_wants_and_all_hear_all(self) -> None:
        heard: list[bytes] = []
        self.selects()
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.settled(self.engine.bind("/dsub/b", "/topic/t", ""))
        self.settled(self.engine.bind("/dsub/c", "/topic/t"))
        self.assertEqual(self.engine.selectors, {"/dsub/a": "x", "/dsub/b": ""})
        self.publish("1", "2x")
        self.settled(
            self.engine.commit(Batch([self.message("3", "/topic/t"), self.message("4x", "/topic/t")]))
        )
        self.assertEqual(self.kept(), [b"2x", b"4x"])
        for queue in ("/dsub/b", "/dsub/c"):
            self.assertEqual(self.kept(queue), [b"1", b"2x", b"3", b"4x"])
        self.assertEqual(heard, [b"1", b"2x", b"3", b"4x"])

    def test_what_nobody_wants_is_not_kept_and_heard_in_its_place(self) -> None:
        heard: list[bytes] = []
        self.selects()
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        safe = [self.engine.publish(self.message(body, "/topic/t")) for body in ("1x", "2", "3", "4x", "5")]
        for each in safe:
            self.settled(each)
        self.publish("6")
        self.assertEqual(heard, [b"1x", b"2", b"3", b"4x", b"5", b"6"])
        self.settled(self.engine.unbind("/dsub/a"))
        self.assertEqual((self.engine.octets, self.engine._lanes), (0, {}))

    def test_until_somebody_says_what_selectors_mean_they_keep_all(self) -> None:
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.publish("1")
        self.selects()
        self.publish("2", "3x")
        self.engine.select(lambda queue, text: None)
        self.publish("4")
        self.engine.select(None)
        self.publish("5")
        self.assertEqual(self.kept(), [b"1", b"3x", b"4", b"5"])

    def test_each_selector_is_made_a_test_once_and_empty_ones_never(self) -> None:
        made: list[tuple[str, str]] = []
        self.engine.select(lambda queue, text: made.append((queue, text)))
        self.settled(self.engine.bind("/dsub/a", "/topic/t", ""))
        self.settled(self.engine.bind("/dsub/b", "/topic/t"))
        self.assertEqual(made, [])
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        made.clear()
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.publish("1x", "2x")
        self.assertEqual(made, [])
        self.engine.select(lambda queue, text: made.append((queue, text)))
        self.assertEqual(made, [("/dsub/a", "x")])

    def test_another_selector_touches_nothing_that_waits_and_leaves_it_unsifted(self) -> None:
        self.selects()
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.publish("1x", "2y")
        self.assertEqual(self.engine.unsifted, {})
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "y"))
        self.assertEqual((self.engine.selectors, self.engine.unsifted), ({"/dsub/a": "y"}, {"/dsub/a": None}))
        self.publish("3x", "4y")
        self.assertEqual(self.kept(), [b"1x", b"4y"])
        self.settled(self.engine.sifted("/dsub/a"))
        self.settled(self.engine.sifted("/dsub/a"))
        self.assertEqual(self.engine.unsifted, {})
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "z"))
        self.settled(self.engine.bind("/dsub/a", "/topic/t", ""))
        self.assertEqual(self.engine.unsifted, {}, "it wants all")
        self.publish("5")
        self.assertEqual(self.kept(), [b"1x", b"4y", b"5"])

    def test_the_first_selector_of_one_of_which_nobody_has_said_takes_no_other_s_place(self) -> None:
        self.selects()
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.publish("1")
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.publish("2", "3x")
        self.assertEqual((self.kept(), self.engine.unsifted), ([b"1", b"3x"], {}))

    def test_nothing_is_left_of_the_selector_of_one_that_is_bound_no_more(self) -> None:
        self.selects()
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "y"))
        self.settled(self.engine.unbind("/dsub/a"))
        self.settled(self.engine.sifted("/dsub/a"))
        self.assertEqual((self.engine.selectors, self.engine.unsifted), ({}, {}))
        self.settled(self.engine.bind("/dsub/a", "/topic/t"))
        self.publish("1")
        self.assertEqual(self.kept(), [b"1"])

    def test_there_is_room_for_what_a_full_one_does_not_want(self) -> None:
        self.selects()
        self.engine.limit(lambda queue: (2, 0))
        self.settled(self.engine.bind("/dsub/a", "/topic/t", "x"))
        self.settled(self.engine.bind("/dsub/b", "/topic/t", "y"))
        self.publish("1x", "2x", "3y")
        for message, is_room in (
            (None, False),
            (self.message("x", "/topic/t"), False),
            (self.message("y", "/topic/t"), True),
            (self.message("z", "/topic/t"), True),
        ):
            self.assertEqual(not self.engine.is_full("/topic/t", message), is_room, message)
            if message is not None:
                self.assertEqual(self.engine.room("/topic/t", message) is None, is_room, message)

    def test_a_queue_that_is_shared_may_have_one_too(self) -> None:
        self.selects()
        self.settled(self.engine.bind("/shared/a", "/topic/t", "x"))
        self.publish("1", "2x")
        self.settled(self.engine.bind("/shared/a", "/topic/t", "y"))
        self.assertEqual((self.kept("/shared/a"), self.engine.unsifted), ([b"2x"], {"/shared/a": None}))
        self.settled(self.engine.sifted("/shared/a"))
        self.settled(self.engine.unbind("/shared/a"))
        self.assertEqual((self.engine.selectors, self.engine.unsifted, self.engine.octets), ({}, {}, 0))

    # -- expiry -------------------------------------------------------------------------------------------

    def expire(self, now: int, instead: str | None = None) -> list[bytes]:
        """Sweep; the bodies of what was judged."""
        judged = []

        def judge(message: Message) -> list[Message]:
            judged.append(message.body)
            return [] if instead is None else [self.message(message.body.decode(), instead)]

        self.engine.expire(now, judge)
        self.settled(None)
        return judged

    def test_what_has_expired_is_taken_out_wherever_it_waits(self) -> None:
        for number, expires in enumerate((0, 50, 10, 0, 20, 30)):
            self.settled(self.engine.append(self.message(str(number), expires=expires)))
        self.assertEqual(self.expire(9), [])
        self.assertEqual(self.expire(20), [b"2", b"4"])
        self.assertEqual(self.expire(20), [])
        taker = Taker(self.engine, "/queue/a", done=True)
        self.ask(taker, 2)
        self.assertEqual(self.expire(100), [b"5"])
        self.ask(taker, 10)
        self.assertEqual(taker.bodies(), [b"0", b"1", b"3"])
        self.assertEqual(self.engine.octets, 0)

    def test_very_many_expire_bit_by_bit(self) -> None:
        self.settled(None)
        for number in range(AT_ONCE + 10):
            self.engine.append(self.message(str(number), expires=10))
        self.settled(None)
        judged: list[bytes] = []

        def judge(message: Message) -> list[Message]:
            judged.append(message.body)
            return []

        for _ in range(20):
            there_is_more = self.engine.expire(10, judge)
            self.settled(None)
            if not there_is_more:
                break
            self.assertLess(len(judged), AT_ONCE + 10)
        self.assertEqual(sorted(map(int, judged)), list(range(AT_ONCE + 10)))
        self.assertEqual(self.engine.octets, 0)

    def test_another_message_may_be_put_in_its_place(self) -> None:
        self.settled(self.engine.append(self.message("1", expires=10)))
        self.assertEqual(self.expire(10, instead="/queue/dead"), [b"1"])
        taker = Taker(self.engine, "/queue/dead", done=True)
        self.ask(taker, 1)
        self.assertEqual(taker.bodies(), [b"1"])

    def test_a_queue_may_end_with_what_expires_in_another_of_its_priorities(self) -> None:
        self.settled(self.engine.append(self.message("1", expires=10, priority=7)))
        self.settled(self.engine.append(self.message("2", expires=10)))
        (usual,) = [one for page in self.engine.browse("/queue/a") for one in page if one.body == b"2"]
        self.settled(self.engine.withdraw(usual))
        self.assertEqual(self.expire(10), [b"1"])
        self.assertEqual(list(self.engine.queues()), [])
        self.assertEqual(self.expire(10), [])

    def test_what_is_in_flight_does_not_expire_until_it_is_put_back(self) -> None:
        self.settled(self.engine.append(self.message("1", expires=10)))
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        self.assertEqual(self.expire(10), [])
        self.settled(self.engine.settle(taker.got[0], RELEASED))
        self.assertEqual(self.expire(10), [b"1"])
        self.assertEqual(self.engine.octets, 0)

    # -- messages that come twice -------------------------------------------------------------------------

    def test_a_name_is_taken_once_for_each_address_and_only_for_a_while(self) -> None:
        for body, name, address in (
            ("1", "x", "/queue/a"),
            ("2", "x", "/queue/a"),
            ("3", "y", "/queue/a"),
            ("4", "x", "/queue/b"),
        ):
            self.settled(self.engine.append(self.message(body, address, dedupe=name)))
        self.seconds -= 5000  # the time of day is no business of theirs
        self.clock.advance(EngineLimits().dedupe_window)
        self.settled(self.engine.append(self.message("no", dedupe="x")))
        self.seconds += 10_000
        self.clock.advance(1)
        self.settled(self.engine.append(self.message("5", dedupe="x")))
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 10)
        self.assertEqual(taker.bodies(), [b"1", b"3", b"5"])

    def test_the_same_in_batches_and_on_topics(self) -> None:
        heard: list[bytes] = []
        self.engine.listen("/topic/t", lambda message: heard.append(message.body))
        self.settled(self.engine.publish(self.message("1", "/topic/t", dedupe="x")))
        batch = Batch(
            [
                self.message("2", "/topic/t", dedupe="x"),
                self.message("3", "/topic/t", dedupe="y"),
                self.message("4", "/topic/t", dedupe="y"),
                self.message("5", dedupe="x"),
                self.message("6", dedupe="x"),
            ]
        )
        self.settled(self.engine.commit(batch))
        self.assertEqual(heard, [b"1", b"3"])
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 10)
        self.assertEqual(taker.bodies(), [b"5"])

    def test_it_has_caught_up(self) -> None:
        self.append("1")
        self.assertIsNone(self.engine.caught_up())

    # -- priority -----------------------------------------------------------------------------------------

    def put(self, body: str, address: str = "/queue/a", **keeping: Any) -> Message:
        message = self.message(body, address, **keeping)
        self.settled(self.engine.append(message))
        return message

    def waiting(self, queue: str = "/queue/a", after: int = 0) -> list[bytes]:
        return [message.body for page in self.engine.browse(queue, after) for message in page]

    def test_the_highest_priority_comes_first_and_within_it_the_order_is_kept(self) -> None:
        for body, priority in (("1", 4), ("2", 9), ("3", 0), ("4", 9), ("5", 4)):
            self.put(body, priority=priority)
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 3)
        self.put("6", priority=5)
        self.ask(taker, 10)
        self.assertEqual(taker.bodies(), [b"2", b"4", b"1", b"6", b"5", b"3"])

    def test_a_message_that_comes_back_finds_its_place_in_its_priority(self) -> None:
        self.put("1", priority=9)
        self.put("2", priority=9)
        self.put("3")
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        self.settled(self.engine.settle(taker.got.pop(), REJECTED))
        self.ask(taker, 3)
        self.assertEqual([(one.body, one.attempts) for one in taker.got], [(b"1", 1), (b"2", 0), (b"3", 0)])

    def test_nothing_is_left_of_priorities_that_nobody_uses(self) -> None:
        for priority in range(10):
            self.put(str(priority), priority=priority)
        taker = Taker(self.engine, "/queue/a", done=True)
        self.ask(taker, 10)
        self.assertEqual(taker.bodies(), [b"%d" % priority for priority in range(9, -1, -1)])
        taker.claim.stop()
        self.settled(None)
        self.assertEqual((self.engine.octets, self.engine._lanes), (0, {}))

    def test_priorities_count_in_bound_queues_too(self) -> None:
        self.settled(self.engine.bind("/dsub/d", "/topic/t"))
        for body, priority in (("1", 4), ("2", 9)):
            self.settled(self.engine.publish(self.message(body, "/topic/t", priority=priority)))
        self.assertEqual(self.waiting("/dsub/d"), [b"2", b"1"])
        self.settled(self.engine.unbind("/dsub/d"))
        self.assertEqual((self.waiting("/dsub/d"), self.engine.octets), ([], 0))

    # -- what waits, and out of the middle of it ----------------------------------------------------------

    def test_to_browse_takes_nothing_out(self) -> None:
        self.append("1", "2", "3")
        self.assertEqual(self.waiting(), [b"1", b"2", b"3"])
        self.assertEqual(self.waiting(), [b"1", b"2", b"3"])
        self.assertEqual(self.waiting("/queue/b"), [])
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 2)
        self.assertEqual(self.waiting(), [b"3"])

    def test_browsing_can_go_on_where_it_was(self) -> None:
        self.append("1", "2", "3")
        second = next(self.engine.browse("/queue/a"))[1]
        self.assertEqual(self.waiting(after=second.position), [b"3"])

    def test_pages_are_read_when_they_are_asked_for(self) -> None:
        self.append(*map(str, range(2500)))
        pages = self.engine.browse("/queue/a")
        first = next(pages)
        self.assertLess(len(first), 2500)
        self.put("last")
        rest = [message.body for page in pages for message in page]
        self.assertEqual(len(first) + len(rest), 2501)

    def test_one_can_be_picked_out_of_the_middle_and_the_others_come_in_order(self) -> None:
        for persistent in (False, True):
            queue = f"/queue/{persistent}"
            sent = [self.put(body, queue, persistent=persistent) for body in "12345"]
            taker = Taker(self.engine, queue)
            found = {message.body: message for page in self.engine.browse(queue) for message in page}
            self.assertEqual(len(found), len(sent))
            for body in (b"3", b"5"):
                picked = taker.claim.pick(found[body])
                if picked is None:  # not yet
                    self.settled(None)
                    picked = taker.claim.pick(found[body])
                self.assertTrue(picked)
            self.assertFalse(taker.claim.pick(found[b"3"]))
            self.assertEqual(self.waiting(queue), [b"1", b"2", b"4"])
            self.settled(self.engine.settle(found[b"3"], ACCEPTED))
            self.settled(self.engine.settle(found[b"5"], RELEASED))
            self.ask(taker, 10)
            self.assertEqual(taker.bodies(), [b"1", b"2", b"4", b"5"])
            self.assertFalse(taker.claim.pick(found[b"1"]))

    def test_who_watches_is_told_of_what_nobody_asked_for(self) -> None:
        taker = Taker(self.engine, "/queue/a")
        noticed: list[bytes] = []
        taker.claim.watch(lambda messages: noticed.extend(one.body for one in messages))
        self.put("1")
        self.put("2", persistent=True)
        self.put("3", priority=9)
        self.assertEqual(noticed, [b"1", b"2", b"3"])
        self.ask(taker, 3)
        noticed.clear()
        batch = Batch(settled=[(message, REJECTED) for message in taker.got])
        self.settled(self.engine.commit(batch))
        self.assertEqual(noticed, [b"1", b"2", b"3"])
        noticed.clear()
        taker.claim.watch(None)
        self.put("4")
        self.assertEqual(noticed, [])

    def test_one_that_waits_can_be_withdrawn_for_good(self) -> None:
        for persistent in (False, True):
            queue = f"/queue/{persistent}"
            self.put("1", queue, persistent=persistent)
            middle = self.put("2", queue, persistent=persistent)
            self.put("3", queue, persistent=persistent)
            self.settled(self.engine.withdraw(middle))
            self.settled(self.engine.withdraw(middle))
            taker = Taker(self.engine, queue, done=True)
            self.ask(taker, 3)
            self.assertEqual(taker.bodies(), [b"1", b"3"])
        self.assertEqual(self.engine.octets, 0)

    def test_those_withdrawn_go_with_the_batch_and_those_that_wait_no_more_are_passed_over(self) -> None:
        first, middle = self.put("1"), self.put("2", priority=9)
        self.put("3")
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        self.assertEqual(taker.bodies(), [b"2"])
        batch = Batch([self.message("4", "/queue/b")], withdrawn=[first, middle])
        self.settled(self.engine.commit(batch))
        self.assertEqual((self.waiting("/queue/a"), self.waiting("/queue/b")), ([b"3"], [b"4"]))
        self.settled(self.engine.settle(taker.got[0], RELEASED))
        self.assertEqual(self.waiting("/queue/a"), [b"2", b"3"])

    def test_a_queue_is_emptied_before_anything_is_appended(self) -> None:
        for persistent in (False, True):
            self.put("1", persistent=persistent)
            self.put("2", persistent=persistent, priority=9)
            self.put("3", persistent=not persistent, expires=int(1000 * self.now()) + 5000)
            self.put("other", "/queue/b", persistent=persistent)
            appended = [
                self.message("4", persistent=persistent),
                self.message("5", persistent=not persistent),
            ]
            self.settled(self.engine.commit(Batch(appended, emptied=["/queue/a", "/queue/none"])))
            self.assertEqual(sorted(self.waiting("/queue/a")), [b"4", b"5"])
            self.assertEqual(self.engine.depth("/queue/a")[0], 2)
            self.assertEqual(self.waiting("/queue/b"), [b"other"])
            self.settled(self.engine.commit(Batch(emptied=["/queue/a", "/queue/b"])))
            self.settled(None)
            self.assertEqual(self.engine.queues(), [])
            self.assertEqual(self.engine.octets, 0)
            self.engine.expire(int(1000 * self.now()) + 10_000, lambda message: [])
            self.assertEqual(self.engine.queues(), [])

    def test_the_depth_is_what_waits(self) -> None:
        self.assertEqual(self.engine.depth("/queue/a"), (0, 0))
        sizes = [self.put("1").size, self.put("2", priority=9).size]
        self.assertEqual(self.engine.depth("/queue/a"), (2, sum(sizes)))
        taker = Taker(self.engine, "/queue/a")
        self.ask(taker, 1)
        self.assertEqual(self.engine.depth("/queue/a"), (1, sizes[0]))

    # -- limits of one queue ------------------------------------------------------------------------------

    def test_a_queue_may_have_limits_of_its_own(self) -> None:
        self.engine.limit(lambda queue: (10, 0) if queue == "/queue/a" else (0, 0))
        self.append(*map(str, range(9)))
        self.assertIsNone(self.engine.room("/queue/a", self.message("x")))
        self.append("9")
        self.assertIsNone(self.engine.room("/queue/b", self.message("x")))
        room = self.engine.room("/queue/a", self.message("x"))
        assert room is not None
        taker = Taker(self.engine, "/queue/a", done=True)
        self.ask(taker, 1)
        self.assertFalse(room.called)
        self.ask(taker, 1)
        self.assertTrue(room.called)
        self.engine.limit(lambda queue: (2, 0))
        waits = self.engine.room("/queue/a", self.message("x"))
        assert waits is not None
        self.engine.limit(None)
        self.assertTrue(waits.called)
        self.assertIsNone(self.engine.room("/queue/a", self.message("x")))

    # -- last values --------------------------------------------------------------------------------------

    def test_a_last_value_takes_the_place_of_the_one_before(self) -> None:
        for persistent in (False, True):
            queue = f"/queue/{persistent}"
            for body, key in (("1", "x"), ("2", "y"), ("3", "x"), ("4", "x")):
                self.put(body, queue, persistent=persistent, last_value=key)
            self.put("5", queue, persistent=persistent)
            self.assertEqual(self.waiting(queue), [b"2", b"4", b"5"])
            taker = Taker(self.engine, queue)
            self.ask(taker, 2)
            self.put("6", queue, persistent=persistent, last_value="x")
            self.put("7", queue, persistent=persistent, last_value="x")
            self.assertEqual(self.waiting(queue), [b"5", b"7"])
            self.settled(self.engine.commit(Batch(settled=[(one, ACCEPTED) for one in taker.got])))
            taker.done = True
            self.ask(taker, 5)
            self.assertEqual(taker.bodies(), [b"2", b"4", b"5", b"7"])
        self.assertEqual(self.engine.octets, 0)
