"""Message groups: ``JMSXGroupID`` (ActiveMQ, Artemis) and ``message_group`` (Apollo) on SEND."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import demand, message_groups
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client


class Grouped(InMemory, SynchronousTestCase):
    persistent = "false"
    header = "JMSXGroupID"

    def setUp(self) -> None:
        self.broker = self.make_broker()
        self.ann = self.broker.connect()

    def send(self, *messages: str, **headers: str) -> None:
        """ "a1" is message 1 of group a."""
        for message in messages:
            named = {"destination": "/queue/a", self.header: message[0], "persistent": self.persistent}
            self.ann.says("SEND", {**named, **headers}, message.encode())
        self.assertTrue(self.ann.hears_nothing())

    def consumer(self, ack: str = "client-individual", **headers: str) -> Client:
        client = self.broker.connect()
        client.subscribes("/queue/a", ack=ack, **headers)
        return client

    def test_all_of_one_group_go_to_one_consumer(self) -> None:
        bob, cat = self.consumer("auto"), self.consumer("auto")
        self.send("a1", "b1", "a2", "b2", "a3", "b3")
        heard = [bob.hears_bodies(), cat.hears_bodies()]
        self.assertCountEqual(heard, [[b"a1", b"a2", b"a3"], [b"b1", b"b2", b"b3"]])

    def test_the_group_waits_for_its_consumer_and_nobody_else_does(self) -> None:
        bob = self.consumer(prefetch_count="1")
        self.send("a1")
        cat = self.consumer(prefetch_count="10")
        self.send("a2", "a3", "b1", "c1", "a4")
        self.assertEqual([message.body for message in cat.everything()], [b"b1", b"c1"])
        heard = []
        for _ in range(4):
            message = bob.hears("MESSAGE")
            heard.append(message.body)
            bob.acks(message)
        self.assertEqual(heard, [b"a1", b"a2", b"a3", b"a4"])

    def test_when_a_consumer_leaves_others_get_its_groups_in_order(self) -> None:
        bob = self.consumer(prefetch_count="2")
        self.send("a1")
        cat = self.consumer(prefetch_count="100")
        self.send("a2", "a3", "a4")
        self.assertEqual([message.body for message in bob.everything()], [b"a1", b"a2"])
        self.assertTrue(cat.hears_nothing())
        bob.hangs_up()
        self.broker.clock.advance(0)
        self.send("a5")
        self.assertEqual([one.body for one in cat.everything()], [b"a1", b"a2", b"a3", b"a4", b"a5"])

    def test_it_comes_with_unsubscribe_too(self) -> None:
        bob = self.consumer(prefetch_count="1")
        self.send("a1", "a2")
        cat = self.consumer()
        bob.says("UNSUBSCRIBE", id="1")
        self.broker.clock.advance(0)
        self.assertEqual([one.body for one in cat.everything()], [b"a1", b"a2"])

    def test_the_last_one_of_a_group_sets_it_free(self) -> None:
        bob = self.consumer(prefetch_count="1")
        self.send("a1", JMSXGroupSeq="1")
        cat = self.consumer()
        bob.acks(bob.hears("MESSAGE"))
        self.send("a2", JMSXGroupSeq="-1")
        self.assertEqual(bob.hears("MESSAGE").body, b"a2")
        self.send("a3")
        self.assertEqual(cat.hears("MESSAGE").body, b"a3")

    def test_what_is_refused_comes_again_before_the_rest_of_its_group(self) -> None:
        bob = self.consumer(prefetch_count="1")
        self.send("a1", "a2")
        cat = self.consumer()
        bob.nacks(bob.hears("MESSAGE"))
        self.assertTrue(bob.hears_nothing())
        self.broker.clock.advance(0.2)
        heard = []
        for _ in range(2):
            message = bob.hears("MESSAGE")
            heard.append(message.body)
            bob.acks(message)
        self.assertEqual(heard, [b"a1", b"a2"])
        self.assertTrue(cat.hears_nothing())

    def test_those_without_a_group_go_round(self) -> None:
        bob, cat = self.consumer("auto"), self.consumer("auto")
        for number in range(6):
            self.ann.says("SEND", destination="/queue/a", body=b"%d" % number)
        self.assertEqual([len(bob.hears_bodies()), len(cat.hears_bodies())], [3, 3])

    def test_one_with_a_selector_can_have_a_group(self) -> None:
        bob, cat = self.consumer("auto", selector="x = 1"), self.consumer("auto", selector="x = 1")
        self.send("a1", "a2", "b1", "a3", "b2", x="1")
        heard = [bob.hears_bodies(), cat.hears_bodies()]
        self.assertCountEqual(heard, [[b"a1", b"a2", b"a3"], [b"b1", b"b2"]])

    def test_what_one_with_a_selector_has_refused_goes_with_its_group_in_order(self) -> None:
        bob, cat = self.consumer(selector="x = 1"), self.consumer(selector="x = 1")
        self.send("a1", "a2", "a3", x="1")
        first, _, _ = bob.everything()
        bob.nacks(first)
        bob.hangs_up()
        self.broker.clock.advance(0)
        self.assertEqual(cat.hears_bodies(), [b"a1", b"a2", b"a3"])

    def test_what_is_held_is_bounded(self) -> None:
        self.patch(demand, "HELD", 3)
        bob = self.consumer(prefetch_count="1")
        self.send("a1")
        cat = self.consumer("auto")
        self.send(*[f"a{number}" for number in range(2, 10)], "b1")
        held = next(iter(self.broker.factory.registry))._groups.groups.held  # type: ignore[attr-defined]
        self.assertLessEqual(held, 1000 + 4)
        heard = []
        for _ in range(9):
            message = bob.hears("MESSAGE")
            heard.append(message.body)
            bob.acks(message)
        self.assertEqual(heard, [b"a%d" % number for number in range(1, 10)])
        self.assertEqual(cat.hears_bodies(), [b"b1"])

    def test_groups_that_are_remembered_are_bounded(self) -> None:
        self.patch(message_groups, "GROUPS", 10)
        bob = self.consumer("auto")
        for number in range(50):
            self.ann.says("SEND", {"destination": "/queue/a", self.header: str(number)})
        self.assertEqual(len(bob.hears_bodies()), 50)
        owners = next(iter(self.broker.factory.registry))._groups.groups._owners  # type: ignore[attr-defined]
        self.assertEqual(len(owners), 10)

    def test_a_name_may_not_be_endless(self) -> None:
        self.ann.says("SEND", {"destination": "/queue/a", self.header: "x" * 1025})
        self.ann.fails("too long")


class GroupedAsInApollo(Grouped):
    header = "message_group"


class GroupedOnFile(OnFile, Grouped):
    persistent = "true"

    def test_an_empty_name_is_no_group_after_a_restart_either(self) -> None:
        self.send("a1", "b2", "c3", "d4", **{self.header: "", "JMSXGroupID": ""})
        self.broker = self.restart(self.broker)
        bob, cat = self.consumer(prefetch_count="1"), self.consumer(prefetch_count="1")
        self.assertEqual((bob.hears("MESSAGE").body, cat.hears("MESSAGE").body), (b"a1", b"b2"))

    def test_groups_outlive_the_process(self) -> None:
        self.send("a1", "b1", "a2", "b2")
        self.broker = self.restart(self.broker)
        bob, cat = self.consumer(prefetch_count="1"), self.consumer(prefetch_count="1")
        heard: list[list[bytes]] = [[], []]
        for _ in range(4):
            for client, bodies in zip((bob, cat), heard, strict=True):
                for message in client.everything():
                    bodies.append(message.body)
                    client.acks(message)
        self.assertCountEqual(heard, [[b"a1", b"a2"], [b"b1", b"b2"]])


class GroupedAsInApolloOnFile(GroupedOnFile):
    header = "message_group"
