"""How pytest runs a suite that is trial's as well."""

import inspect
import signal
import unittest
from collections.abc import Iterable
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase, TestCase


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trial runs tests in its `_trial_temp`, and `mktemp` counts on that."""
    if issubclass(request.cls or object, SynchronousTestCase):
        monkeypatch.chdir(tmp_path)


# A script that runs the tests in the background has them ignore Ctrl-C; so would every program they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent

ONLY_WHEN_NAMED = (
    HERE / "interop" / "brokers",  # they start other people's brokers: make interop
    HERE / "timed",  # they look at a clock, and want a quiet machine: make torture
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the folders that ``make test`` is not for, unless they are named."""
    if collection_path not in ONLY_WHEN_NAMED:
        return None
    named = [Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args]
    return None if any(path.resolve().is_relative_to(collection_path) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    refuse_tests_that_never_run(items)
    # Trial starts the reactor for each test that waits; pytest-twisted keeps it running from its first test,
    # plain functions included, and after that trial cannot start it. So trial's tests go first.
    items.sort(key=lambda item: not issubclass(getattr(item, "cls", None) or object, TestCase))


def refuse_tests_that_never_run(items: Iterable[pytest.Item]) -> None:
    """Raise UsageError for an `async def` test in a class that does not wait for it: it would pass unrun."""
    awaiting = (TestCase, unittest.IsolatedAsyncioTestCase)
    for item in items:
        cls = getattr(item, "cls", None)
        if cls is None or not issubclass(cls, unittest.TestCase) or issubclass(cls, awaiting):
            continue
        if inspect.iscoroutinefunction(inspect.unwrap(getattr(cls, item.name))):
            raise pytest.UsageError(
                f"{item.nodeid} is `async def` in a class that does not wait for it, so it would pass without"
                " running: derive the class from twisted.trial.unittest.TestCase"
            )
