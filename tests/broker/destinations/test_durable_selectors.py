"""Selectors of durable subscriptions count while nobody is there, and can be changed."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import selector_changes
from stomp_tx.broker.events import Dropped, SelectorChanged
from stomp_tx.broker.policy import Policy
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.sqlite import lane as stored
from stomp_tx.engine.sqlite import row_reads
from stomp_tx.message import Message
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import BrokerOnFile, InMemory, OnFile
from tests.conversation import Client

TOPIC = "/topic/t"
RED, BLUE, GREEN = "colour = 'red'", "colour = 'blue'", "colour = 'green'"


class Conversations(InMemory, SynchronousTestCase):
    """A topic of coloured messages, and a durable subscription ``d`` to it."""

    persistent = "false"

    def setUp(self) -> None:
        self.begin()

    def begin(self, **settings: Any) -> None:
        self.goes_on_with(self.make_broker(**settings))

    def goes_on_with(self, broker: Any) -> None:
        self.broker = broker
        self.ann = self.broker.connect()
        self.changes: list[SelectorChanged] = []
        self.broker.factory.events.observe(SelectorChanged, self.changes.append)

    def publish(self, *messages: str, topic: str = TOPIC, **headers: str) -> None:
        """Each is its body, which ends with its colour: "1 red"."""
        for body in messages:
            colour = body.split()[-1]
            send(self.ann, topic, body, colour=colour, **{"persistent": self.persistent, **headers})

    def bob(self, selector: str | None = None, topic: str = TOPIC, id: str = "1", **headers: str) -> Client:
        """A new connection that has subscribed."""
        client: Client = self.broker.connect()
        self.subscribes(client, selector, topic, id, **headers)
        self.assertEqual(client.hears("RECEIPT").headers["receipt-id"], "s")
        return client

    def subscribes(
        self, client: Client, selector: str | None = None, topic: str = TOPIC, id: str = "1", **headers: str
    ) -> None:
        if selector is not None:
            headers["selector"] = selector
        client.subscribes(topic, id=id, durable_subscription="d", receipt="s", **headers)

    def leaves(self, client: Client) -> None:
        client.hangs_up()
        self.passes()

    def sets(self, selector: str | None = None, **headers: str) -> None:
        """Somebody subscribes with it, takes nothing, and leaves."""
        self.leaves(self.bob(selector, ack="client", **headers))

    def passes(self, turns: int = 30) -> None:
        """Turns enough for what is done bit by bit."""
        for _ in range(turns):
            self.broker.clock.advance(0)

    @property
    def queue(self) -> str:
        (queue,) = self.broker.engine.bindings
        return str(queue)

    def waiting(self) -> list[bytes]:
        self.passes()
        return [message.body for page in self.broker.engine.browse(self.queue) for message in page]

    def told(self) -> list[tuple[str, int]]:
        """Of each change the selector, and how many messages were dropped."""
        return [(one.selector, one.dropped) for one in self.changes]


class AwayTests(Conversations):
    """What is published and does not match is not kept."""

    def test_it_counts_while_nobody_is_there(self) -> None:
        self.sets(RED)
        self.publish("1 red", "2 blue", "3 red")
        self.assertEqual(self.waiting(), [b"1 red", b"3 red"])
        self.assertEqual(self.bob(RED).hears_bodies(), [b"1 red", b"3 red"])

    def test_it_counts_while_somebody_is(self) -> None:
        bob = self.bob(RED)
        self.publish("1 red", "2 blue", "3 red")
        self.assertEqual(bob.hears_bodies(), [b"1 red", b"3 red"])
        self.assertEqual((self.waiting(), self.broker.engine.octets), ([], 0))

    def test_producers_do_not_stand_still_over_what_nobody_wants(self) -> None:
        self.begin(patterns={TOPIC: Policy(length=10)})
        self.sets(RED)
        for number in range(50):
            self.publish(f"{number} blue")
            self.passes(3)
            self.assertEqual(self.ann.transport.producerState, "producing", number)
        for number in range(10):
            self.publish(f"{number} red")
            self.passes(3)
        self.publish("waits red", "is not read")
        self.assertEqual(self.ann.transport.producerState, "paused")
        self.assertEqual(len(self.bob(RED).hears_bodies()), 11)
        self.assertEqual(self.ann.transport.producerState, "producing")

    def test_producers_do_not_stand_still_over_what_a_full_one_does_not_want(self) -> None:
        self.begin(patterns={TOPIC: Policy(length=10)})
        self.sets(RED)
        eve = self.broker.connect(client_id="eve")
        self.subscribes(eve, BLUE)
        self.leaves(eve)
        for number in range(10):
            self.publish(f"{number} red")
        self.passes()
        self.publish("waits red", "is not read")
        self.assertEqual(self.ann.transport.producerState, "paused")
        for headers in ({}, {"transaction": "t"}, {"message_dedupe_id": "x"}):
            self.ann = self.broker.connect()
            if headers.get("transaction"):
                self.ann.says("BEGIN", transaction="t")
            self.publish("1 blue", "2 green", **headers)
            if headers.get("transaction"):
                self.ann.says("COMMIT", transaction="t")
            self.passes()
            self.assertEqual(self.ann.transport.producerState, "producing", headers)
        self.publish("3 blue", topic=f"/topic/other,{TOPIC}")
        self.passes()
        self.assertEqual(self.ann.transport.producerState, "producing")

    def test_who_has_a_full_one_may_send_what_it_does_not_want(self) -> None:
        self.begin(patterns={TOPIC: Policy(length=5)})
        self.subscribes(self.ann, RED, ack="client-individual", prefetch_count="1")
        self.ann.hears("RECEIPT")
        for number in range(6):
            self.publish(f"{number} red")
            self.passes(3)
        self.ann.hears("MESSAGE")
        for headers in ({}, {"transaction": "t"}):
            if headers:
                self.ann.says("BEGIN", transaction="t")
            self.publish("1 blue", "2 blue", **headers)
            if headers:
                self.ann.says("COMMIT", transaction="t")
            self.assertTrue(self.ann.hears_nothing())
        self.publish("7 red")
        self.ann.fails("queue full")

    def test_several_connections_with_the_same_one_share_it(self) -> None:
        bob, cat = self.bob(RED), self.bob(f" {RED} ")
        self.publish("1 red", "2 blue", "3 red")
        self.assertEqual(bob.hears_bodies() + cat.hears_bodies(), [b"1 red", b"3 red"])
        self.assertEqual(self.told(), [])

    def test_each_subscription_has_its_own(self) -> None:
        for name, selector in (("r", RED), ("b", BLUE), ("a", None)):
            client = self.broker.connect(client_id="x")
            headers = {} if selector is None else {"selector": selector}
            client.says(
                "SUBSCRIBE", {"id": name, "destination": TOPIC, "durable-subscription": name, **headers}
            )
            self.leaves(client)
        self.publish("1 red", "2 blue", "3 green")
        self.passes()
        found = {
            queue[-1]: [message.body for page in self.broker.engine.browse(queue) for message in page]
            for queue in self.broker.engine.bindings
        }
        self.assertEqual(found, {"r": [b"1 red"], "b": [b"2 blue"], "a": [b"1 red", b"2 blue", b"3 green"]})

    def test_so_it_is_in_each_dialect(self) -> None:
        for connect, named in (
            ({}, {"durable-subscription": "d"}),
            ({"client-id": "bob"}, {"durable-subscription-name": "d"}),
            ({"client-id": "bob"}, {"activemq.subscriptionName": "d"}),
            ({}, {"durable": "true", "auto-delete": "false"}),
        ):
            self.begin()
            bob = self.broker.connect(**connect)
            headers = {"id": "1", "destination": TOPIC, "selector": RED, **named}
            bob.says("SUBSCRIBE", headers)
            self.leaves(bob)
            self.publish("1 red", "2 blue")
            self.assertEqual(self.waiting(), [b"1 red"])
            bob = self.broker.connect(**connect)
            bob.says("SUBSCRIBE", headers)
            self.assertEqual(bob.hears_bodies(), [b"1 red"])

    def test_it_counts_whichever_way_a_message_comes(self) -> None:
        self.sets(RED)
        self.ann.says("BEGIN", transaction="x")
        self.publish("1 red", "2 blue", transaction="x")
        self.ann.says("COMMIT", transaction="x")
        self.assertEqual(self.waiting(), [b"1 red"])
        self.publish("3 red", "4 blue", topic=f"/queue/a,{TOPIC},/topic/other")
        self.publish("5 red", "6 blue", retain="set")
        self.publish("7 red", "8 blue", JMSXGroupID="g", priority="9")
        self.publish("9 red", "10 blue", message_dedupe_id="n")
        self.publish("11 blue", "12 red", message_dedupe_id="m")
        self.assertEqual(self.waiting(), [b"7 red", b"1 red", b"3 red", b"5 red", b"9 red"])
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], 2)

    def test_it_counts_when_a_delayed_message_is_due(self) -> None:
        self.broker.factory.doStart()
        self.addCleanup(self.broker.factory.doStop)
        self.sets(RED)
        self.publish("1 red", "2 blue", delay="1000")
        self.assertEqual(self.waiting(), [])
        self.broker.clock.pump([0.5] * 4)
        self.assertEqual(self.waiting(), [b"1 red"])

    def test_it_counts_for_patterns_and_several_topics(self) -> None:
        self.sets(RED, topic="/topic/a.*,/topic/b")
        for topic in ("/topic/a.x", "/topic/b", "/topic/c", "/topic/a.x,/topic/b"):
            self.publish(f"{topic} red", f"{topic} blue", topic=topic)
        both = b"/topic/a.x,/topic/b red"
        self.assertEqual(self.waiting(), [b"/topic/a.x red", b"/topic/b red", both, both])

    def test_retained_messages_are_for_listeners_alone(self) -> None:
        self.begin(patterns={TOPIC: Policy(retain=3)})
        self.publish("1 red", "2 blue")
        bob = self.bob(RED)
        self.assertTrue(bob.hears_nothing())
        self.publish("3 red", "4 blue")
        self.assertEqual(bob.hears_bodies(), [b"3 red"])
        bob.subscribes(TOPIC, id="listener")
        self.assertEqual(bob.hears_bodies(), [b"2 blue", b"3 red", b"4 blue"])

    def test_groups_and_refusals_within_it(self) -> None:
        bob, cat = (self.bob(RED, ack="client-individual") for _ in range(2))
        self.publish("1 red", "2 blue", "3 red", JMSXGroupID="g")
        first, third = bob.everything()
        self.assertEqual((first.body, third.body), (b"1 red", b"3 red"))
        self.assertTrue(cat.hears_nothing())
        bob.nacks(first)
        self.leaves(bob)
        self.broker.clock.advance(1)
        self.assertEqual(cat.hears_bodies(), [b"1 red", b"3 red"])

    def test_what_its_own_connection_sends_is_not_kept_with_no_local(self) -> None:
        for selector in (RED, None):
            self.begin()
            bob = self.bob(selector, no_local="true")
            send(bob, TOPIC, "1 red", colour="red", persistent=self.persistent)
            self.publish("2 red")
            self.assertEqual(bob.hears_bodies(), [b"2 red"])
            self.assertEqual(self.waiting(), [])

    def test_with_no_local_nothing_else_is_dropped(self) -> None:
        self.sets()
        self.publish("1 red", "2 blue")
        bob = self.bob(no_local="true", id="1")
        self.assertEqual(len(bob.hears_bodies()), 2)
        self.leaves(bob)
        self.begin()
        bob, cat = self.bob(no_local="true"), self.bob()
        for number in range(4):
            send(bob, TOPIC, str(number), persistent=self.persistent)
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(len(cat.hears_bodies()), 4, "one connection wants them")

    def test_it_is_malformed_before_anything_is_made(self) -> None:
        cat = self.broker.connect()
        self.subscribes(cat, "colour ==")
        cat.fails("malformed selector")
        self.assertEqual((self.broker.engine.bindings, self.broker.engine.selectors), ({}, {}))


class ChangeTests(Conversations):
    """SUBSCRIBE with another selector."""

    def test_what_no_longer_matches_is_dropped_and_nothing_else(self) -> None:
        self.sets(f"{RED} OR {BLUE}")
        self.publish("1 red", "2 blue", "3 red", "4 green")
        bob = self.bob(RED, ack="client")
        self.assertEqual(bob.hears_bodies(), [b"1 red", b"3 red"])
        self.leaves(bob)
        self.assertEqual(self.waiting(), [b"1 red", b"3 red"])
        self.publish("5 red", "6 blue")
        self.assertEqual(self.waiting(), [b"1 red", b"3 red", b"5 red"])

    def test_an_event_and_a_line_in_the_log_say_how_many(self) -> None:
        lines: list[Any] = []
        log = Logger(namespace="test", observer=lines.append)
        self.begin(factory={"log": log})
        dropped: list[Dropped] = []
        self.broker.factory.events.observe(Dropped, dropped.append)
        self.sets()
        self.publish("1 red", "2 blue", "3 blue")
        bob = self.bob(RED)
        self.passes()
        (change,) = self.changes
        session = bob.broker.factory.sessions
        self.assertIn(change.session, [one.id for one in session])
        self.assertEqual(
            (change.user, change.subscription, change.destination, change.selector, change.dropped),
            ("anonymous", "d", TOPIC, RED, 2),
        )
        self.assertEqual([one.message.body for one in dropped], [b"2 blue", b"3 blue"])
        text = [formatEvent(line) for line in lines if "dropped" in line]
        self.assertEqual(
            text,
            [
                f'{change.session} anonymous\'s durable subscription d to {TOPIC} keeps "{RED}":'
                " 2 messages that no longer match are dropped"
            ],
        )

    def test_a_line_can_t_be_made_two(self) -> None:
        lines: list[Any] = []
        self.begin(factory={"log": Logger(namespace="test", observer=lines.append)})
        for selector in (RED, "x = '\u2028\x1b'"):
            client = self.broker.connect(client_id="\u2028")
            client.subscribes(TOPIC, durable_subscription="d\x1b", selector=selector)
            self.leaves(client)
        (line,) = [formatEvent(line) for line in lines if "dropped" in line]
        self.assertTrue(line.isprintable(), ascii(line))
        self.assertIn(r"d\x1b of \u2028", line)

    def test_it_is_refused_while_somebody_consumes(self) -> None:
        for has, wants, said in (
            (RED, BLUE, b"its selector is \"colour = 'red'\""),
            (RED, None, b"its selector is \"colour = 'red'\""),
            (None, BLUE, b"it has no selector"),
        ):
            self.begin()
            bob = self.bob(has)
            cat = self.broker.connect()
            self.subscribes(cat, wants)
            error = cat.fails("durable subscription in use")
            self.assertEqual(error.headers["receipt-id"], "s")
            self.assertIn(said, error.body)
            self.publish("1 red")
            self.assertEqual(bob.hears_bodies(), [b"1 red"])
            self.assertEqual(self.told(), [])
            bob.says("UNSUBSCRIBE", id="1")
            self.subscribes(bob, wants, id="2")
            bob.hears("RECEIPT")

    def test_without_a_selector_it_keeps_all_from_then_on_and_drops_nothing(self) -> None:
        self.sets(RED)
        self.publish("1 red", "2 blue")
        self.sets()
        self.publish("3 blue")
        self.assertEqual(self.waiting(), [b"1 red", b"3 blue"])
        self.assertEqual(self.told(), [("", 0)])
        self.sets(BLUE)
        self.assertEqual(self.waiting(), [b"3 blue"])
        self.assertEqual(self.told()[1:], [(BLUE, 1)])

    def test_the_same_one_again_changes_nothing(self) -> None:
        self.sets(RED)
        self.publish("1 red")
        for selector in (RED, f"  {RED}\t"):
            self.sets(selector)
        self.assertEqual((self.waiting(), self.told()), ([b"1 red"], []))

    def test_messages_of_each_priority_are_looked_at(self) -> None:
        self.sets()
        for priority in ("0", "4", "9"):
            self.publish(f"{priority} red", f"{priority} blue", priority=priority)
        self.sets(RED)
        self.assertEqual(self.waiting(), [b"9 red", b"4 red", b"0 red"])
        self.assertEqual(self.told(), [(RED, 3)])

    def test_what_somebody_held_is_looked_at_when_it_is_back(self) -> None:
        self.begin(redelivery_delay=5.0)
        bob = self.bob(ack="client-individual")
        self.publish("1 red", "2 blue", "3 red", "4 blue")
        one, two, _, _ = bob.everything()
        bob.nacks(one)
        bob.nacks(two)
        self.leaves(bob)
        cat = self.bob(RED)
        self.passes()
        self.assertEqual(self.told(), [(RED, 2)])
        self.broker.clock.advance(6)
        self.assertEqual(sorted(cat.hears_bodies()), [b"1 red", b"3 red"])
        self.assertEqual(self.broker.engine.octets, 0)

    def test_what_a_transaction_gives_back_later_is_not_delivered(self) -> None:
        bob = self.bob(ack="client-individual")
        self.publish("1 red", "2 blue")
        bob.says("BEGIN", transaction="x")
        for message in bob.everything():
            bob.acks(message, transaction="x")
        bob.says("UNSUBSCRIBE", id="1")
        cat = self.bob(RED)
        self.passes()
        bob.says("ABORT", transaction="x")
        self.assertEqual(cat.hears_bodies(), [b"1 red"])
        self.leaves(cat)
        self.sets(f"{RED} OR {GREEN}")
        self.assertEqual(self.waiting(), [])
        self.assertEqual(self.told(), [(RED, 0), (f"{RED} OR {GREEN}", 1)])

    def test_many_are_looked_through_bit_by_bit(self) -> None:
        self.patch(selector_changes, "AT_ONCE", 10)
        self.begin(upkeep=True)
        self.sets()
        self.publish(*[f"{number} {('red', 'blue')[number % 2]}" for number in range(200)])
        self.passes()
        turns = 0
        look = self.broker.factory.broker.durable_selectors._selector_changes._look

        def counting(sifting: Any) -> bool:
            nonlocal turns
            turns += 1
            self.publish(f"new {turns} red", f"new {turns} blue")
            return bool(look(sifting))

        self.broker.factory.broker.durable_selectors._selector_changes._look = counting
        bob = self.bob(RED, prefetch_count="1", ack="client-individual")
        self.assertTrue(bob.everything())
        self.passes(100)
        self.assertGreater(turns, 10)
        self.leaves(bob)
        self.assertEqual(self.told(), [(RED, 100)])
        waiting = self.waiting()
        self.assertEqual(len(waiting), 100 + turns)
        self.assertTrue(all(body.endswith(b"red") for body in waiting))
        self.assertEqual(self.broker.engine.unsifted, {})

    def test_many_subscriptions_take_turns(self) -> None:
        self.patch(selector_changes, "AT_ONCE", 10)
        for client_id in "xy":
            client = self.broker.connect(client_id=client_id)
            self.subscribes(client)
            self.leaves(client)
        self.publish(*["blue"] * 100)
        self.passes()
        looked: list[str] = []
        look = self.broker.factory.broker.durable_selectors._selector_changes._look

        def looking(sifting: Any) -> bool:
            looked.append(sifting.queue)
            before = self.depths()
            more = look(sifting)
            self.assertLessEqual(before - self.depths(), 10, "in one turn")
            return bool(more)

        self.broker.factory.broker.durable_selectors._selector_changes._look = looking
        self.broker.factory.broker.durable_selectors.stop()
        for client_id in "xy":
            client = self.broker.connect(client_id=client_id)
            self.subscribes(client, RED)
            client.hears("RECEIPT")
        self.broker.factory.broker.durable_selectors.start()
        self.passes()
        self.assertEqual(looked[0::2], looked[0:1] * 11)
        self.assertEqual(looked[1::2], looked[1:2] * 11)
        self.assertEqual(self.told(), [(RED, 100), (RED, 100)])

    def test_what_could_not_be_looked_at_is_looked_at_later_and_told_once(self) -> None:
        self.sets()
        self.publish("1 red", "2 blue")
        self.passes()
        keeper = self.broker.factory.broker.durable_selectors
        look = keeper._selector_changes._look

        def failing(sifting: Any) -> bool:
            raise RuntimeError("no")

        keeper._selector_changes._look = failing
        self.sets(RED)
        for _ in range(3):
            keeper.sweep()
            self.passes()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.told(), [])
        keeper._selector_changes._look = look
        keeper.sweep()
        self.assertEqual((self.waiting(), self.told()), ([b"1 red"], [(RED, 1)]))

    def depths(self) -> int:
        """How many messages wait, of all."""
        return sum(self.broker.engine.depth(queue)[0] for queue in self.broker.engine.bindings)

    def half_done(self) -> None:
        """A change to RED that has looked at 100 of 200 blue ones."""
        self.patch(selector_changes, "AT_ONCE", 10)
        self.sets()
        self.publish(*["blue"] * 200)
        self.passes()
        keeper = self.broker.factory.broker.durable_selectors
        look, looks = keeper._selector_changes._look, []

        def looking(sifting: Any) -> bool:
            looks.append(sifting)
            if len(looks) == 10:
                keeper.stop()
            return bool(look(sifting))

        keeper._selector_changes._look = looking
        self.sets(RED)
        keeper._selector_changes._look = look
        self.assertEqual(self.depths(), 100)

    def goes_on(self) -> None:
        self.broker.factory.broker.durable_selectors.start()
        self.passes()

    def test_it_may_become_another_one_meanwhile(self) -> None:
        self.half_done()
        self.sets(GREEN)
        self.goes_on()
        self.assertEqual(self.told(), [(RED, 100), (GREEN, 100)])
        self.assertEqual(self.broker.engine.unsifted, {})

    def test_it_may_become_none_meanwhile(self) -> None:
        self.half_done()
        self.sets()
        self.goes_on()
        self.assertEqual(self.told(), [(RED, 100), ("", 0)])
        self.assertEqual(self.depths(), 100)

    def test_it_may_end_meanwhile(self) -> None:
        self.half_done()
        bob = self.broker.connect()
        bob.says("UNSUBSCRIBE", durable_subscription="d", receipt="r")
        bob.hears("RECEIPT")
        self.sets()
        self.publish("blue")
        self.goes_on()
        self.assertEqual(self.waiting(), [b"blue"])

    def test_who_comes_meanwhile_gets_what_matches_and_nothing_else(self) -> None:
        self.half_done()
        self.publish("1 red", "2 blue")
        self.assertEqual(self.bob(RED).hears_bodies(), [b"1 red"])
        self.goes_on()
        self.assertEqual((self.told(), self.depths()), ([(RED, 200)], 0))

    def test_ended_it_leaves_no_selector(self) -> None:
        bob = self.bob(RED)
        bob.says("UNSUBSCRIBE", durable_subscription="d", id="1", receipt="r")
        bob.hears("RECEIPT")
        self.sets()
        self.publish("1 blue")
        self.assertEqual((self.waiting(), self.told()), ([b"1 blue"], []))

    def test_a_broker_that_stops_looks_at_no_more(self) -> None:
        self.broker.factory.doStart()
        self.sets()
        self.publish("1 blue")
        self.passes()
        self.broker.factory.doStop()
        self.sets(RED)
        self.assertEqual(self.depths(), 1)
        self.broker.factory.doStart()
        self.addCleanup(self.broker.factory.doStop)
        self.passes()
        self.assertEqual(self.depths(), 0)


class BoundsTests(Conversations):
    """What a client can make grow."""

    def test_selectors_of_all_together_are_bounded_in_characters(self) -> None:
        self.begin(durable_selectors=2 * len(RED))
        for name in "ab":
            client = self.broker.connect(client_id=name)
            self.subscribes(client, RED)
            client.hears("RECEIPT")
        cat = self.broker.connect(client_id="c")
        self.subscribes(cat, RED)
        self.assertIn(b"28 characters", cat.fails("too many selectors").body)
        self.assertEqual(len(self.broker.engine.bindings), 2)
        self.bob(client_id="c").hangs_up()  # without one
        self.subscribes(client, RED, id="2")  # it has it already
        client.fails("durable subscription in use")
        again = self.broker.connect(client_id="b")
        again.says("UNSUBSCRIBE", durable_subscription="d", receipt="r")
        again.hears("RECEIPT")
        cat = self.broker.connect(client_id="c")
        self.subscribes(cat, RED)
        cat.hears("RECEIPT")

    def test_one_that_is_replaced_no_longer_counts(self) -> None:
        self.begin(durable_selectors=len(GREEN) + 5)
        for selector in (RED, BLUE, GREEN, RED, None, GREEN):
            self.sets(selector)
        cat = self.broker.connect(client_id="c")
        self.subscribes(cat, "a = 12")
        cat.fails("too many selectors")
        self.sets(RED)
        cat = self.broker.connect(client_id="c")
        self.subscribes(cat, "a = 12")
        cat.hears("RECEIPT")

    def test_one_is_bounded_in_length(self) -> None:
        self.begin(selector_length=10)
        cat = self.broker.connect()
        self.subscribes(cat, RED)
        self.assertIn(b"10 characters", cat.fails("malformed selector").body)
        self.assertEqual(self.broker.engine.bindings, {})


class AwayOnFileTests(OnFile, AwayTests):
    persistent = "true"


class ChangeOnFileTests(OnFile, ChangeTests):
    persistent = "true"


class NotPersistentOnFileTests(OnFile, ChangeTests):
    """Messages that are in memory alone, of a subscription that is in the file."""


class ShortWindowTests(OnFile, ChangeTests):
    """The same where most is in the file alone."""

    persistent = "true"

    def make_broker(self, **settings: Any) -> BrokerOnFile:
        for name, value in (("PAGE", 8), ("LOW", 2)):
            self.patch(stored, name, value)
        self.patch(row_reads, "PAGE", 8)
        return super().make_broker(limits=EngineLimits(window_length=5), **settings)


class TurnTests(SynchronousTestCase):
    def test_long_headers_count_as_many_messages(self) -> None:
        """A selector may take long over them: it is others' turn sooner."""
        short = Message("1", "/queue/a", "/queue/a", {}, b"x" * 100_000, 100_100)
        long = Message("2", "/queue/a", "/queue/a", {"a": "a" * 65_000}, b"", 65_050)
        self.assertEqual(short.looks, 1)
        self.assertGreater(long.looks, selector_changes.AT_ONCE)
