import subprocess
import sys
from types import SimpleNamespace

import pytest
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.conftest import HERE, ONLY_WHEN_NAMED, pytest_collection_modifyitems, pytest_ignore_collect


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

    def test_what_needs_brokers_or_a_quiet_machine_runs_only_if_it_is_asked_for(self):
        def is_ignored(folder, *arguments):
            here = SimpleNamespace(dir=HERE.parent)
            return pytest_ignore_collect(folder, SimpleNamespace(args=arguments, invocation_params=here))

        for folder in ONLY_WHEN_NAMED:
            name = str(folder.relative_to(HERE.parent))
            for arguments in ((), ("tests",), ("tests/interop/net/tls/test_server.py",)):
                self.assertTrue(is_ignored(folder, *arguments), arguments)
            for asked in (name, f"{name}/test_messages.py::test_json[rabbitmq]"):
                self.assertIsNone(is_ignored(folder, "tests/client", asked))
            self.assertIsNone(is_ignored(folder.parent))

    def test_run_in_the_background_programs_can_be_interrupted_all_the_same(self):
        ignoring = (
            "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import tests.conftest;"
            "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
        )
        subprocess.run([sys.executable, "-c", ignoring], cwd=HERE.parent, check=True)
