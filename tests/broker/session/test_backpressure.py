"""broker/session/backpressure.py: who sends waits until there is room, before anything is kept."""

from __future__ import annotations

from twisted.internet.address import IPv6Address
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker import broker as shared
from stomp_tx.broker.event_log import EventLog
from stomp_tx.broker.events import MemoryShort
from stomp_tx.broker.policy import Policy
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.message import Message
from tests.broker.on_file import OnFile
from tests.conversation import Broker, Client


class Conversations(SynchronousTestCase):
    persistent = "false"

    def make_broker(self, **settings: object) -> Broker:
        return Broker(**settings)

    def sends(self, body: str, queue: str = "/queue/a", client: Client | None = None, **more: str) -> Client:
        """One SEND that asks for a receipt."""
        client = client or self.broker.connect()
        headers = {"destination": queue, "persistent": self.persistent, "receipt": body}
        client.says("SEND", {**headers, **more}, body.encode())
        self.passes()
        return client

    def passes(self) -> None:
        self.broker.clock.pump([0.0] * 5)

    def taken(self, queue: str = "/queue/a") -> list[bytes]:
        """All that can be taken from there."""
        taker = self.broker.connect()
        taker.subscribes(queue)
        bodies: list[bytes] = []
        for _ in range(50):
            bodies += taker.hears_bodies()
            self.passes()
        taker.hangs_up()
        return bodies


class OneShotTests(Conversations):
    """Producers that connect, send once and leave."""

    def receipts_of(self, count: int, bodies: str = "x", queue: str = "/queue/a") -> int:
        found = 0
        for number in range(count):
            client = self.sends(f"{number}{bodies}", queue.format(number))
            found += len(client.everything())
            client.hangs_up()
        return found

    def test_a_queue_gets_no_longer_than_its_policy_says(self) -> None:
        self.broker = self.make_broker(length=3)
        self.assertEqual(self.receipts_of(20), 3)
        self.assertEqual(self.taken(), [b"0x", b"1x", b"2x"])

    def test_nor_larger(self) -> None:
        self.broker = self.make_broker(octets=10_000)
        self.assertLess(self.receipts_of(50), 12)

    def test_the_limits_of_memory_bound_them(self) -> None:
        for limits in ({"queue_length": 5}, {"queue_octets": 20_000}, {"total_octets": 20_000}):
            if self.persistent == "true":
                limits = {"stored_octets": 20_000}
            self.broker = self.make_broker(limits=EngineLimits(**limits))
            self.assertLess(self.receipts_of(50, 3000 * "x"), 11, limits)

    def test_a_new_name_is_no_way_around(self) -> None:
        limits = {"stored_octets": 20_000, "total_octets": 20_000}
        self.broker = self.make_broker(limits=EngineLimits(**limits))
        self.assertLess(self.receipts_of(50, 3000 * "x", "/queue/{}"), 11)

    def test_one_that_has_left_was_never_taken(self) -> None:
        self.broker = self.make_broker(length=1)
        self.sends("1")
        self.sends("2").hangs_up()
        waits = self.sends("3")
        self.assertEqual(self.taken(), [b"1", b"3"])
        self.assertEqual(len(waits.everything()), 0 if waits.is_closed else 1)
        self.assertEqual(self.broker.factory.broker.account.held, 0)

    def test_what_waits_has_a_bound_too(self) -> None:
        self.broker = self.make_broker(length=1, unfinished_octets=30_000)
        self.sends("1")
        clients = [self.sends(5000 * "x") for _ in range(8)]
        refused = [one for one in clients if one.is_closed]
        self.assertEqual(len(refused), 6)
        refused[0].fails("too much waits for room")


class OneShotOnFileTests(OnFile, OneShotTests):
    persistent = "true"


