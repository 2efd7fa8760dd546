from types import SimpleNamespace

import pytest
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.conftest import pytest_collection_modifyitems


class Synchronous(SynchronousTestCase):
    async def runs_never(self):
        raise AssertionError("somebody waited for it")

    def runs(self):
        pass


class Waiting(TestCase):
    async def runs(self):
        pass


def item(cls, name):
    return SimpleNamespace(cls=cls, name=name, nodeid=f"{cls}::{name}")


class CollectionTests(SynchronousTestCase):
    def test_async_test_that_nobody_awaits_is_refused(self):
        with self.assertRaises(pytest.UsageError) as raised:
            pytest_collection_modifyitems([item(Waiting, "runs"), item(Synchronous, "runs_never")])
        self.assertIn("runs_never", str(raised.exception))

    def test_tests_that_start_the_reactor_go_first_and_the_rest_keep_their_order(self):
        function, quick, waiting = item(None, "function"), item(Synchronous, "runs"), item(Waiting, "runs")
        items = [function, quick, waiting]
        pytest_collection_modifyitems(items)
        self.assertEqual(items, [waiting, function, quick])
