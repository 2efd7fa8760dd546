"""Queues whose part of the file is damaged, as clients and the broker's own program see them."""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx import QueueDamaged
from stomp_tx.engine.limits import EngineLimits
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import OnFile
from tests.engine.sqlite.damaged import body, damage, page_of

COUNT = 120


class DamagedQueueTests(OnFile, SynchronousTestCase):
    def setUp(self) -> None:
        self.broker: Any = self.make_broker(limits=EngineLimits(window_length=20), upkeep=True)
        self.ann = self.broker.connect()
        for number in range(COUNT):
            for queue in "ab":
                send(self.ann, f"/queue/{queue}", body(queue, number), persistent="true")
        self.ann.hangs_up()

    def hit(self, queue: str, number: int) -> None:
        """The broker stops, the page of this message is damaged, and it starts again."""
        self.broker.stops()
        damage(self.broker.path, page_of(self.broker.path, body(queue, number)), "noise")
        self.starts()

    def change(self, statement: str) -> None:
        """The same with what somebody does to the file."""
        self.broker.stops()
        connection = sqlite3.connect(self.broker.path)
        with connection:
            connection.execute(statement)
        connection.close()
        self.starts()

    def starts(self) -> None:
        self.broker = self.broker.again()
        self.addCleanup(self.broker.dies)
        self.told: list[QueueDamaged] = []
        self.broker.factory.events.observe(QueueDamaged, self.told.append)
        self.ann, self.bob = self.broker.connect(), self.broker.connect()

    def test_consumers_get_what_is_in_front_and_others_all_of_theirs(self) -> None:
        self.hit("a", 60)
        self.ann.subscribes("/queue/a")
        self.bob.subscribes("/queue/b")
        got = self.ann.hears_bodies()
        self.assertEqual(got, [body("a", number).encode() for number in range(len(got))])
        self.assertTrue(40 < len(got) <= 60, len(got))
        self.assertEqual(len(self.bob.hears_bodies()), COUNT)
        event = self.told[0]
        self.assertEqual((event.session, event.queue), ("", "/queue/a"))
        self.assertTrue(event.position and event.why)
        self.assertEqual({event.queue for event in self.told}, {"/queue/a"})

    def test_what_is_sent_there_is_stored(self) -> None:
        self.hit("a", 60)
        self.ann.subscribes("/queue/a")
        before = len(self.ann.hears_bodies())
        send(self.bob, "/queue/a", "new", persistent="true", receipt="r")
        self.bob.hears("RECEIPT")
        self.broker.clock.advance(5)
        self.assertEqual(self.ann.hears_bodies(), [])
        self.assertEqual(self.broker.engine.depth("/queue/a")[0], COUNT + 1 - before)

    def test_with_a_selector_nothing_behind_it_is_picked(self) -> None:
        self.change("UPDATE message SET head = x'ff' WHERE queue = 1 AND position = 21")
        self.ann.subscribes("/queue/a", selector="x IS NULL")
        self.broker.clock.advance(1)
        self.assertEqual(len(self.ann.hears_bodies()), 10)
        send(self.bob, "/queue/a", "new", persistent="true")
        send(self.bob, "/queue/a", "new")
        self.broker.clock.advance(5)
        self.assertEqual(self.ann.hears_bodies(), [])
        self.assertEqual(len(self.told), 1)

    def test_who_browses_sees_what_can_be_read(self) -> None:
        self.change("UPDATE message SET head = x'ff' WHERE queue = 1 AND position = 21")
        self.ann.subscribes("/queue/a", browser="true")
        heard = self.ann.everything()
        self.assertEqual([frame.headers.get("browser") for frame in heard], [None] * 10 + ["end"])

    def test_an_ack_that_can_t_be_written_is_an_error_and_no_endless_redelivery(self) -> None:
        self.hit("a", 60)
        self.ann.subscribes("/queue/a", ack="client-individual")
        for frame in self.ann.everything():
            self.ann.acks(frame, receipt="r")
            (answer,) = self.ann.everything()
            if answer.command == "ERROR":
                break
        self.assertIn("damaged", answer.headers["message"])
        for _ in range(3):
            again = self.broker.connect()
            again.subscribes("/queue/a")
            self.broker.clock.advance(61)
            self.assertEqual(again.hears_bodies(), [])
            again.hangs_up()
        self.bob.subscribes("/queue/b")
        self.assertEqual(len(self.bob.hears_bodies()), COUNT)

    def test_where_nothing_can_be_added_the_producer_is_told(self) -> None:
        self.hit("b", COUNT - 1)
        send(self.ann, "/queue/b", "no", persistent="true", receipt="r")
        self.assertEqual(self.ann.fails("damaged").headers["receipt-id"], "r")
        self.ann = self.broker.connect()
        send(self.ann, "/queue/b", "no", persistent="true", receipt="r")
        told = self.ann.fails("/queue/b can't be stored: the broker's file is damaged")
        self.assertIn(b"the broker's owner must repair it", told.body)
        send(self.bob, "/queue/a", "yes", persistent="true", receipt="r")
        self.bob.hears("RECEIPT")
        self.assertEqual([event.queue for event in self.told], ["/queue/b"])
        send(self.bob, "/queue/b", "does not persist", receipt="r")
        self.bob.hears("RECEIPT")
