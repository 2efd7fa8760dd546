"""broker/destinations/demand.py: for what is held back the engine is asked for others, up to a bound."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.destinations import demand
from stomp_tx.broker.destinations.demand import Demand


class Claim:
    def __init__(self) -> None:
        self.requested: list[int] = []

    def request(self, count: int) -> None:
        self.requested.append(count)


class DemandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(demand, "HELD", 2)
        self.claim: Any = Claim()
        self.demand = Demand(self.claim)

    def test_another_one_is_asked_for_in_place_of_each_that_is_held_up_to_the_bound(self) -> None:
        for _ in range(4):
            self.demand.hold()
        self.assertEqual((self.demand.held, self.claim.requested), (4, [1, 1]))

    def test_those_that_were_not_asked_for_are_when_others_are_released(self) -> None:
        for _ in range(4):
            self.demand.hold()
        self.claim.requested.clear()
        self.demand.release(1)
        self.demand.release(3)
        self.assertEqual((self.demand.held, self.claim.requested), (0, [1, 1]))

    def test_credit_that_was_asked_for_and_used_is_taken_back(self) -> None:
        self.demand.hold()
        self.demand.release(1, used=1)
        self.assertEqual(self.claim.requested, [1, -1])

    def test_unless_another_one_is_due_for_it(self) -> None:
        for _ in range(3):
            self.demand.hold()
        self.demand.release(1, used=1)
        self.assertEqual(self.claim.requested, [1, 1])
