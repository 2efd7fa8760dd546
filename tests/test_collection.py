from types import SimpleNamespace

import pytest
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.conftest import WITH_OTHER_BROKERS, pytest_collection_modifyitems, pytest_ignore_collect


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

    def test_other_people_s_brokers_are_started_only_if_they_are_asked_for(self):
        def is_ignored(folder, *arguments):
            here = SimpleNamespace(dir=WITH_OTHER_BROKERS.parents[2])
            return pytest_ignore_collect(folder, SimpleNamespace(args=arguments, invocation_params=here))

        for arguments in ((), ("tests",), ("tests/interop/test_tls.py",)):
            self.assertTrue(is_ignored(WITH_OTHER_BROKERS, *arguments), arguments)
        for asked in ("tests/interop/brokers", "tests/interop/brokers/test_messages.py::test_json[rabbitmq]"):
            self.assertIsNone(is_ignored(WITH_OTHER_BROKERS, "tests/client", asked))
        self.assertIsNone(is_ignored(WITH_OTHER_BROKERS.parent))
