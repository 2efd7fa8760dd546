"""Headers that are true or false: ``true`` and ``false`` in any case, and anything else counts as absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import HeaderIgnored
from stomp_tx.broker.policy import Policy
from stomp_tx.wire.booleans import BOOLEANS
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import OnFile
from tests.conversation import Broker, Client

TRUE = ("true", "True", "TRUE", "tRUE")
FALSE = ("false", "False", "FALSE", "fALSE")
JUNK = ("yes", "no", "1", "0", "on", "", " true", "false ", "truefalse", "tru", "\uff54rue", "fal\u017fe")

Walk = Callable[[Any, bytes], object]
"""Says a frame with these header lines, and gives what came of it."""


class BooleanHeaderTests(OnFile, SynchronousTestCase):
    """Each of them in each frame, as it comes over the wire."""

    def walks(self) -> dict[tuple[str, str], Walk]:
        subscribing = self.subscribed_with
        return {
            ("SEND", "persistent"): self.outlives_a_kill,
            ("SUBSCRIBE", "browser"): lambda said: self.what_stays(said),
            ("SUBSCRIBE", "browser-end"): lambda said: self.what_stays(b"browser:true\n" + said),
            ("SUBSCRIBE", "retained"): subscribing("/topic/t", self.heard),
            ("SUBSCRIBE", "exclusive"): subscribing("/queue/a", self.alone),
            ("SUBSCRIBE", "activemq.exclusive"): subscribing("/queue/a", self.alone),
            ("SUBSCRIBE", "no-local"): subscribing("/topic/own", self.own, b"activemq.noLocal:true\n"),
            ("SUBSCRIBE", "activemq.noLocal"): subscribing("/topic/own", self.own),
            ("SUBSCRIBE", "durable"): subscribing("/topic/d", self.bindings),
            ("SUBSCRIBE", "persistent"): subscribing("/topic/d", self.bindings),
            ("SUBSCRIBE", "auto-delete"): subscribing("/topic/d", self.bindings, b"durable:true\n"),
            ("UNSUBSCRIBE", "durable"): self.forgotten(b""),
            ("UNSUBSCRIBE", "persistent"): self.forgotten(b""),
            ("UNSUBSCRIBE", "auto-delete"): self.forgotten(b"durable:true\n"),
            ("NACK", "requeue"): self.refused_with,
        }

    def test_the_table_of_them_is_walked_through_whole(self) -> None:
        read = {(command, name) for command, names in BOOLEANS.items() for name in names}
        self.assertEqual(set(self.walks()), {one for one in read if one[0] != "MESSAGE"})

    def test_true_and_false_in_any_case_and_anything_else_counts_as_absent(self) -> None:
        for (command, name), walk in self.walks().items():
            where = f"{command} {name}"
            absent, true, false = walk(b""), walk(line(name, "true")), walk(line(name, "false"))
            self.assertNotEqual(true, false, where)
            for spellings, expected in ((TRUE, true), (FALSE, false), (JUNK, absent)):
                for spelling in spellings:
                    self.assertEqual(walk(line(name, spelling)), expected, f"{where}:{spelling!a}")

    # -- what comes of them -------------------------------------------------------------------------------

    def outlives_a_kill(self, said: bytes) -> object:
        broker: Any = self.make_broker()
        ann = broker.connect()
        ann.sends(b"SEND\ndestination:/queue/p\n" + said + b"receipt:1\n\nx\0")
        ann.hears("RECEIPT")
        bob = self.restart(broker).connect()
        bob.subscribes("/queue/p")
        return bob.hears_bodies()

    def what_stays(self, said: bytes) -> object:
        broker = Broker()
        ann = broker.connect()
        send(ann, "/queue/a", "1")
        ann.sends(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n" + said + b"\n\0")
        heard = [(frame.body, frame.headers.get("browser")) for frame in ann.everything()]
        return heard, broker.waiting("/queue/a")

    def subscribed_with(
        self, destination: str, outcome: Callable[[Broker, Client], object], more: bytes = b""
    ) -> Callable[[bytes], object]:
        def walk(said: bytes) -> object:
            broker = Broker(patterns={"/topic/t": Policy(retain=1)})
            ann = broker.connect()
            send(ann, "/topic/t", "kept")
            ann.sends(b"SUBSCRIBE\nid:1\ndestination:%b\n" % destination.encode() + said + more + b"\n\0")
            return outcome(broker, ann)

        return walk

    def heard(self, broker: Broker, ann: Client) -> object:
        return ann.hears_bodies()

    def alone(self, broker: Broker, ann: Client) -> object:
        bob = broker.connect()
        bob.subscribes("/queue/a")
        send(broker.connect(), "/queue/a", "1", "2", "3", "4")
        return ann.hears_bodies(), bob.hears_bodies()

    def own(self, broker: Broker, ann: Client) -> object:
        send(ann, "/topic/own", "mine")
        return ann.hears_bodies()

    def bindings(self, broker: Broker, ann: Client) -> object:
        return dict(broker.engine.bindings)

    def forgotten(self, more: bytes) -> Callable[[bytes], object]:
        def walk(said: bytes) -> object:
            broker = Broker()
            ann = broker.connect()
            ann.sends(b"SUBSCRIBE\nid:1\ndestination:/topic/d\ndurable:true\n\n\0")
            ann.sends(b"UNSUBSCRIBE\nid:1\n" + said + more + b"\n\0")
            return dict(broker.engine.bindings)

        return walk

    def refused_with(self, said: bytes) -> object:
        broker = Broker(nack_delay=0.0)
        ann = broker.connect()
        send(ann, "/queue/a", "1")
        ann.subscribes("/queue/a", ack="client-individual")
        ack = ann.hears("MESSAGE").headers["ack"]
        ann.sends(b"NACK\nid:%b\n" % ack.encode() + said + b"\n\0")
        broker.clock.advance(1)
        return ann.hears_bodies(), broker.waiting("/queue/DLQ.a")


class OddTests(SynchronousTestCase):
    """What is neither is told, once for each connection."""

    def setUp(self) -> None:
        self.logged: list[Any] = []
        log = Logger(namespace="test", observer=self.logged.append)
        self.broker = Broker(factory={"log": log})
        self.told: list[HeaderIgnored] = []
        self.broker.factory.events.observe(HeaderIgnored, self.told.append)
        self.ann = self.broker.connect()

    def lines(self) -> list[str]:
        found = [formatEvent(event) for event in self.logged]
        return [text for text in found if "neither true nor false" in text]

    def test_the_first_one_is_logged_with_what_that_means(self) -> None:
        send(self.ann, "/queue/a", "1", persistent="yes")
        (text,) = self.lines()
        self.assertIn("SEND has persistent:'yes', which is neither true nor false", text)
        self.assertIn("not persistent", text)
        (event,) = self.told
        self.assertEqual((event.command, event.header, event.value), ("SEND", "persistent", "yes"))

    def test_the_others_of_its_connection_are_not(self) -> None:
        send(self.ann, "/queue/a", "1", "2", persistent="yes")
        self.ann.subscribes("/queue/a", ack="client", exclusive="1")
        self.ann.nacks(self.ann.hears("MESSAGE"), requeue="no")
        self.assertEqual((len(self.lines()), len(self.told)), (1, 1))
        send(self.broker.connect(), "/queue/a", "3", persistent="no")
        self.assertEqual((len(self.lines()), len(self.told)), (2, 2))

    def test_each_frame_that_has_them_is_looked_at(self) -> None:
        for command, names in BOOLEANS.items():
            for name in names if command != "MESSAGE" else ():
                self.told.clear()
                ann = self.broker.connect()
                ann.subscribes("/queue/x", id="x", ack="client-individual")
                send(ann, "/queue/x", "1")
                ack = ann.hears("MESSAGE").headers["ack"]
                id = {"SUBSCRIBE": "1", "UNSUBSCRIBE": "x", "NACK": ack}.get(command, "")
                ann.says(command, {"destination": "/queue/a", "id": id, name: "maybe"})
                found = [(event.command, event.header, event.value) for event in self.told]
                self.assertEqual(found, [(command, name, "maybe")])
                ann.hangs_up()

    def test_true_and_false_and_what_is_not_said_are_not_odd(self) -> None:
        for value in (*TRUE, *FALSE):
            send(self.ann, "/queue/a", "1", persistent=value, priority="7")
        send(self.ann, "/queue/a", "1", priority="7", durable="maybe")
        self.assertEqual(self.lines(), [])

    def test_what_it_says_ends_no_line_and_is_short(self) -> None:
        send(self.ann, "/queue/a", "1", persistent="\n\u2028\x1b" + "y" * 10_000)
        (text,) = self.lines()
        self.assertTrue(text.isprintable(), ascii(text))
        self.assertLess(len(text), 300)

    def test_it_is_told_where_the_frame_is_refused(self) -> None:
        self.ann.subscribes("/queue/a", browser="on", from_seq="1")
        self.ann.fails("from-seq is not supported")
        self.assertEqual(len(self.lines()), 1)


def line(name: str, value: str) -> bytes:
    return f"{name}:{value}\n".encode()
