"""broker/session/backpressure.py: who sends waits until there is room, before anything is kept."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.policy import Policy
from stomp_tx.engine.limits import EngineLimits
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
