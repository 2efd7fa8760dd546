"""Delayed and scheduled delivery, in the words of ActiveMQ, Artemis and RabbitMQ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.headers.scheduling import Schedule, next_time, schedule_of
from stomp_tx.broker.policy import Policy
from stomp_tx.engine import queues
from stomp_tx.errors import ProtocolViolation
from tests.broker.on_file import InMemory, OnFile
from tests.conversation import Client

START = 1_000_000_000
"""Milliseconds since 1970, when a test begins."""


class Scheduling(InMemory, SynchronousTestCase):
    persistent = "false"

    def setUp(self) -> None:
        self.begin(self.make_broker())

    def begin(self, broker: Any) -> None:
        self.broker = broker
        broker.factory.doStart()
        self.ann = broker.connect()
        self.bob: Client = broker.connect()
        self.bob.subscribes("/queue/a")

    def send(self, body: str, destination: str = "/queue/a", **headers: str) -> None:
        self.ann.says(
            "SEND", {"destination": destination, **headers}, body.encode(), persistent=self.persistent
        )
        self.assertTrue(self.ann.hears_nothing())

    def waits(self, seconds: float) -> list[bytes]:
        """What comes within this time."""
        heard = []
        for _ in range(round(seconds * 100)):
            self.broker.clock.advance(0.01)
            heard += self.bob.hears_bodies()
        return heard

    def test_a_delay(self) -> None:
        for header in ("AMQ_SCHEDULED_DELAY", "delay", "x-delay"):
            self.send("1", **{header: "50"})
            self.assertEqual(self.waits(0.04), [], header)
            self.assertEqual(self.waits(0.04), [b"1"], header)

    def test_a_time(self) -> None:
        due = int(self.broker.now() * 1000) + 1500
        self.send("1", AMQ_SCHEDULED_TIME=str(due))
        self.assertEqual(self.waits(1.49), [])
        self.assertEqual(self.waits(0.05), [b"1"])

    def test_no_delay_is_none(self) -> None:
        self.send("1", AMQ_SCHEDULED_DELAY="0")
        self.send("2", AMQ_SCHEDULED_TIME="1")
        self.assertEqual(self.bob.hears_bodies(), [b"1", b"2"])

    def test_those_due_together_come_in_the_order_sent_and_others_in_that_of_their_times(self) -> None:
        for body, delay in (("1", "300"), ("2", "100"), ("3", "300"), ("4", "200"), ("5", "300")):
            self.send(body, delay=delay)
        self.assertEqual(self.waits(0.5), [b"2", b"4", b"1", b"3", b"5"])

    def test_repeats(self) -> None:
        self.send("1", AMQ_SCHEDULED_DELAY="100", AMQ_SCHEDULED_PERIOD="1000", AMQ_SCHEDULED_REPEAT="2")
        self.assertEqual(self.waits(0.2), [b"1"])
        self.assertEqual(self.waits(1), [b"1"])
        self.assertEqual(self.waits(1), [b"1"])
        self.assertEqual(self.waits(5), [])

    def test_rounds_below_a_second_come_when_they_are_due(self) -> None:
        for period in (10, 20, 33, 100, 990):
            self.send("1", AMQ_SCHEDULED_PERIOD=str(period), AMQ_SCHEDULED_REPEAT="5")
            found = []
            for at in range(6 * period + 100):
                found += [at for _ in self.bob.hears_bodies()]
                self.broker.clock.advance(0.001)
            self.assertEqual(len(found), 6, period)
            for number, at in enumerate(found):
                self.assertIn(at - number * period, (0, 1, 2), f"{period}: {found}")

    def test_what_a_commit_brings_comes_when_it_is_due(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("1", delay="100", transaction="t")
        self.ann.says("SEND", destination="/queue/b", persistent="true", transaction="t")
        self.broker.clock.advance(3.4)
        self.ann.says("COMMIT", transaction="t")
        self.assertTrue(self.ann.hears_nothing())
        self.assertEqual(self.waits(0.04), [b"1"])

    def test_a_crontab(self) -> None:
        second = datetime.fromtimestamp(self.broker.now()).second
        self.send("1", AMQ_SCHEDULED_CRON="* * * * *")
        self.assertEqual(self.waits(60 - second - 0.1), [])
        self.assertEqual(self.waits(0.3), [b"1"])
        self.broker.clock.pump([1.0] * 120)
        self.assertEqual(self.bob.hears_bodies(), [b"1", b"1"])

    def test_a_crontab_that_begins_rounds(self) -> None:
        second = datetime.fromtimestamp(self.broker.now()).second
        self.send(
            "1",
            AMQ_SCHEDULED_CRON="* * * * *",
            AMQ_SCHEDULED_DELAY="1000",
            AMQ_SCHEDULED_PERIOD="1000",
            AMQ_SCHEDULED_REPEAT="2",
        )
        self.assertEqual(self.waits(60 - second + 0.9), [])
        self.assertEqual(self.waits(4), [b"1", b"1", b"1"])

    def test_what_is_delivered_asks_for_no_delay(self) -> None:
        self.send("1", AMQ_SCHEDULED_DELAY="100", x="y", priority="7")
        self.broker.clock.advance(0.2)
        headers = self.bob.hears("MESSAGE").headers
        self.assertEqual((headers["x"], headers["priority"]), ("y", "7"))
        self.assertIn("scheduledJobId", headers)
        self.assertEqual([name for name in headers if "AMQ_SCHEDULED" in name or "\x01" in name], [])
        self.assertEqual(headers["destination"], "/queue/a")

    def test_topics_composites_and_durable_subscriptions(self) -> None:
        cat = self.broker.connect()
        cat.subscribes("/topic/t", id="1")
        cat.subscribes("/topic/t", id="2", durable_subscription="d")
        self.send("1", "/topic/t", delay="100")
        self.send("2", "/topic/t,/queue/a", delay="200")
        self.assertEqual(self.waits(0.3), [b"2"])
        self.assertEqual(sorted(cat.hears_bodies()), [b"1", b"1", b"2", b"2"])

    def test_in_a_transaction_it_waits_from_commit_on(self) -> None:
        self.ann.says("BEGIN", transaction="t")
        self.send("1", delay="100", transaction="t")
        self.ann.says("COMMIT", transaction="t", receipt="1")
        self.ann.hears("RECEIPT")
        self.assertEqual(self.waits(0.2), [b"1"])
        self.ann.says("BEGIN", transaction="t")
        self.send("2", delay="100", transaction="t")
        self.ann.says("ABORT", transaction="t")
        self.assertEqual(self.waits(0.2), [])

    def test_its_life_begins_when_it_is_due(self) -> None:
        self.send("1", "/queue/b", delay="2000", ttl="1000")
        self.waits(2.5)
        self.assertEqual(self.broker.engine.depth("/queue/b")[0], 1)
        self.waits(2)
        self.assertEqual(self.broker.engine.depth("/queue/b")[0], 0)

    def test_a_name_for_de_duplication_counts_when_it_is_sent(self) -> None:
        for body in "12":
            self.send(body, **{"delay": "100", "message-dedupe-id": "x"})
        self.send("3", **{"delay": "100", "message-dedupe-id": "y"})
        self.assertEqual(self.waits(0.3), [b"1", b"3"])

    def test_many_for_one_time_come_bit_by_bit(self) -> None:
        self.patch(queues, "AT_ONCE", 10)
        for number in range(35):
            self.send(str(number), delay="100")
        self.assertEqual(self.waits(0.5), [b"%d" % number for number in range(35)])

    def test_they_are_bounded(self) -> None:
        self.begin(self.make_broker(scheduled=2))
        for body in "12":
            self.send(body, delay="100")
        self.ann.says("SEND", destination="/queue/a", delay="100", receipt="r", persistent=self.persistent)
        self.ann.fails("too many scheduled messages")

    def test_those_of_a_transaction_count_together(self) -> None:
        self.begin(self.make_broker(scheduled=2))
        for most in (3, 2):
            self.ann = self.broker.connect()
            self.ann.says("BEGIN", transaction="t")
            for body in "123"[:most]:
                self.send(body, delay="100", transaction="t")
            self.ann.says("COMMIT", transaction="t", receipt="c")
            if most == 3:
                self.ann.fails("too many scheduled messages")
        self.ann.hears("RECEIPT")
        self.assertEqual(self.waits(0.2), [b"1", b"2"])

    def test_what_can_t_be_is_refused(self) -> None:
        for headers, name in (
            ({"AMQ_SCHEDULED_DELAY": "soon"}, "AMQ_SCHEDULED_DELAY"),
            ({"AMQ_SCHEDULED_DELAY": "-1"}, "AMQ_SCHEDULED_DELAY"),
            ({"AMQ_SCHEDULED_DELAY": "99999999999999"}, "AMQ_SCHEDULED_DELAY"),
            ({"AMQ_SCHEDULED_TIME": "tomorrow"}, "AMQ_SCHEDULED_TIME"),
            ({"AMQ_SCHEDULED_REPEAT": "3"}, "AMQ_SCHEDULED_PERIOD"),
            ({"AMQ_SCHEDULED_REPEAT": "3", "AMQ_SCHEDULED_PERIOD": "1"}, "AMQ_SCHEDULED_PERIOD"),
            ({"AMQ_SCHEDULED_CRON": "every day"}, "AMQ_SCHEDULED_CRON"),
            ({"AMQ_SCHEDULED_CRON": "0 0 31 2 *"}, "AMQ_SCHEDULED_CRON"),
            ({"AMQ_SCHEDULED_CRON": "* * * * * *"}, "AMQ_SCHEDULED_CRON"),
            ({"x-delay": "1.5"}, "x-delay"),
        ):
            client = self.broker.connect()
            client.says("SEND", {"destination": "/queue/a", **headers})
            client.fails(f"malformed {name}")

    # -- management ---------------------------------------------------------------------------------------

    def manage(self, **headers: str) -> None:
        self.ann.says("SEND", {"destination": "ActiveMQ.Scheduler.Management", **headers})
        for _ in range(3):
            self.broker.clock.advance(0)

    def test_one_can_be_removed(self) -> None:
        self.send("1", delay="100", scheduledJobId="job 1")
        self.send("2", delay="100", scheduledJobId="job 2")
        self.manage(AMQ_SCHEDULER_ACTION="REMOVE", scheduledJobId="job 1")
        self.assertEqual(self.waits(0.2), [b"2"])

    def test_or_all_or_some(self) -> None:
        now = int(self.broker.now() * 1000)
        for body, delay in (("1", "100"), ("2", "200"), ("3", "300")):
            self.send(body, delay=delay)
        self.manage(
            AMQ_SCHEDULER_ACTION="REMOVEALL",
            ACTION_START_TIME=str(now + 150),
            ACTION_END_TIME=str(now + 250),
        )
        self.assertEqual(self.waits(0.5), [b"1", b"3"])
        self.send("4", delay="100", AMQ_SCHEDULED_PERIOD="100", AMQ_SCHEDULED_REPEAT="10")
        self.manage(AMQ_SCHEDULER_ACTION="REMOVEALL")
        self.assertEqual(self.waits(0.5), [])

    def test_or_looked_at(self) -> None:
        self.send("1", delay="100")
        self.ann.subscribes("/temp-queue/x")
        self.manage(**{"AMQ_SCHEDULER_ACTION": "BROWSE", "reply-to": "/temp-queue/x"})
        message = self.ann.hears("MESSAGE")
        self.assertEqual((message.body, message.headers["delay"]), (b"1", "100"))
        self.assertEqual(self.waits(0.2), [b"1"])

    def test_management_that_makes_no_sense_is_refused(self) -> None:
        for headers, summary in (
            ({}, "AMQ_SCHEDULER_ACTION"),
            ({"AMQ_SCHEDULER_ACTION": "REMOVE"}, "scheduledJobId"),
            ({"AMQ_SCHEDULER_ACTION": "BROWSE"}, "reply-to"),
        ):
            client = self.broker.connect()
            client.says("SEND", {"destination": "/topic/ActiveMQ.Scheduler.Management", **headers})
            client.fails(summary)

    def test_nobody_can_name_where_they_wait(self) -> None:
        self.send("1", delay="100")
        self.bob.subscribes("/later/messages", id="2")
        self.assertEqual(self.waits(0.2), [b"1"])


class SchedulingOnFile(OnFile, Scheduling):
    persistent = "true"

    def test_they_outlive_the_process(self) -> None:
        self.send("1", delay="5000")
        self.send("2", delay="1000")
        self.send("3", AMQ_SCHEDULED_PERIOD="1000", AMQ_SCHEDULED_REPEAT="100", delay="3000")
        self.begin(self.restart(self.broker))
        self.assertEqual(self.waits(3.5), [b"2", b"3"])
        self.begin(self.restart(self.broker))
        self.broker.clock.advance(2.0)
        self.assertIn(b"1", self.waits(1.5))

    def test_a_disk_that_is_slow_makes_them_late_but_none_is_lost(self) -> None:
        self.broker.disk.held = True
        self.ann.says("SEND", destination="/queue/a", delay="50", persistent="true", receipt="1")
        self.assertEqual(self.waits(0.5), [])
        self.broker.disk.held = False
        self.broker.disk.step()
        self.assertEqual(self.waits(0.04), [b""])

    def test_a_kill_at_any_time_loses_no_round_and_doubles_none(self) -> None:
        """The disk does one thing at a time, and the process ends before each of them, or after it."""
        self.bob.hangs_up()
        for end in range(12):
            self.begin(self.make_broker())
            self.bob.hangs_up()
            self.broker.disk.held = True
            self.ann.says(
                "SEND",
                {"destination": "/queue/a", "AMQ_SCHEDULED_PERIOD": "20", "AMQ_SCHEDULED_REPEAT": "4"},
                persistent="true",
            )
            self.broker.turn()
            self.broker.disk.step()  # it is safe
            self.broker.clock.pump([0.01] * 3)
            for _ in range(end):
                self.broker.disk.step()
                self.broker.clock.pump([0.01] * 3)
            for again in range(end % 3):
                self.begin(self.restart(self.broker))
                self.bob.hangs_up()
                self.broker.disk.held = True
                for _ in range(again):
                    self.broker.clock.pump([0.01] * 3)
                    self.broker.disk.step()
            self.begin(self.restart(self.broker))
            self.bob.hangs_up()
            self.broker.clock.pump([0.01] * 300)
            self.assertEqual(len(self.broker.waiting("/queue/a")), 5, end)

    def test_a_receipt_says_that_it_is_safe(self) -> None:
        self.broker.disk.held = True
        self.ann.says("SEND", destination="/queue/a", delay="1000", persistent="true", receipt="1")
        self.assertTrue(self.ann.hears_nothing())
        self.broker.disk.goes_on()
        self.ann.hears("RECEIPT")


class ScheduleTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "AMQ_SCHEDULED_DELAY",
                    "AMQ_SCHEDULED_TIME",
                    "AMQ_SCHEDULED_PERIOD",
                    "AMQ_SCHEDULED_REPEAT",
                    "AMQ_SCHEDULED_CRON",
                    "delay",
                ]
            ),
            st.one_of(
                st.integers(-1, 10**16).map(str),
                st.text(max_size=12),
                st.sampled_from(["* * * * *", "0 7 * * 1-5", "*/5 * * * *", "0 0 29 2 *", "0 0 L * *"]),
            ),
        )
    )
    def test_whatever_is_asked_it_is_later_or_refused(self, headers: dict[str, str]) -> None:
        try:
            schedule = schedule_of(headers, START)
        except ProtocolViolation as error:
            self.assertTrue(error.summary.startswith("malformed "))
            return
        if schedule is not None:
            self.assertGreaterEqual(schedule.due, START)
            for after in schedule.after(START + 5000):
                self.assertGreater(after.due, START)

    def test_rounds_that_were_missed_are_not_made_up_for_and_the_rhythm_stays(self) -> None:
        (again,) = Schedule(1000, period=100, repeat=5).after(1450)
        self.assertEqual((again.due, again.repeat), (1400, 4))
        (again,) = Schedule(1000, period=100, repeat=5).after(1010)
        self.assertEqual((again.due, again.repeat), (1100, 4))
        self.assertEqual(Schedule(1000, period=100, repeat=0).after(1010), [])

    def test_a_crontab_is_of_this_machine_s_time(self) -> None:
        noon = datetime(2026, 3, 4, 11, 59).astimezone()
        found = datetime.fromtimestamp(next_time("0 12 * * *", int(noon.timestamp() * 1000)) / 1000)
        self.assertEqual((found.day, found.hour, found.minute), (4, 12, 0))


class PolicyTests(SynchronousTestCase):
    def test_the_destination_s_policy_counts_when_it_is_delivered(self) -> None:
        from tests.conversation import Broker

        broker = Broker(patterns={"/queue/a": Policy(ttl=10)})
        broker.factory.doStart()
        self.addCleanup(broker.factory.doStop)
        ann = broker.connect()
        ann.says("SEND", destination="/queue/a", delay="1000")
        broker.clock.advance(1.1)
        ann.subscribes("/queue/a")
        expires = int(ann.hears("MESSAGE").headers["expires"])
        self.assertAlmostEqual(expires, START + 11_100, delta=100)
