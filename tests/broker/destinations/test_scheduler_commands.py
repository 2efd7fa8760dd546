"""Scheduler commands: what waits is looked at or taken out, alone or with the rest of a transaction."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.auth.acl import AccessList, Role
from stomp_tx.broker.destinations import scheduler_commands
from stomp_tx.broker.events import Sent
from stomp_tx.broker.policy import Policy
from stomp_tx.broker.slices import PIECES
from stomp_tx.engine import waiting
from tests.broker.on_file import InMemory, OnFile
from tests.broker.session.test_access import enters, guarded
from tests.conversation import Broker, Client
from tests.counting import Ticking

LATER = "/later/messages"
COMMANDS = "ActiveMQ.Scheduler.Management"


class Managing(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.begin(self.make_broker())

    def begin(self, broker: Any) -> None:
        self.broker = broker
        broker.factory.doStart()
        self.ann: Client = broker.connect()

    def later(self, *jobs: str, **headers: str) -> None:
        """Send messages that are called so, to be delivered in an hour."""
        for job in jobs:
            said = {"destination": "/queue/a", "scheduledJobId": job, "delay": "3600000"}
            said |= {"persistent": self.persistent, "receipt": "s", **headers}
            self.ann.says("SEND", said, job.encode())
            self.ann.hears("RECEIPT")

    def command(self, action: str, job: str = "", **headers: str) -> None:
        said = {"destination": COMMANDS, "AMQ_SCHEDULER_ACTION": action, **headers}
        self.ann.says("SEND", said | ({"scheduledJobId": job} if job else {}))

    def begins(self, *transactions: str) -> None:
        for transaction in transactions or ("t",):
            self.ann.says("BEGIN", transaction=transaction)

    def commits(self, transaction: str = "t") -> None:
        self.ann.says("COMMIT", transaction=transaction, receipt="c")
        self.assertEqual(self.ann.hears("RECEIPT").headers["receipt-id"], "c")

    def waits(self, address: str = LATER) -> list[bytes]:
        self.broker.clock.advance(0)
        return [one.body for page in self.broker.engine.browse(address) for one in page]

    # -- alone --------------------------------------------------------------------------------------------

    def test_its_receipt_comes_when_all_is_taken_out(self) -> None:
        self.patch(waiting, "AT_ONCE", 10)
        self.later(*map(str, range(35)))
        self.command("REMOVEALL", receipt="r")
        self.command("REMOVE", "x", receipt="x")
        receipts = []
        for _ in range(10):
            receipts += [frame.headers["receipt-id"] for frame in self.ann.everything()]
            if "r" in receipts:
                self.assertEqual(self.waits(), [])
            self.broker.clock.advance(0)
        self.assertEqual(receipts, ["r", "x"])

    def test_what_was_sent_just_before_is_found(self) -> None:
        self.ann.says("SEND", destination="/queue/a", delay="50000", persistent=self.persistent)
        self.command("REMOVEALL", receipt="r")
        self.ann.hears("RECEIPT")
        self.assertEqual(self.waits(), [])

    def test_who_hangs_up_amid_one_is_done_with_all_the_same(self) -> None:
        self.patch(waiting, "AT_ONCE", 10)
        self.later(*map(str, range(35)))
        self.command("REMOVEALL", receipt="r")
        self.ann.hangs_up()
        self.broker.clock.pump([0] * 10)
        self.assertEqual(self.waits(), [])

    def test_it_is_one_of_several_destinations_of_none(self) -> None:
        self.ann.says("SEND", destination=f"/queue/a,{COMMANDS}", AMQ_SCHEDULER_ACTION="REMOVEALL")
        self.ann.fails("scheduler command to several destinations")

    # -- in a transaction ---------------------------------------------------------------------------------

    def test_it_is_done_at_commit(self) -> None:
        sent: list[bytes] = []
        self.broker.factory.events.observe(Sent, lambda event: sent.append(event.message.body))
        self.later("1", "2", "3")
        self.begins()
        self.command("REMOVE", "1", transaction="t", receipt="r")
        self.ann.hears("RECEIPT")
        self.ann.says("SEND", destination="/queue/b", body=b"x", transaction="t")
        self.command("REMOVE", "3", transaction="t")
        self.assertEqual(self.waits(), [b"1", b"2", b"3"])
        self.commits()
        self.assertEqual((self.waits(), self.waits("/queue/b")), ([b"2"], [b"x"]))
        self.assertEqual(sent[-1], b"x")
        self.assertEqual(self.broker.engine.depth(LATER)[0], 1)
        self.assertNotIn(f"/queue/{COMMANDS}", self.broker.engine.queues())

    def test_without_one_it_is_not(self) -> None:
        self.later("1")
        self.begins("t", "u")
        self.command("REMOVEALL", transaction="t")
        self.ann.says("ABORT", transaction="t", receipt="a")
        self.ann.hears("RECEIPT")
        self.command("REMOVE", "1", transaction="u")
        self.ann.hangs_up()
        self.broker.clock.pump([0] * 5)
        self.assertEqual(self.waits(), [b"1"])

    def test_what_makes_no_sense_is_refused_when_it_is_sent(self) -> None:
        self.begins()
        self.command("REMOVE", transaction="t", receipt="r")
        self.assertEqual(self.ann.fails("scheduledJobId").headers["receipt-id"], "r")

    def test_each_is_about_what_was_before_it(self) -> None:
        self.later("1", "2")
        self.ann.subscribes("/queue/found")
        self.begins()
        said = {"transaction": "t"}
        self.later("3", **said)
        self.command("BROWSE", **{"reply-to": "/queue/found"}, **said)
        self.command("REMOVE", "1", **said)
        self.command("REMOVE", "3", **said)
        self.command("BROWSE", **{"reply-to": "/queue/found"}, **said)
        self.later("3", "4", **said)
        self.assertTrue(self.ann.hears_nothing())
        self.ann.says("COMMIT", transaction="t")
        found = [(frame.headers["scheduledJobId"], frame.body) for frame in self.ann.everything()]
        expected = [("1", b"1"), ("2", b"2"), ("2", b"2"), ("3", b"3")]
        self.assertEqual(sorted(found), expected)
        self.assertEqual(sorted(self.waits()), [b"2", b"3", b"4"])

    def test_what_has_become_due_meanwhile_is_delivered(self) -> None:
        self.later("1", delay="1000")
        self.begins()
        self.command("REMOVE", "1", transaction="t")
        self.broker.clock.pump([0.1] * 12)
        self.commits()
        self.assertEqual(self.waits("/queue/a"), [b"1"])

    def test_very_many_are_looked_through_bit_by_bit(self) -> None:
        self.patch(waiting, "AT_ONCE", 10)
        self.later(*map(str, range(35)))
        self.begins()
        self.command("REMOVEALL", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.says("SEND", destination="/queue/b", receipt="s")
        self.broker.clock.pump([0] * 10)
        self.assertEqual(sorted(frame.headers["receipt-id"] for frame in self.ann.everything()), ["c", "s"])
        self.assertEqual(self.waits(), [])

    def test_who_is_lost_amid_that_has_committed_nothing(self) -> None:
        self.later(*map(str, range(35)))
        self.ann.says("SEND", destination="/queue/b", body=b"held")
        self.ann.subscribes("/queue/b", ack="client-individual")
        self.begins()
        self.ann.acks(self.ann.hears("MESSAGE"), transaction="t")
        self.command("REMOVEALL", transaction="t")
        self.broker.factory.broker.slices.do(iter(range(PIECES)))  # others have this turn's slice
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.hangs_up()
        self.broker.clock.pump([0] * 10)
        self.assertEqual((len(self.waits()), self.waits("/queue/b")), (35, [b"held"]))

    def test_there_may_be_so_many(self) -> None:
        self.patch(scheduler_commands, "MOST", 3)
        from stomp_tx.broker.session import transaction

        self.patch(transaction, "MOST", 3)
        self.begins()
        for _ in range(4):
            self.command("REMOVE", "1", transaction="t")
        self.ann.fails("too many scheduler commands")

    def test_and_be_about_so_much(self) -> None:
        for settings, action in (
            ({"transaction_frames": 10}, "REMOVEALL"),
            ({"transaction_frames": 10}, "BROWSE"),
            ({"transaction_octets": 15_000}, "BROWSE"),
        ):
            self.begin(self.make_broker(**settings))
            self.later(*map(str, range(20)))
            self.begins()
            self.ann.says("SEND", destination="/queue/b", transaction="t")
            self.command(action, transaction="t", **{"reply-to": "/queue/found"})
            self.ann.says("COMMIT", transaction="t", receipt="c")
            error = self.ann.fails("scheduler command too large for a transaction")
            self.assertEqual(error.headers["receipt-id"], "c")
            self.assertEqual((len(self.waits()), self.waits("/queue/b")), (20, []))

    def test_what_is_not_allowed_any_more_is_not_done(self) -> None:
        for denied in (f"manage /queue/{COMMANDS}", "send /queue/found"):
            roles = AccessList((Role("all", users=("*",), allow=("all >",)),))
            broker = guarded(roles)
            self.begin(broker)
            self.ann = enters(broker, "ann")
            self.later("1", persistent="false")
            self.begins()
            self.command("BROWSE", transaction="t", **{"reply-to": "/queue/found"})
            roles.become(AccessList((Role("all", users=("*",), allow=("all >",), deny=(denied,)),)))
            broker.factory.access_changed()
            self.ann.says("COMMIT", transaction="t")
            self.ann.fails("access denied")


class ManagingOnFile(OnFile, Managing):
    persistent = "true"

    def test_a_receipt_says_that_it_is_safe(self) -> None:
        self.later("1", "2")
        self.broker.disk.held = True
        self.command("REMOVE", "1", receipt="r")
        self.assertTrue(self.ann.hears_nothing())
        self.broker.disk.goes_on()
        self.ann.hears("RECEIPT")
        self.begin(self.restart(self.broker))
        self.assertEqual(self.waits(), [b"2"])

    def test_what_was_sent_just_before_is_waited_for(self) -> None:
        self.broker.disk.held = True
        self.ann.says("SEND", destination="/queue/a", delay="50000", persistent="true", body=b"1")
        self.command("REMOVEALL")
        self.begins()
        self.ann.says("SEND", destination="/queue/a", delay="50000", persistent="true", body=b"2")
        self.command("REMOVEALL", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.broker.disk.held = False
        for _ in range(5):
            self.broker.disk.step()
            self.broker.turn()
        self.ann.hears("RECEIPT")
        self.assertEqual(self.waits(), [])

    def test_commit_is_all_or_nothing_over_a_kill(self) -> None:
        for written in (False, True):
            self.begin(self.make_broker())
            self.later("1", "2")
            self.begins()
            self.command("REMOVE", "1", transaction="t")
            self.ann.says("SEND", destination="/queue/b", body=b"x", persistent="true", transaction="t")
            self.broker.disk.held = True
            self.ann.says("COMMIT", transaction="t", receipt="c")
            self.broker.turn()
            if written:
                self.broker.disk.step()
            self.begin(self.restart(self.broker))
            expected = ([b"2"], [b"x"]) if written else ([b"1", b"2"], [])
            self.assertEqual((self.waits(), self.waits("/queue/b")), expected)

    def test_and_where_the_disk_is_full(self) -> None:
        self.later("1", "2")
        self.begins()
        self.command("REMOVE", "1", transaction="t")
        self.ann.says("SEND", destination="/queue/b", body=b"x", transaction="t")
        self.broker.disk.full = True
        self.ann.says("COMMIT", transaction="t", receipt="c")
        self.ann.fails("can't write")
        self.broker.disk.full = False
        self.assertEqual((self.waits(), self.waits("/queue/b")), ([b"1", b"2"], []))
        self.begin(self.restart(self.broker))
        self.assertEqual((self.waits(), self.waits("/queue/b")), ([b"1", b"2"], []))

    def test_a_command_that_could_not_be_written_is_told_of(self) -> None:
        self.later("1")
        self.broker.disk.full = True
        self.command("REMOVE", "1", receipt="r")
        self.assertEqual(self.ann.fails("can't write").headers["receipt-id"], "r")


class SliceTests(SynchronousTestCase):
    """All commands together take ten milliseconds of each turn, and what they show is bounded."""

    def begin(self, **settings: Any) -> None:
        self.clock = Ticking()
        self.broker = Broker(clock=self.clock, **settings)
        ann = self.broker.connect()
        for number in range(1000):
            ann.says("SEND", destination="/queue/a", delay="3600000", scheduledJobId=str(number))

    def browses(self, reply: str) -> Client:
        client = self.broker.connect()
        said = {"destination": COMMANDS, "AMQ_SCHEDULER_ACTION": "BROWSE", "reply-to": reply, "receipt": "r"}
        client.says("SEND", said)
        return client

    def test_many_at_once(self) -> None:
        self.begin()
        clients = [self.browses("/queue/found") for _ in range(5)]
        depth = self.broker.engine.depth
        while (before := depth("/queue/found")[0]) < 5000:
            self.assertTrue(self.clock.turn())
            self.assertLessEqual(depth("/queue/found")[0] - before, 11 * scheduler_commands.AT_ONCE)
        self.clock.turn()
        for client in clients:
            client.hears("RECEIPT")

    def test_no_more_is_shown_than_there_is_room_for(self) -> None:
        self.begin(patterns={"/queue/found": Policy(length=50)})
        for _ in range(3):
            client = self.browses("/queue/found")
            while client.hears_nothing():
                self.assertTrue(self.clock.turn())
            client.fails("queue full")
        self.assertEqual(self.broker.engine.depth("/queue/found")[0], 50)
