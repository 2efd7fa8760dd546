"""Selectors of durable subscriptions outlive the broker, however it ends."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

from twisted.logger import formatEvent, globalLogPublisher

from stomp_tx.broker.destinations import durable_selectors, selector_changes
from stomp_tx.engine.sqlite import file
from stomp_tx.errors import ConfigurationError
from tests.broker.destinations.test_destination import send
from tests.broker.destinations.test_durable_selectors import BLUE, GREEN, RED, TOPIC, Conversations
from tests.broker.on_file import BrokerOnFile, OnFile

VERSION_1 = Path(__file__).parents[2] / "engine/sqlite/files/version-1.sqlite"


class RestartTests(OnFile, Conversations):
    """Selectors outlive the broker."""

    persistent = "true"

    def restarts(self, **settings: Any) -> None:
        self.goes_on_with(self.restart(self.broker, **settings))

    def upgraded(self) -> None:
        """A broker on a file of version 1, in which nobody's durable subscription "d" has four messages."""
        path = self.mktemp()
        shutil.copy(VERSION_1, path)
        broker = BrokerOnFile(path)
        self.addCleanup(broker.dies)
        self.goes_on_with(broker)

    def waiting_for_d(self) -> list[bytes]:
        self.passes()
        return [message.body for page in self.broker.engine.browse("/dsub/of//d") for message in page]

    def test_it_counts_after_a_kill(self) -> None:
        self.sets(RED)
        self.restarts()
        self.publish("1 red", "2 blue")
        self.assertEqual(self.waiting(), [b"1 red"])
        self.assertEqual(self.bob(RED).hears_bodies(), [b"1 red"])
        self.assertEqual(self.told(), [])

    def test_that_there_is_none_counts_after_a_kill_too(self) -> None:
        self.sets()
        self.publish("1 red", "2 blue")
        self.passes()
        self.restarts()
        self.sets(RED)
        self.assertEqual((self.waiting(), self.told()), ([b"1 red"], [(RED, 1)]))

    def test_its_receipt_means_that_it_is_on_the_disk_and_comes_before_messages(self) -> None:
        self.sets()
        self.publish("1 red", "2 blue")
        self.passes()
        self.broker.disk.held = True
        bob = self.broker.connect()
        self.subscribes(bob, RED)
        self.assertTrue(bob.hears_nothing())
        self.publish("3 red", "4 blue")
        self.assertTrue(bob.hears_nothing())
        self.broker.disk.goes_on()
        bob.hears("RECEIPT")
        self.assertEqual(bob.hears_bodies(), [b"1 red", b"3 red"])
        self.restarts()
        self.sets(RED)
        self.assertEqual(self.told(), [])

    def test_who_leaves_before_that_leaves_nothing_behind(self) -> None:
        self.sets()
        self.publish("1 red", "2 blue")
        self.passes()
        for leave in ("hangs_up", "UNSUBSCRIBE"):
            self.broker.disk.held = True
            bob = self.broker.connect()
            self.subscribes(bob, RED)
            if leave == "hangs_up":
                bob.hangs_up()
            else:
                bob.says("UNSUBSCRIBE", id="1")
            self.broker.disk.goes_on()
            self.passes()
            self.assertEqual(self.waiting(), [b"1 red"])
            self.sets()

    def test_one_that_changes_can_t_change_once_more_before_that_is_safe(self) -> None:
        for before in (RED, None):  # None: there is none of this name
            self.begin()
            if before:
                self.sets(before)
            self.broker.disk.held = True
            bob = self.broker.connect()
            self.subscribes(bob, BLUE)
            bob.hangs_up()
            cat = self.broker.connect()
            self.subscribes(cat, GREEN)
            error = cat.fails("durable subscription in use")
            self.assertIn(b"SUBSCRIBE again", error.body)
            same = self.broker.connect()
            self.subscribes(same, BLUE, ack="client")
            self.broker.disk.goes_on()
            same.hears("RECEIPT")
            self.leaves(same)
            self.sets(GREEN)
            self.assertEqual(self.broker.engine.selectors[self.queue], GREEN)

    def test_ended_while_it_changes_it_may_begin_with_another_one(self) -> None:
        self.sets(RED)
        self.broker.disk.held = True
        bob = self.broker.connect()
        self.subscribes(bob, BLUE)
        bob.says("UNSUBSCRIBE", id="1", durable_subscription="d")
        self.subscribes(bob, GREEN, id="2")
        self.broker.disk.goes_on()
        self.publish("1 green", "2 blue")
        self.passes()
        self.assertEqual(self.broker.engine.selectors, {self.queue: GREEN})
        self.leaves(bob)
        self.sets(RED)
        self.restarts()
        self.assertEqual(self.broker.engine.selectors, {self.queue: RED})

    def test_a_change_that_could_not_be_written_is_none(self) -> None:
        self.sets(RED)
        self.publish("1 red")
        self.passes()
        for selector in (BLUE, None):
            self.broker.disk.full = True
            bob = self.broker.connect()
            self.subscribes(bob, selector)
            self.publish("2 red", "3 blue", persistent="false")
            self.assertEqual(bob.fails("disk is full").headers["receipt-id"], "s")
            bob.hangs_up()
            self.broker.disk.full = False
            cat = self.bob(RED, ack="client")
            self.assertEqual(cat.hears_bodies(), [b"1 red", b"2 red"])
            self.leaves(cat)
            self.assertEqual(self.told(), [])
            self.restarts()

    def test_a_change_that_fails_late_has_dropped_nothing_meanwhile(self) -> None:
        for ahead in (RED, f"{RED} OR {GREEN}"):  # as it is stored, or still to be looked through itself
            self.begin()
            self.sets(ahead)
            self.publish("1 red")
            self.publish("2 red", persistent="false")  # which no disk has to forget
            self.passes()
            if ahead != RED:
                self.broker.factory.broker.durable_selectors.stop()
                self.sets(RED)
            self.broker.disk.held = True
            bob = self.broker.connect()
            self.subscribes(bob, BLUE)
            self.broker.factory.broker.durable_selectors.start()
            self.passes()  # the disk is slower than
            self.broker.factory.broker.durable_selectors.sweep()  # this comes
            self.passes()
            self.assertLessEqual(set(self.told()), {(RED, 0)})
            self.broker.disk.full = True
            self.broker.disk.goes_on()
            bob.fails("disk is full")
            bob.hangs_up()
            self.broker.disk.full = False
            self.assertEqual(self.waiting(), [b"1 red", b"2 red"])
            self.assertLessEqual(set(self.told()), {(RED, 0)})
            self.assertEqual(self.bob(RED).hears_bodies(), [b"1 red", b"2 red"])

    def test_what_could_not_be_dropped_is_dropped_later(self) -> None:
        self.patch(selector_changes, "AT_ONCE", 10)
        self.sets()
        self.publish(*["1 red"], *["blue"] * 95)
        self.passes()
        keeper = self.broker.factory.broker.durable_selectors
        look = keeper._selector_changes._look

        def looking(sifting: Any) -> bool:
            self.broker.disk.full = True
            keeper._selector_changes._look = look
            return bool(look(sifting))

        keeper._selector_changes._look = looking
        bob = self.bob(RED, ack="client")
        self.passes()
        self.assertEqual(self.told(), [])
        self.assertEqual(self.broker.engine.unsifted, {self.queue: None})
        self.broker.disk.full = False
        keeper.sweep()
        self.passes()
        self.assertEqual(self.broker.engine.unsifted, {})
        self.assertEqual(self.told(), [(RED, 95)])
        self.assertEqual(bob.hears_bodies(), [b"1 red"])
        self.leaves(bob)
        self.restarts()
        self.assertEqual(self.waiting(), [b"1 red"])

    def test_killed_in_the_middle_nothing_that_matches_is_lost_and_the_rest_goes(self) -> None:
        self.patch(selector_changes, "AT_ONCE", 5)
        reds = [b"%d red" % number for number in range(0, 40, 2)]
        seen = set()
        for looks in range(10):
            for steps in range(5):
                self.begin()
                self.sets()
                self.publish(*[f"{number} {('red', 'blue')[number % 2]}" for number in range(40)])
                self.passes()
                self.kill_while_changing(looks, steps)
                selector = self.broker.engine.selectors[self.queue]
                before = self.waiting()
                seen.add((selector, len(before)))
                self.assertEqual([body for body in before if body.endswith(b"red")], reds)
                if not selector:
                    self.assertEqual(len(before), 40)
                    continue
                bob = self.bob(RED, ack="client")
                self.assertEqual(bob.hears_bodies(), reds)
                self.broker.factory.broker.durable_selectors.sweep()
                self.leaves(bob)
                self.assertEqual(self.waiting(), reds)
                self.restarts()
                self.assertEqual((self.waiting(), self.broker.engine.unsifted), (reds, {}))
        self.assertTrue({("", 40), (RED, 40), (RED, 20)} <= seen, seen)
        self.assertTrue([left for selector, left in seen if 20 < left < 40], seen)

    def kill_while_changing(self, looks: int, steps: int) -> None:
        """A SUBSCRIBE with RED, of which so much has come to pass when the broker is killed."""
        disk, keeper = self.broker.disk, self.broker.factory.broker.durable_selectors
        disk.held = True
        bob = self.broker.connect()
        self.subscribes(bob, RED, ack="client")
        look, done = keeper._selector_changes._look, 0

        def looking(sifting: Any) -> bool:
            nonlocal done
            done += 1
            if done >= looks:
                keeper.stop()
            return bool(look(sifting))

        keeper._selector_changes._look = looking
        if not looks:
            keeper.stop()
        for _ in range(steps):
            disk.step()
            self.passes(3)
        self.restarts()

    def test_what_was_left_is_dropped_after_the_start_and_told(self) -> None:
        self.sets()
        self.publish("1 red", "2 blue")
        self.passes()
        self.broker.factory.broker.durable_selectors.stop()
        self.sets(RED)
        self.restarts(upkeep=True)
        self.addCleanup(self.broker.factory.stopFactory)
        self.assertEqual(self.waiting(), [b"1 red", b"2 blue"])
        self.broker.clock.advance(1)
        self.assertEqual(self.waiting(), [b"1 red"])
        (change,) = self.changes
        self.assertEqual((change.session, change.user, change.subscription), ("", "anonymous", "d"))
        self.assertEqual(self.told(), [(RED, 1)])

    def restarts_with(self, text: str, **settings: Any) -> list[str]:
        """Somebody has written another selector into the file; what the log says of that."""
        lines: list[Any] = []
        self.passes()
        self.broker.dies()
        connection = sqlite3.connect(self.broker.path)
        with connection:
            connection.execute("UPDATE selector SET text = ?, unsifted = 1", (text,))
        connection.close()
        globalLogPublisher.addObserver(lines.append)
        try:
            self.restarts(**settings)
            self.broker.factory.broker.durable_selectors.sweep()
            self.passes()
        finally:
            globalLogPublisher.removeObserver(lines.append)
        return [formatEvent(line) for line in lines if "selector" in line]

    def compiled_by_a_sweep(self) -> list[str]:
        texts: list[str] = []
        make = durable_selectors.compiled

        def counting(text: str, length: int) -> Any:
            texts.append(text)
            return make(text, length)

        self.patch(durable_selectors, "compiled", counting)
        self.broker.factory.broker.durable_selectors.sweep()
        self.patch(durable_selectors, "compiled", make)
        return texts

    def test_one_that_is_none_any_more_stops_no_start_and_loses_nothing(self) -> None:
        for text in ("colour ==", "\u2028"):
            self.begin()
            self.sets(RED)
            self.publish("1 red")
            (said,) = self.restarts_with(text)
            self.assertTrue(said.startswith("anonymous's durable subscription d keeps all messages:"), said)
            self.assertIn(repr(text), said)
            self.assertEqual(self.compiled_by_a_sweep(), [], "it was tried once")
            self.publish("2 red", "3 blue")
            self.assertEqual(self.waiting(), [b"1 red", b"2 red", b"3 blue"])
            self.sets(RED)
            self.assertEqual((self.waiting(), self.told()), ([b"1 red", b"2 red"], [(RED, 1)]))

    def test_one_that_is_too_long_by_now_counts_still(self) -> None:
        self.sets(RED)
        self.publish("1 red")
        self.assertEqual(self.restarts_with(f"{BLUE} OR {GREEN}", selector_length=20), [])
        self.publish("2 red", "3 blue")
        self.assertEqual(self.waiting(), [b"3 blue"])

    def test_of_an_older_version_the_first_selector_is_adopted_and_drops_nothing(self) -> None:
        self.upgraded()
        self.publish("5 red", "6 blue")
        self.passes()
        of_t = [b"1 red", b"2 blue", b"3 red", b"4 blue", b"5 red", b"6 blue"]
        self.assertEqual(self.waiting_for_d(), of_t)
        bob = self.bob(RED, ack="client")
        self.assertEqual(bob.hears_bodies(), [b"1 red", b"3 red", b"5 red"])
        self.leaves(bob)
        self.assertEqual((self.waiting_for_d(), self.told()), (of_t, [(RED, 0)]))
        self.assertTrue(self.changes[0].is_first)
        self.publish("7 red", "8 blue")
        self.assertEqual(self.waiting_for_d(), [*of_t, b"7 red"])
        self.restarts()
        self.assertEqual(self.waiting_for_d(), [*of_t, b"7 red"])
        self.sets(BLUE)
        self.assertEqual(self.waiting_for_d(), [b"2 blue", b"4 blue", b"6 blue"])
        self.assertEqual(self.told(), [(BLUE, 4)])

    def test_what_another_subscription_does_not_want_of_one_s_own_stays(self) -> None:
        self.upgraded()
        bob = self.broker.connect()
        bob.subscribes("/topic/other", id="0", durable_subscription="e", no_local="true")
        self.assertTrue(bob.hears_nothing())
        send(bob, TOPIC, "5 blue", colour="blue", persistent="true")
        self.subscribes(bob, RED, ack="client")
        bob.hears("RECEIPT")
        self.assertEqual(bob.hears_bodies(), [b"1 red", b"3 red"])
        self.leaves(bob)
        self.assertEqual(self.waiting_for_d()[-1], b"5 blue")

    def test_so_is_that_it_has_none(self) -> None:
        self.upgraded()
        self.sets()
        self.assertEqual((len(self.waiting_for_d()), self.told()), (4, []))
        self.restarts()
        self.sets(RED)
        self.assertEqual((self.waiting_for_d(), self.told()), ([b"1 red", b"3 red"], [(RED, 2)]))

    def test_whose_it_is_is_told_of_others_too(self) -> None:
        self.upgraded()
        keeper = self.broker.factory.broker.durable_selectors
        keeper.bind("/dsub/by/ann/of/phone/news", "/topic/a.*,/topic/b", RED, "s")
        self.passes()
        (change,) = self.changes
        self.assertEqual((change.user, change.subscription), ("ann", "news of phone"))

    def test_shared_queues_store_none(self) -> None:
        self.broker.connect().subscribes("/topic/t::q", selector=RED)
        self.passes()
        self.assertEqual(self.broker.rows("selector"), 0)

    def test_nothing_is_left_in_the_file_of_what_has_ended(self) -> None:
        bob = self.bob(RED)
        bob.says("UNSUBSCRIBE", durable_subscription="d", id="1", receipt="r")
        bob.hears("RECEIPT")
        self.assertEqual((self.broker.rows("selector"), self.broker.rows("queue")), (0, 0))

    def test_the_broker_of_before_refuses_the_file(self) -> None:
        self.sets(RED)
        self.broker.dies()
        self.patch(file, "versions", lambda: {1: ""})
        error = self.assertRaises(ConfigurationError, self.broker.again)
        self.assertIn("newer stomp-tx", str(error))
