"""acknowledgments.py: ACK and NACK."""

from stomp_tx.client import ConnectionLost
from stomp_tx.errors import ProtocolViolation
from tests.client.session.test_subscription import SubscriptionTests


class AcknowledgingTests(SubscriptionTests):
    def take(self, ack, *bodies, client=None):
        subscription = self.subscribes(ack=ack, client=client)
        self.sends(*bodies)
        return subscription, [self.got(subscription.next()) for _ in bodies]

    def test_every_version_and_mode(self):
        for version in ("1.0", "1.1", "1.2"):
            for ack in ("client", "client-individual"):
                client = self.world.connect(versions=(version,))
                subscription, (one, two) = self.take(ack, b"1", b"2", client=client)
                if ack == "client-individual":
                    self.got(client.ack(one, receipt=True))
                self.got(client.ack(two, receipt=True))
                self.got(subscription.unsubscribe())
                self.assertEqual(self.world.waiting(), [])
                self.got(client.disconnect())

    def test_cumulative_ack_covers_what_came_before(self):
        _, (one, two, three) = self.take("client", b"1", b"2", b"3")
        self.got(two.ack(receipt=True))
        self.fails(one.ack(), ProtocolViolation)
        self.got(three.ack(receipt=True))
        self.assertEqual(self.world.said.count(b"ACK\n"), 2)

    def test_twice_is_refused_here(self):
        _, (one,) = self.take("client-individual", b"1")
        self.got(one.ack())
        self.fails(one.ack(), ProtocolViolation)
        self.fails(one.nack(), ProtocolViolation)
        self.assertTrue(self.client.connected)

    def test_mode_auto_has_no_ack(self):
        _, (one,) = self.take("auto", b"1")
        self.fails(one.ack(), ProtocolViolation)
        self.fails(self.client.nack(one), ProtocolViolation)
        self.assertTrue(self.client.connected)

    def test_nack_puts_it_back(self):
        subscription, (one,) = self.take("client", b"1")
        self.got(self.client.nack(one, receipt=True))
        self.got(subscription.unsubscribe())
        self.assertEqual(self.world.waiting(), [b"1"])

    def test_1_0_has_no_nack(self):
        client = self.world.connect(versions=("1.0",))
        _, (one,) = self.take("client", b"1", client=client)
        self.fails(one.nack(), ProtocolViolation)
        self.got(one.ack(receipt=True))

    def test_after_the_loss_it_fails(self):
        _, (one,) = self.take("client", b"1")
        self.world.cut()
        self.failureResultOf(one.ack(), ConnectionLost)
        self.failureResultOf(self.client.nack(one), ConnectionLost)

    def test_after_the_end_of_the_subscription_it_fails(self):
        subscription, (one,) = self.take("client", b"1")
        self.got(subscription.unsubscribe())
        self.fails(one.ack(), ProtocolViolation)
        self.assertTrue(self.client.connected)
