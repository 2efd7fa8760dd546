"""engine/bindings.py: which queues keep what is published to a topic."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine.bindings import Bindings
from stomp_tx.errors import EngineError
from stomp_tx.message import PERSISTENT, Keeping, Message


class BindingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.changes = 0
        self.bindings = Bindings(self.changed)

    def changed(self) -> None:
        self.changes += 1

    def message(self, topic: str, keeping: Keeping | None = None) -> Message:
        message = Message("1", topic, topic, {}, b"x", 1)
        message.keeping = keeping
        return message

    def copies(self, topic: str, keeping: Keeping | None = None) -> list[str]:
        return [copy.address for copy in self.bindings.copies(self.message(topic, keeping))]

    def test_a_queue_is_bound_to_one_topic(self) -> None:
        self.assertTrue(self.bindings.bind("/dsub/a", "/topic/a", 0))
        self.assertFalse(self.bindings.bind("/dsub/a", "/topic/a", 0))
        error = self.assertRaises(EngineError, self.bindings.bind, "/dsub/a", "/topic/b", 0)
        self.assertIn("/topic/a", str(error))

    def test_each_queue_gets_a_copy_in_the_lane_of_its_priority(self) -> None:
        self.bindings.bind("/dsub/a", "/topic/a.*", 0)
        self.bindings.bind("/dsub/b", "/topic/a.1,/topic/b", 0)
        self.assertEqual(self.copies("/topic/a.1"), ["/dsub/b", "/dsub/a"])
        self.assertEqual(self.copies("/topic/b"), ["/dsub/b"])
        (high,) = self.copies("/topic/b", Keeping(priority=9))
        self.assertNotEqual(high, "/dsub/b")
        self.bindings.unbind("/dsub/b")
        self.assertEqual(self.copies("/topic/b"), [])

    def test_a_selector_is_asked_before_there_is_a_copy(self) -> None:
        self.bindings.bind("/dsub/a", "/topic/a", 0)
        self.bindings.selectors.say("/dsub/a", "none", True)
        self.bindings.selectors.judge_by(lambda queue, text: lambda message: False)
        self.assertEqual(self.copies("/topic/a"), [])
        self.assertEqual(list(self.bindings.wanting("/topic/a", self.message("/topic/a"))), [])
        self.assertEqual(list(self.bindings.wanting("/topic/a", None)), ["/dsub/a"])

    def test_who_is_told_of_topics_that_become_bound(self) -> None:
        self.bindings.bind("/dsub/a", "/topic/a.*", 0)
        self.assertEqual((self.changes, self.bindings.has_bound("/topic/a.1")), (0, False))
        self.bindings.bind("/dsub/b", "/topic/a", 0)
        self.bindings.bind("/dsub/c", "/topic/a", 0)
        self.assertEqual((self.changes, self.bindings.has_bound("/topic/a")), (1, True))
        self.bindings.unbind("/dsub/b")
        self.bindings.unbind("/dsub/b")
        self.assertEqual((self.changes, self.bindings.has_bound("/topic/a")), (1, True))
        self.bindings.unbind("/dsub/c")
        self.assertEqual((self.changes, self.bindings.has_bound("/topic/a")), (2, False))

    def test_what_an_earlier_queue_of_the_name_had_is_of_the_past(self) -> None:
        old = self.message("/dsub/a", PERSISTENT)
        old.position = 7
        self.bindings.bind("/dsub/a", "/topic/a", 0)
        self.assertFalse(self.bindings.is_of_the_past(old))
        self.bindings.unbind("/dsub/a")
        self.assertTrue(self.bindings.is_of_the_past(old))
        self.bindings.bind("/dsub/a", "/topic/a", 7)
        self.assertTrue(self.bindings.is_of_the_past(old))
        queue = self.message("/queue/a")
        self.assertFalse(self.bindings.is_of_the_past(queue))
