"""``browser:true`` on SUBSCRIBE, as in ActiveMQ and Apollo: what waits in a queue, shown and left there."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import browsing
from stomp_tx.engine.limits import EngineLimits
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Browsing(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker = self.make_broker()
        self.ann = self.broker.connect()

    def send(self, *bodies: str, **headers: str) -> None:
        send(self.ann, "/queue/a", *bodies, persistent=self.persistent, **headers)
        self.assertTrue(self.ann.hears_nothing())

    def browser(self, version: str = "1.2", ack: str = "auto", **headers: str) -> Client:
        client = self.broker.connect(version)
        client.subscribes("/queue/a", ack=ack, browser="true", **headers)
        return client

    def sees(self, client: Client) -> list[bytes]:
        """The bodies of what it is shown, before the end; the end must be there."""
        *messages, end = client.everything()
        self.assertEqual(end.headers["browser"], "end")
        self.assertEqual(end.headers["subscription"], "1")
        self.assertEqual(end.headers["destination"], "/queue/a")
        self.assertEqual(end.body, b"")
        self.assertEqual([message.headers.get("browser") for message in messages], [None] * len(messages))
        return [message.body for message in messages]

    def test_it_is_shown_what_waits_then_the_end_and_all_stays(self) -> None:
        self.send("1", "2", "3")
        for version in ("1.1", "1.2"):
            for ack in ("auto", "client", "client-individual"):
                self.assertEqual(self.sees(self.browser(version, ack)), [b"1", b"2", b"3"])
        bob = self.browser()
        self.assertEqual(len(self.sees(bob)), 3)
        bob.says("UNSUBSCRIBE", id="1")
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"1", b"2", b"3"])

    def test_of_an_empty_queue_the_end_comes_at_once(self) -> None:
        self.assertEqual(self.sees(self.browser(ack="client")), [])

    def test_it_may_have_a_selector(self) -> None:
        self.send("1", x="1")
        self.send("2", x="2")
        self.assertEqual(self.sees(self.browser(selector="x = 2")), [b"2"])

    def test_what_others_hold_it_does_not_see(self) -> None:
        self.send("1", "2", "3")
        bob = self.broker.connect()
        bob.subscribes("/queue/a", ack="client", prefetch_count="2")
        self.assertEqual(len(bob.everything()), 2)
        self.assertEqual(self.sees(self.browser()), [b"3"])

    def test_no_producer_can_end_it(self) -> None:
        self.send("1", "2", "3", browser="end")
        for version in ("1.1", "1.2"):
            self.assertEqual(self.sees(self.browser(version)), [b"1", b"2", b"3"])

    def test_more_comes_as_it_reads(self) -> None:
        self.send(*map(str, range(100)))
        client = self.broker.connect()
        client.transport.room = 500
        client.says("SUBSCRIBE", id="1", destination="/queue/a", browser="true", prefetch_count="10")
        self.assertTrue(self.ann.hears_nothing())
        self.assertLess(len(client.transport.value()), 2000)
        seen: list[bytes] = []
        for _ in range(100):
            seen += [frame.body for frame in client.everything()]
            if client.transport.producer is not None:
                client.transport.producer.resumeProducing()
        self.assertEqual(seen, [*[b"%d" % number for number in range(100)], b""])

    def test_a_long_queue_is_looked_through_bit_by_bit(self) -> None:
        self.patch(browsing, "AT_ONCE", 10)
        self.send(*map(str, range(55)), x="1")
        self.send("last", x="2")
        client = self.browser(selector="x = 2")
        for _ in range(10):
            self.broker.clock.advance(0)
        self.assertEqual(self.sees(client), [b"last"])

    def test_it_may_go_on_with_what_comes(self) -> None:
        self.send("1", "2")
        client = self.browser(browser_end="false")
        self.assertEqual(client.hears_bodies(), [b"1", b"2"])
        self.send("3")
        self.broker.clock.advance(1)
        self.assertEqual(client.hears_bodies(), [b"3"])
        client.says("UNSUBSCRIBE", id="1")
        self.send("4")
        self.broker.clock.advance(1)
        self.assertTrue(client.hears_nothing())

    def test_positions_can_be_shown_and_begun_with(self) -> None:
        self.send("1", "2", "3", "4")
        client = self.browser(include_seq="seq")
        *messages, _ = client.everything()
        positions = [int(message.headers["seq"]) for message in messages]
        self.assertEqual(positions, sorted(set(positions)))
        self.assertEqual(self.sees(self.browser(from_seq=str(positions[2]))), [b"3", b"4"])
        self.assertEqual(self.sees(self.browser(from_seq="0")), [b"1", b"2", b"3", b"4"])
        client = self.browser(from_seq="-1", browser_end="false")
        self.assertTrue(client.hears_nothing())
        self.send("5")
        self.broker.clock.advance(1)
        self.assertEqual(client.hears_bodies(), [b"5"])

    def test_what_waits_for_a_subscription_to_a_topic(self) -> None:
        for named in (
            {"durable-subscription": "d"},
            {"durable": "true", "x-queue-name": "d"},
            {"shared-subscription": "d"},
            {"destination": "/topic/t::d"},
        ):
            self.broker = self.make_broker()
            self.ann = self.broker.connect()
            headers = {"id": "1", "destination": "/topic/t", **named}
            bob, cat = self.broker.connect(), self.broker.connect()
            cat.says("SUBSCRIBE", {**headers, "browser": "true"})
            cat.fails("no such durable subscription")
            self.assertEqual(self.broker.engine.bindings, {})
            bob.says("SUBSCRIBE", {**headers, "ack": "client", "prefetch-count": "1", "selector": "x = 1"})
            self.assertTrue(bob.hears_nothing())
            send(self.ann, "/topic/t", "1", "2", "3", persistent=self.persistent, x="1")
            self.assertTrue(self.ann.hears_nothing())
            selectors = dict(self.broker.engine.selectors)
            for more in ({}, {"selector": "x = 2"}, {"selector": "x = 1"}):
                cat = self.broker.connect()
                cat.says("SUBSCRIBE", {**headers, "browser": "true", **more})
                *messages, end = cat.everything()
                seen = [message.body for message in messages]
                self.assertEqual(seen, [] if "2" in more.get("selector", "") else [b"2", b"3"], named)
                self.assertEqual(end.headers["browser"], "end")
            self.assertEqual(self.broker.engine.selectors, selectors)
            self.assertEqual(bob.hears_bodies(), [b"1"])

    def test_of_a_durable_subscription_it_is_told_which_topic(self) -> None:
        bob, cat = self.broker.connect(), self.broker.connect()
        bob.subscribes("/topic/t", durable_subscription="d")
        self.assertTrue(bob.hears_nothing())
        cat.subscribes("/topic/u", durable_subscription="d", browser="true")
        self.assertIn(b"/topic/t", cat.fails("durable subscription to another topic").body)

    def test_what_has_expired_is_not_shown(self) -> None:
        self.send("1", ttl="100")
        self.send("2")
        self.broker.clock.advance(0.2)
        self.assertEqual(self.sees(self.browser()), [b"2"])

    def test_what_can_t_be_is_refused(self) -> None:
        for headers, summary in (
            ({"destination": "/topic/a"}, "nothing to browse"),
            ({"from-seq": "x"}, "malformed from-seq"),
            ({"include-seq": "message-id"}, "malformed include-seq"),
            ({"include-seq": "a:b"}, "malformed include-seq"),
        ):
            client = self.broker.connect()
            named = {"id": "1", "destination": "/queue/a", "browser": "true", **headers}
            client.says("SUBSCRIBE", named)
            client.fails(summary)

    def test_who_hangs_up_is_forgotten(self) -> None:
        self.send("1")
        for end in ("true", "false"):
            self.browser(browser_end=end).hangs_up()
        self.broker.clock.advance(1)
        self.broker.clock.advance(1)
        bob = self.broker.connect()
        bob.subscribes("/queue/a")
        self.assertEqual(bob.hears_bodies(), [b"1"])
        self.assertEqual(self.broker.engine.octets, 0)


class BrowsingOnFile(OnFile, Browsing):
    persistent = "true"

    def test_what_is_only_in_the_file_is_shown_too(self) -> None:
        self.broker = self.make_broker(limits=EngineLimits(window_length=5))
        self.ann = self.broker.connect()
        self.send(*map(str, range(50)))
        self.assertEqual(self.sees(self.browser()), [b"%d" % number for number in range(50)])
        self.broker = self.restart(self.broker, limits=EngineLimits(window_length=5))
        self.assertEqual(self.sees(self.browser()), [b"%d" % number for number in range(50)])
