"""engine/room.py: what queues hold, and who waits for room."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.account import Owner
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.room import AT_ONCE, Room


class Sized:
    """A queue of some size."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.own_limits: tuple[int, int] | None = None
        self.size = (0, 0)

    def depth(self) -> tuple[int, int]:
        return self.size

    def depth_in_memory(self) -> tuple[int, int]:
        return self.size


class RoomTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.owner = Owner("ann")
        self.a, self.b = Sized("/queue/a"), Sized("/queue/b")
        queues = {"/queue/a": self.a, "/queue/b": self.b}
        limits = EngineLimits(queue_length=10, queue_octets=20_000, total_octets=40_000, stored_octets=50_000)
        self.room = Room(limits, queues.get)

    def holds(self, queue: Sized, length: int, octets: int) -> None:
        self.room.octets += octets - queue.size[1]
        queue.size = (length, octets)

    def wait(self, *queues: Sized, owner: Owner | None = None) -> Deferred[None]:
        wanted = self.room.wait([queue.name for queue in queues], owner or self.owner)
        assert wanted is not None
        return wanted

    def test_each_limit(self) -> None:
        self.assertFalse(self.room.is_full(self.a))
        for length, octets in ((10, 9_500), (1, 20_000)):
            self.holds(self.a, length, octets)
            self.holds(self.b, 9, 19_900)
            self.assertTrue(self.room.is_full(self.a), (length, octets))
            self.assertFalse(self.room.is_full(self.b))
        self.holds(self.a, 9, 19_999)
        self.assertFalse(self.room.is_full(self.a))
        self.room.octets = 40_000
        self.assertTrue(self.room.is_full(self.a))

    def test_what_is_stored_has_a_limit_of_its_own(self) -> None:
        self.room.stored_octets = 50_000
        self.assertTrue(self.room.is_full(self.a))
        wanted = self.wait(self.a)
        self.room.stored_octets = 46_000
        self.room.wake(self.a.name)
        self.assertNoResult(wanted)
        self.room.stored_octets = 45_000
        self.room.wake(self.b.name)  # it is room for all
        self.successResultOf(wanted)

    def test_where_the_rest_is_stored_memory_is_no_limit(self) -> None:
        self.holds(self.a, 100, 30_000)
        self.room.spills = True
        self.assertTrue(self.room.memory_is_full(self.a))
        self.assertFalse(self.room.is_full(self.a))

    def test_who_waits_goes_on_when_there_is_some_room_not_a_little(self) -> None:
        self.holds(self.a, 10, 9_500)
        wanted = self.wait(self.b, self.a)
        for length, goes_on in ((10, False), (9, True)):
            self.holds(self.a, length, 950 * length)
            self.room.wake("/queue/a")
            self.assertEqual(wanted.called, goes_on, length)
        self.assertEqual(self.room.lines, {})

    def test_a_queue_s_own_limits(self) -> None:
        self.room.limits_of = {"/queue/a": (5, 0), "/queue/b": (0, 500)}.__getitem__
        self.holds(self.a, 4, 4000)
        self.holds(self.b, 9, 499)
        self.assertFalse(self.room.is_full(self.a) or self.room.is_full(self.b))
        self.holds(self.a, 5, 10)
        self.holds(self.b, 1, 500)
        self.assertTrue(self.room.is_full(self.a) and self.room.is_full(self.b))
        wanted = self.wait(self.a)
        self.room.limits_of = None
        self.a.own_limits = None
        self.room.wake_some()
        self.successResultOf(wanted)

    def test_who_waits_no_more_is_forgotten(self) -> None:
        self.holds(self.a, 10, 9_500)
        wanted = self.wait(self.a)
        wanted.addErrback(lambda _: None)
        wanted.cancel()
        self.holds(self.a, 0, 0)
        self.room.wake("/queue/a")
        self.assertEqual(self.room.lines, {})

    # -- whose turn it is ---------------------------------------------------------------------------------

    def comes(self, wanted: Deferred[None], queue: Sized) -> Deferred[None]:
        """When it goes on, it puts one message into that queue."""
        return wanted.addCallback(
            lambda _: self.holds(queue, queue.size[0] + 1, queue.size[1] + 950)  # type: ignore[arg-type]
        )

    def test_one_goes_on_for_each_room_that_is_made(self) -> None:
        self.holds(self.a, 10, 9_500)
        waiting = [self.comes(self.wait(self.a), self.a) for _ in range(3)]
        self.holds(self.a, 9, 8_550)
        self.room.wake("/queue/a")
        self.assertEqual([one.called for one in waiting], [True, False, False])
        self.holds(self.a, 8, 7_600)
        self.room.wake("/queue/a")
        self.assertEqual([one.called for one in waiting], [True, True, True])

    def test_owners_take_turns(self) -> None:
        self.holds(self.a, 10, 9_500)
        bob = Owner("bob")
        waiting = [self.comes(self.wait(self.a), self.a) for _ in range(3)]
        waiting.append(self.comes(self.wait(self.a, owner=bob), self.a))
        self.holds(self.a, 8, 7_600)
        self.room.wake("/queue/a")
        self.assertEqual([one.called for one in waiting], [True, False, False, True])

    def test_who_comes_later_waits_behind_who_waits(self) -> None:
        self.holds(self.a, 10, 9_500)
        self.wait(self.a)
        self.holds(self.a, 0, 0)
        self.assertIsNotNone(self.room.wait([self.a.name], self.owner))

    def test_who_finds_no_room_in_their_turn_is_next_again(self) -> None:
        self.holds(self.a, 10, 9_500)
        first, second = self.wait(self.a), self.wait(self.a)
        found: list[Deferred[None] | None] = []

        def finds_none(_: None) -> None:
            self.holds(self.a, 10, 9_500)
            found.append(self.room.wait([self.a.name], self.owner, is_next=True))

        first.addCallback(finds_none)
        self.holds(self.a, 0, 0)
        self.room.wake("/queue/a")
        self.assertFalse(second.called)
        self.holds(self.a, 9, 0)
        again = found[0]
        assert again is not None
        again.addCallback(lambda _: self.holds(self.a, 10, 9_500))
        self.room.wake("/queue/a")
        self.assertTrue(again.called)
        self.assertFalse(second.called)

    def test_not_more_go_on_at_a_time_than_others_can_wait_for(self) -> None:
        self.holds(self.a, 10, 9_500)
        waiting = [self.wait(self.a) for _ in range(AT_ONCE + 5)]
        self.holds(self.a, 0, 0)
        self.room.wake("/queue/a")
        self.assertEqual(sum(one.called for one in waiting), AT_ONCE)
        self.room.wake_some()
        self.assertTrue(all(one.called for one in waiting))
        self.assertFalse(self.room.wake_some())

    def test_a_queue_that_there_is_not_is_full_when_all_together_are(self) -> None:
        self.room.octets = 40_000
        wanted = self.room.wait(["/queue/new"], self.owner)
        assert wanted is not None
        self.room.octets = 36_000
        self.room.wake("/queue/a")
        self.assertTrue(wanted.called)
