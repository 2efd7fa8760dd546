"""broker/destinations/topic.py: everyone hears, and who is slow harms nobody."""

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.events import Dropped
from tests.broker.destinations.test_destination import send
from tests.conversation import Broker, Client


class TopicTests(SynchronousTestCase):
    """Everyone who has subscribed hears each message."""

    def setUp(self) -> None:
        self.broker = Broker(topic_backlog=3, send_buffer=1)
        self.ann = self.broker.connect()

    def listener(self, ack: str = "auto", broker: Broker | None = None, **headers: str) -> Client:
        client = (broker or self.broker).connect()
        client.subscribes("/topic/a", ack=ack, **headers)
        return client

    def test_everyone_hears_it_and_what_was_sent_before_is_not_heard(self) -> None:
        send(self.ann, "/topic/a", "before")
        bob, cid = self.listener(), self.listener()
        send(self.ann, "/topic/a", "1")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.assertEqual(cid.hears_bodies(), [b"1"])

    def test_credit_holds_messages_back_until_they_are_acknowledged(self) -> None:
        bob = self.listener("client", prefetch_count="1")
        send(self.ann, "/topic/a", "1", "2")
        one = bob.hears("MESSAGE")
        self.assertTrue(bob.hears_nothing())
        bob.acks(one)
        self.assertEqual(bob.hears("MESSAGE").body, b"2")

    def test_a_slow_listener_loses_the_oldest_and_others_lose_nothing(self) -> None:
        dropped: list[Dropped] = []
        self.broker.factory.events.observe(Dropped, dropped.append)
        bob, cid = self.listener(), self.listener()
        bob.transport.producer.pauseProducing()
        send(self.ann, "/topic/a", "1", "2", "3", "4", "5")
        self.assertTrue(bob.hears_nothing())
        self.assertEqual(len(cid.hears_bodies()), 5)
        bob.transport.producer.resumeProducing()
        self.assertEqual(bob.hears_bodies(), [b"3", b"4", b"5"])
        self.assertEqual([event.message.body for event in dropped], [b"1", b"2"])
        send(self.ann, "/topic/a", "6")
        self.assertEqual(bob.hears_bodies(), [b"6"])

    def test_a_slow_listener_is_disconnected_where_the_settings_say_so(self) -> None:
        broker = Broker(topic_backlog=2, slow_topic="disconnect")
        ann, bob, cid = broker.connect(), self.listener(broker=broker), self.listener(broker=broker)
        bob.transport.producer.pauseProducing()
        send(ann, "/topic/a", "1", "2", "3", "4")
        bob.fails("subscription too slow")
        self.assertEqual(len(cid.hears_bodies()), 4)

    def test_the_octets_that_wait_are_bounded_too(self) -> None:
        broker = Broker(topic_backlog_octets=10_000)
        ann, bob = broker.connect(), self.listener(broker=broker)
        bob.transport.producer.pauseProducing()
        send(ann, "/topic/a", *["x" * 4000] * 5)
        bob.transport.producer.resumeProducing()
        self.assertEqual(len(bob.hears_bodies()), 2)

    def test_a_long_backlog_is_given_in_parts(self) -> None:
        broker = Broker()
        ann, bob = broker.connect(), self.listener(broker=broker)
        bob.transport.producer.pauseProducing()
        send(ann, "/topic/a", *map(str, range(2500)))
        bob.transport.producer.resumeProducing()
        broker.clock.pump([0.0] * 5)
        self.assertEqual(bob.hears_bodies(), [str(number).encode() for number in range(2500)])

    def test_an_idle_topic_leaves_nothing_behind(self) -> None:
        bob = self.listener()
        bob.says("DISCONNECT")
        self.assertEqual(list(self.broker.factory.registry), [])
        self.assertEqual(self.broker.engine._topics.known, {})
