"""subscription.py: what a user sees."""

from tests.client.test_client import ClientTests


class SubscriptionTests(ClientTests):
    def subscribes(self, handler=None, destination="/queue/a", client=None, **more):
        return self.got((client or self.client).subscribe(destination, handler, **more))

    def sends(self, *bodies):
        for body in bodies:
            self.client.send("/queue/a", body)
        self.world.runs()


class ReprTests(SubscriptionTests):
    def test_it_tells_what_waits_and_what_is_to_be_acknowledged(self):
        subscription = self.subscribes(ack="client-individual", id="mine")
        self.sends(b"1", b"2", b"3")
        self.got(self.got(subscription.next()).ack())
        self.got(subscription.next())
        self.assertEqual(
            repr(subscription),
            "<Subscription 'mine' to '/queue/a', ack='client-individual', to acknowledge: 2, waiting: 1>",
        )

    def test_it_tells_that_it_has_ended(self):
        subscription = self.subscribes(lambda message: None)
        self.got(subscription.unsubscribe())
        self.assertRegex(repr(subscription), r"^<Subscription '1' to '/queue/a', ack='auto', has ended>$")