class OrderTests(Conversations):
    def test_nothing_overtakes(self) -> None:
        self.broker = self.make_broker(length=1)
        ann, bob = self.broker.connect(), self.broker.connect()
        for number in range(3):
            self.sends(f"ann {number}", client=ann)
        self.sends("bob 0", client=bob)
        self.sends("elsewhere", "/queue/b", ann)
        self.assertEqual([one.headers["receipt-id"] for one in ann.everything()], ["ann 0"])
        taken = self.taken()
        self.assertEqual([body for body in taken if b"ann" in body], [b"ann 0", b"ann 1", b"ann 2"])
        self.assertEqual(len(taken), 4)
        self.assertEqual(
            [one.headers["receipt-id"] for one in ann.everything()], ["ann 1", "ann 2", "elsewhere"]
        )

    def test_another_queue_is_not_waited_for(self) -> None:
        self.broker = self.make_broker(patterns={"/queue/a": Policy(length=1)})
        ann = self.sends("1")
        self.sends("2", "/queue/b", ann)
        self.assertEqual(len(ann.everything()), 2)

    def test_a_commit_waits_before_it_happens(self) -> None:
        self.broker = self.make_broker(length=1)
        self.sends("1")
        ann = self.broker.connect()
        ann.says("BEGIN", transaction="t")
        ann.says("SEND", {"destination": "/queue/b", "transaction": "t"}, b"b")
        ann.says("SEND", {"destination": "/queue/a", "transaction": "t"}, b"2")
        ann.says("COMMIT", transaction="t", receipt="c")
        self.passes()
        self.assertTrue(ann.hears_nothing())
        self.assertEqual(self.taken("/queue/b"), [])
        self.assertEqual(self.taken(), [b"1", b"2"])
        self.assertEqual(self.taken("/queue/b"), [b"b"])
        ann.hears("RECEIPT")

    def test_one_that_is_to_come_later_is_refused_and_does_not_wait_for_time_to_pass(self) -> None:
        self.broker = self.make_broker(limits=EngineLimits(queue_length=2))
        for number in range(2):
            self.sends(str(number), AMQ_SCHEDULED_DELAY="100000").hears("RECEIPT")
        self.sends("3", AMQ_SCHEDULED_DELAY="100000").fails("too many scheduled messages")


MIB = 1024 * 1024


