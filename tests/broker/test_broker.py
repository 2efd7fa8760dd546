"""broker/broker.py: what all sessions share."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.destinations.ack_modes import make_subscription
from stomp_tx.broker.destinations.subscription import Terms
from stomp_tx.broker.events import Connected, Events
from stomp_tx.broker.policy import Policies, Policy, Redelivery
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.message import Message


class Recorder:
    """A session that does nothing but to write down what it is told."""

    id = "1"
    version = "1.2"
    user = StompUser("ann")

    def __init__(self, *subscriptions: Any) -> None:
        self.told: list[Any] = []
        self.subscriptions = subscriptions

    def owns(self, subscription: Any) -> bool:
        return subscription in self.subscriptions

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self.told.append((name, *arguments))


class Sender:
    full = True
    version = "1.2"

    def __init__(self) -> None:
        self.outgoing: list[bytes] = []


class BrokerTests(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        self.broker = Broker(
            MemoryEngine(seconds=clock.seconds),
            clock,
            anonymous=StompUser("anonymous"),
            portal=None,
            settings=BrokerSettings(topic_backlog=1, slow_topic="disconnect"),
            policies=Policies(),
            events=Events(),
            now=clock.seconds,
        )

    def session(self, *subscriptions: Any) -> Recorder:
        session = Recorder(*subscriptions)
        self.broker.add(session)
        return session

    def test_it_has_shut_down_when_all_sessions_are_gone(self) -> None:
        ann, bob = self.session(), self.session()
        self.assertFalse(self.broker.is_stopping)
        stopped = self.broker.shut_down()
        self.assertTrue(self.broker.is_stopping)
        self.assertEqual((ann.told, bob.told), ([("shut_down",)], [("shut_down",)]))
        self.broker.remove(ann)
        self.assertNoResult(stopped)
        self.broker.remove(bob)
        self.broker.remove(bob)
        self.successResultOf(stopped)

    def test_it_shuts_down_at_once_where_nobody_is_there(self) -> None:
        self.broker.remove(self.session())
        self.successResultOf(self.broker.shut_down())

    def test_other_policies_are_told_to_all(self) -> None:
        ann = self.session()
        self.broker.change_policies(Policies(Policy(attempts=7)))
        self.assertEqual(self.broker.policies.of("/queue/a").attempts, 7)
        self.assertEqual(ann.told, [("access_changed",)])

    def test_who_begins_to_observe_makes_all_ask_for_their_routes_anew(self) -> None:
        ann = self.session()
        self.broker.events.observe(Connected, lambda event: None)
        self.assertEqual(ann.told, [("forget_routes",)])

    def test_the_first_durable_subscription_to_a_topic_is_told_to_all(self) -> None:
        ann = self.session()
        self.broker.engine.bind("/durable/a", "/topic/a")
        self.assertEqual(ann.told, [("meanings_changed",)])

    def test_a_slow_subscription_ends_the_session_that_owns_it(self) -> None:
        terms = Terms("1", 1, "auto", 1, Redelivery(0, 0.0, 1.0, 0.0, 0.0))
        subscription = make_subscription(Sender(), "1.2", terms, [], None)  # type: ignore[arg-type]
        ann, bob = self.session(subscription), self.session()
        self.broker.registry.add(subscription, "/topic/a")
        for number in range(5):
            self.broker.engine.publish(Message(str(number), "/topic/a", "/topic/a", {}, b"x" * 1000, 2000))
        self.assertIn(("too_slow", subscription), ann.told)
        self.assertEqual(bob.told, [])

    def test_the_ids_of_messages_are_each_its_own(self) -> None:
        ids = {self.broker.new_message_id() for _ in range(10)}
        self.assertEqual(len(ids), 10)
        self.assertTrue(all(one.startswith(self.broker.message_id_prefix) for one in ids))
