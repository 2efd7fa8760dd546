"""subscriptions.py: SUBSCRIBE and UNSUBSCRIBE."""

from twisted.internet.defer import CancelledError

from stomp_tx.errors import FrameError, ProtocolViolation
from tests.client.session.test_subscription import SubscriptionTests


class UnsubscribeTests(SubscriptionTests):
    def test_id_may_be_used_again_when_it_has_been_answered(self):
        subscription = self.subscribes(id="a")
        self.fails(self.client.subscribe("/queue/b", id="a"), ProtocolViolation)
        leaving = self.client.unsubscribe(subscription)
        self.failureResultOf(self.client.subscribe("/queue/b", id="a"), ProtocolViolation)
        self.got(leaving)
        self.subscribes(id="a")

    def test_may_be_called_again(self):
        subscription = self.subscribes()
        self.got(subscription.unsubscribe())
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.said.count(b"UNSUBSCRIBE"), 1)

    def test_what_was_not_acknowledged_goes_to_others(self):
        subscription = self.subscribes(ack="client")
        self.sends(b"1", b"2")
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.waiting(), [b"1", b"2"])

    def test_ten_thousand_subscriptions_leave_nothing_behind(self):
        for _ in range(10_000):
            self.client.subscribe("/queue/a").addCallback(lambda one: one.unsubscribe())
            self.world.runs()
        session = self.client._session
        self.assertEqual((len(session.subscriptions), len(session._receipts)), (0, 0))

    def test_headers_that_cannot_be_sent_change_nothing(self):
        client = self.world.connect(versions=("1.0",))
        subscription = self.subscribes(client=client)
        self.fails(subscription.unsubscribe(headers={"a": "b\n"}), FrameError)
        self.assertFalse(subscription.ended)
        self.fails(client.subscribe("/queue/b", headers={"a": "b\n"}, id="b"), FrameError)
        self.subscribes(client=client, id="b", destination="/queue/b")

    def test_unknown_ack_mode_is_refused_here(self):
        self.failureResultOf(self.client.subscribe("/queue/a", ack="none"), ValueError)

    def test_subscribing_that_was_given_up_is_taken_back(self):
        subscribing = self.client.subscribe("/queue/a")
        subscribing.cancel()
        self.failureResultOf(subscribing, CancelledError)
        self.world.runs()
        self.sends(b"1")
        self.assertEqual(self.world.waiting(), [b"1"])
        self.assertEqual(len(self.client._session.subscriptions), 0)