class SharesTests(Conversations):
    """No user keeps another one from their part of the memory."""

    def setUp(self) -> None:
        self.broker = self.make_broker(memory=10 * MIB)
        self.shares = self.broker.factory.broker.shares

    def user(self, number: int) -> Client:
        """Who comes from another network is somebody else."""
        return self.broker.knocks(IPv6Address("TCP", f"2001:db8:0:{number}::1", 1))

    def fills(self, number: int, size: int = 100_000) -> int:
        """One-shot producers of one user, as many as are receipted; how many octets that was."""
        before = self.broker.engine.octets
        for count in range(500):
            client = self.user(number)
            client.says("SEND", {"destination": f"/queue/{number}.{count}", "receipt": "r"}, size * b"x")
            if not any(frame.command == "RECEIPT" for frame in client.everything()):
                return self.broker.engine.octets - before
        raise AssertionError("there is no end")

    def test_where_no_memory_is_set_nobody_is_held_to_a_share(self) -> None:
        self.patch(shared, "default_memory", lambda: MIB)
        self.broker = self.make_broker()
        client = self.user(1)
        client.hears("CONNECTED")
        for _ in range(20):
            client.says("SEND", {"destination": "/queue/a", "receipt": "r"}, 100_000 * b"x")
            client.hears("RECEIPT")

    def test_alone_one_gets_four_fifths_and_a_newcomer_finds_room(self) -> None:
        self.assertApproximates(self.fills(1) / MIB, 8, 0.2)
        second = self.fills(2)
        self.assertApproximates(second / MIB, 1.6, 0.3)
        self.assertLess(self.shares._account.octets, 10 * MIB)

    def test_who_is_over_waits_and_goes_on_when_there_is_room(self) -> None:
        self.fills(1)
        waits = self.user(1)
        waits.says("SEND", {"destination": "/queue/x", "receipt": "r"}, 100_000 * b"x")
        self.broker.clock.pump([0.1] * 20)
        self.assertNotIn("RECEIPT", [frame.command for frame in waits.everything()])
        other = self.user(2)
        other.says("SEND", {"destination": "/queue/x", "receipt": "r"}, 1000 * b"x")
        self.assertIn("RECEIPT", [frame.command for frame in other.everything()])
        for number in range(20):
            self.taken(f"/queue/1.{number}")
        self.broker.clock.pump([0.1] * 20)
        self.assertIn("RECEIPT", [frame.command for frame in waits.everything()])

    def test_it_is_told(self) -> None:
        told: list[MemoryShort] = []
        self.broker.factory.events.observe(MemoryShort, told.append)
        lines: list[str] = []
        log = Logger(observer=lambda event: lines.append(formatEvent(event)))  # type: ignore[arg-type]
        EventLog(self.broker.factory.events, log, self.broker.clock.seconds)
        for _ in range(3):
            self.fills(1)
        self.assertEqual([event.owner for event in told], 3 * ["address 2001:db8:0:1::/64"])
        self.assertGreater(told[-1].held, 200_000)
        self.assertGreater(told[-1].octets, 8 * MIB)
        self.assertLess(told[-1].share, told[-1].octets + 100_000)
        waits = [line for line in lines if "sends waits" in line]
        self.assertEqual(len(waits), 1)
        self.assertIn("what address 2001:db8:0:1::/64 sends waits: ", waits[0])

    def test_what_no_share_has_room_for_is_refused(self) -> None:
        ann = self.user(1)
        self.broker.engine.notice(0)
        ann.says("SEND", {"destination": "/queue/a"}, b"1")
        ann.says("SEND", {"destination": "/queue/a"}, 9 * MIB * b"x")
        ann.hears("CONNECTED")
        ann.fails("message too large")

    def test_the_alarm_is_off_again_when_there_is_room(self) -> None:
        account = self.shares._account
        somebody = account.owner("somebody")
        for part, is_alarmed in ((0.94, False), (0.96, True), (0.86, True), (0.84, False), (0.9, False)):
            account.charge(somebody, int(part * 10 * MIB) - account.octets)
            self.assertEqual(self.shares.is_alarmed, is_alarmed, part)

    def test_open_transactions_count(self) -> None:
        refused = 0
        for _ in range(20):
            client = self.user(1)
            client.says("BEGIN", transaction="t")
            for _ in range(10):
                client.says("SEND", {"destination": "/queue/a", "transaction": "t"}, 100_000 * b"x")
            refused += client.is_closed
        self.assertGreater(refused, 5)
        self.assertLess(self.shares._account.octets / MIB, 8.1)
        self.assertGreater(self.fills(2), 0)

    def listens(self, count: int, size: int) -> int:
        """One who acknowledges nothing; what is in flight then."""
        self.reader = self.user(1)
        self.reader.subscribes("/topic/t", ack="client-individual", prefetch_count="1000")
        producer = self.user(2)
        for _ in range(count):
            producer.says("SEND", {"destination": "/topic/t"}, size * b"x")
        self.assertFalse(producer.is_closed)
        return self.shares._account.elsewhere

    def test_a_topic_gives_no_more_than_its_subscriber_may_hold(self) -> None:
        self.broker = self.make_broker(topic_backlog_octets=MIB, memory=100 * MIB)
        self.shares = self.broker.factory.broker.shares
        self.assertLess(self.listens(100, 100_000), 1.2 * MIB)
        messages = [frame for frame in self.reader.everything() if frame.command == "MESSAGE"]
        self.assertEqual(len(messages), 11)
        for message in messages:
            self.reader.acks(message)
        self.passes()
        messages = [frame for frame in self.reader.everything() if frame.command == "MESSAGE"]
        self.assertEqual(len(messages), 10)
        self.reader.says("UNSUBSCRIBE", id="1")
        self.assertEqual(self.shares._account.octets, 0)

    def test_nor_more_than_its_users_share(self) -> None:
        self.assertLess(self.listens(150, 100_000), 8.3 * MIB)
        self.assertGreater(self.fills(2), 0)
        self.reader.hangs_up()
        self.assertEqual(self.shares._account.elsewhere, self.shares._account.held)

    def test_nothing_is_charged_when_all_have_left(self) -> None:
        client = self.user(1)
        client.says("BEGIN", transaction="t")
        client.says("SEND", {"destination": "/queue/a", "transaction": "t"}, 100_000 * b"x")
        self.assertGreater(self.shares._account.elsewhere, 100_000)
        client.says("ABORT", transaction="t")
        self.assertEqual(self.shares._account.octets, 0)
        client.says("BEGIN", transaction="t")
        client.says("SEND", {"destination": "/queue/a", "transaction": "t"}, 100_000 * b"x")
        client.hangs_up()
        self.assertEqual(self.shares._account.octets, 0)


