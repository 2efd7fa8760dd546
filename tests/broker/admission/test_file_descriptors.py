"""file_descriptors.py: limits on connections that fit the process."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.broker.admission.connection_limits import TURNED_AWAY
from stomp_tx.broker.admission.file_descriptors import OWN, descriptors, fitted
from stomp_tx.broker.settings import BrokerSettings


class DescriptorsTests(SynchronousTestCase):
    def limits(self, files: int, **settings: int) -> tuple[int, int, int, int]:
        found = fitted(BrokerSettings(**settings), files)
        return (
            found.connections,
            found.connections_per_address,
            found.strangers,
            found.strangers_per_address,
        )

    def test_the_broker_s_own_files_have_room(self) -> None:
        for files in (256, 1024, 4096, 65536, 1_000_000):
            self.assertLessEqual(self.limits(files)[0] + TURNED_AWAY + OWN, files)

    def test_by_default_one_address_has_never_all(self) -> None:
        self.assertEqual(self.limits(256), (176, 132, 88, 22))
        self.assertEqual(self.limits(1024), (928, 696, 464, 116))
        self.assertEqual(self.limits(65536), (61408, 10_000, 2000, 500))

    def test_any_number_is_what_there_is_room_for(self) -> None:
        nothing = {"connections_per_address": 0, "strangers": 0, "strangers_per_address": 0}
        self.assertEqual(self.limits(1024, **nothing), (928, 696, 464, 116))

    def test_who_wants_less_gets_it(self) -> None:
        wanted = {
            "connections": 100,
            "connections_per_address": 7,
            "strangers": 10,
            "strangers_per_address": 2,
        }
        self.assertEqual(self.limits(65536, **wanted), (100, 7, 10, 2))

    def test_who_wants_more_gets_what_there_is(self) -> None:
        self.assertEqual(self.limits(1024, connections=100_000)[0], 928)

    def test_with_hardly_any_there_is_still_a_broker(self) -> None:
        self.assertEqual(self.limits(16), (8, 6, 4, 1))
        self.assertEqual(self.limits(1), (1, 1, 1, 1))

    def test_what_this_process_may_have(self) -> None:
        self.assertGreater(descriptors(), 0)
