"""Virtual hosts: CONNECT's ``host`` says in which one, and nothing of one is seen in another."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from stomp_tx.errors import ConfigurationError
from tests.broker.destinations.test_destination import send
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Broker, Client


class Hosts(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.broker: Any = self.make_broker(hosts=("shop", "test.example.org"))

    def connect(self, host: str, **headers: str) -> Client:
        client: Client = self.broker.connect(host=host, **headers)
        return client

    def send(self, host: str, destination: str, *bodies: str, **headers: str) -> None:
        client = self.connect(host)
        send(client, destination, *bodies, persistent=self.persistent, **headers)
        self.assertTrue(client.hears_nothing())

    def gets(self, host: str, destination: str, **headers: str) -> list[bytes]:
        client = self.connect(host)
        client.subscribes(destination, **headers)
        bodies = client.hears_bodies()
        client.hangs_up()
        return bodies

    def test_each_has_queues_of_its_own(self) -> None:
        self.send("shop", "/queue/a", "1")
        self.send("test.example.org", "/queue/a", "2")
        self.send("elsewhere", "/queue/a", "3")
        self.assertEqual(self.gets("shop", "/queue/a"), [b"1"])
        self.assertEqual(self.gets("TEST.example.org", "/queue/a"), [b"2"])
        self.assertEqual(self.gets("", "/queue/a"), [b"3"])

    def test_and_topics(self) -> None:
        for pattern in ("a.b", "a.*", "a.>,/topic/c"):
            here, there = self.connect("shop"), self.connect("/")
            for client in (here, there):
                client.subscribes(f"/topic/{pattern}")
            self.send("shop", "/topic/a.b", "1")
            message = here.hears("MESSAGE")
            self.assertEqual((message.body, message.headers["destination"]), (b"1", "/topic/a.b"))
            self.assertTrue(there.hears_nothing())
            here.hangs_up()
            there.hangs_up()

    def test_and_durable_subscriptions(self) -> None:
        for headers in (
            {"durable_subscription": "d"},
            {"durable": "true"},
            {"durable": "true", "x_queue_name": "q"},
        ):
            for host in ("shop", "/"):
                self.gets(host, "/topic/t", **headers)
            self.send("shop", "/topic/t", "1")
            self.assertEqual(self.gets("/", "/topic/t", **headers), [])
            self.assertEqual(self.gets("shop", "/topic/t", **headers), [b"1"])
        self.gets("shop", "/topic/t::q")
        self.gets("shop", "/queue/Consumer.A.VirtualTopic.X")
        self.send("/", "/topic/VirtualTopic.X", "1")
        self.send("shop", "/topic/VirtualTopic.X", "2")
        self.assertEqual(self.gets("shop", "/queue/Consumer.A.VirtualTopic.X"), [b"2"])

    def test_and_composites_temporary_and_shared_ones(self) -> None:
        self.send("shop", "/queue/a,b", "1")
        self.assertEqual((self.gets("shop", "/queue/b"), self.gets("/", "/queue/b")), ([b"1"], []))
        client = self.connect("shop")
        client.subscribes("/temp-queue/x")
        client.says("SEND", destination="/temp-queue/x", body=b"2")
        self.assertEqual(client.hears("MESSAGE").headers["destination"], "/temp-queue/x")
        client.subscribes("/topic/t", id="2", shared_subscription="s")
        self.send("/", "/topic/t", "3")
        self.assertTrue(client.hears_nothing())
        self.send("shop", "/topic/t", "4")
        self.assertEqual(client.hears_bodies(), [b"4"])

    def test_and_dead_letters(self) -> None:
        client = self.connect("shop")
        client.subscribes("/queue/a", ack="client")
        self.send("shop", "/queue/a", "1", priority="7")
        client.nacks(client.hears("MESSAGE"), requeue="false")
        self.assertTrue(client.hears_nothing())
        self.assertEqual(self.gets("/", "/queue/DLQ.a"), [])
        client.subscribes("/queue/DLQ.a", id="2")
        letter = client.hears("MESSAGE")
        self.assertEqual(letter.headers["destination"], "/queue/DLQ.a")
        self.assertEqual(letter.headers["_AMQ_ORIG_ADDRESS"], "a")

    def test_policies_are_for_all_hosts_or_for_one(self) -> None:
        patterns = {"/queue/a": Policy(ttl=1), "//shop/queue/b": Policy(ttl=1), "//shop/queue/*": Policy()}
        self.broker = self.make_broker(hosts=("shop",), patterns=patterns)
        for host in ("shop", "/"):
            for name in ("a", "b"):
                self.send(host, f"/queue/{name}", host)
        self.broker.clock.advance(2)
        self.assertEqual((self.gets("shop", "/queue/a"), self.gets("/", "/queue/a")), ([b"shop"], []))
        self.assertEqual((self.gets("shop", "/queue/b"), self.gets("/", "/queue/b")), ([], [b"/"]))

    def test_unknown_ones_can_be_refused(self) -> None:
        self.broker = self.make_broker(hosts=("shop",), unknown_host="refuse")
        for host in ("shop", "/", ""):
            self.connect(host)
        client = self.broker.dial()
        client.says("CONNECT", {"accept-version": "1.2", "host": "elsewhere"})
        client.fails("no such virtual host")
        client = self.broker.dial()
        client.says("CONNECT", {"login": "ann"})
        client.hears("CONNECTED")


class HostsOnFile(OnFile, Hosts):
    persistent = "true"

    def test_they_outlive_the_process(self) -> None:
        self.send("shop", "/queue/a", "1")
        self.gets("shop", "/topic/t", durable_subscription="d")
        self.broker = self.restart(self.broker)
        self.send("shop", "/topic/t", "2", priority="9")
        self.assertEqual(self.gets("/", "/queue/a"), [])
        self.assertEqual(self.gets("shop", "/queue/a"), [b"1"])
        self.assertEqual(self.gets("shop", "/topic/t", durable_subscription="d"), [b"2"])


class SettingTests(SynchronousTestCase):
    def test_a_name_is_a_host_s(self) -> None:
        for name in ("", "a/b", "a b", "ä"):
            with self.assertRaises(ConfigurationError):
                Broker(hosts=(name,))