class WorkerTests(Conversations):
    """Who takes, sends what came of it and acknowledges never stands still."""

    def begin(self, **limits: int) -> Client:
        self.broker = self.make_broker(limits=EngineLimits(**limits), memory=10 * MIB)
        for number in range(100):
            producer = self.sends(str(number), "/queue/jobs", padding=1000 * "x")
            producer.hangs_up()
        return self.broker.connect()

    def works(self, worker: Client, jobs: str = "/queue/jobs", **more: str) -> int:
        """How many it has done."""
        worker.subscribes(jobs, ack="client-individual", prefetch_count="2")
        done = 0
        for _ in range(300):
            self.passes()
            for frame in worker.everything():
                if frame.command == "MESSAGE":
                    done += 1
                    if more:
                        worker.says("BEGIN", transaction="t")
                    result = {"destination": "/queue/results", "padding": 1000 * "x", **more}
                    worker.says("SEND", {**result, "persistent": self.persistent}, frame.body)
                    worker.acks(frame, **more)
                    if more:
                        worker.says("COMMIT", transaction="t")
        return done

    def limits(self) -> dict[str, int]:
        return {"total_octets": 60_000}

    def test_it_goes_on_at_the_limit(self) -> None:
        for more in ({}, {"transaction": "t"}):
            worker = self.begin(**self.limits())
            waiting = self.broker.engine.depth("/queue/jobs")[0]
            self.assertLess(waiting, 100)
            self.assertGreaterEqual(self.works(worker, **more), waiting)
            self.assertFalse(worker.is_closed)

    def test_so_it_does_with_several_queues(self) -> None:
        worker = self.begin(**self.limits())
        waiting = self.broker.engine.depth("/queue/jobs")[0]
        self.assertGreaterEqual(self.works(worker, "/queue/jobs,/queue/others"), waiting)
        self.assertFalse(worker.is_closed)

    def test_what_goes_beyond_is_refused(self) -> None:
        worker = self.begin(**self.limits())
        worker.subscribes("/queue/jobs", ack="client-individual", prefetch_count="1")
        self.passes()
        worker.hears("MESSAGE")
        for _ in range(40):
            self.sends("x", "/queue/results", worker, padding=10_000 * "x")
        worker.everything()
        self.assertTrue(worker.is_closed)
        self.assertEqual(self.broker.factory.broker.account.lent, 0)

    def test_who_is_given_something_while_it_waits_goes_on(self) -> None:
        worker = self.begin(**self.limits())
        worker.subscribes("/queue/later", ack="client-individual")
        self.sends("waits", "/queue/results", worker)
        self.assertTrue(worker.hears_nothing())
        self.assertTrue(self.broker.factory.broker.held)
        engine = self.broker.engine
        engine.append(Message("1", "/queue/later", "/queue/later", {}, b"", 10))
        self.broker.factory.broker._look_at_held()
        self.passes()
        self.assertEqual(sorted(one.command for one in worker.everything()), ["MESSAGE", "RECEIPT"])


class WorkerOnFileTests(OnFile, WorkerTests):
    persistent = "true"

    def limits(self) -> dict[str, int]:
        return {"stored_octets": 60_000}
