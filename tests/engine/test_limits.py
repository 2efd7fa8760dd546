"""engine/limits.py and engine/__init__.py: what an owner may write about engines."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.engine import FILE, engineFromString
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.engine.sqlite.engine import SQLiteEngine
from stomp_tx.errors import ConfigurationError


class Reactor(Clock):
    """A clock with threads that are never used."""

    def callFromThread(self, *what: Any) -> None:
        raise AssertionError("nothing was started")


class DescriptionTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @example("sqlite:\0")
    @given(st.text(max_size=20) | st.text(max_size=20).map("sqlite:{}".format) | st.text(":/ab", max_size=4))
    def test_any_text_is_an_engine_or_refused_with_what_there_is(self, text: str) -> None:
        if text == "memory:":
            return
        if text.startswith("sqlite:") and "\0" in text:
            error = self.assertRaises(ConfigurationError, engineFromString, text, Reactor())
            self.assertIn("leave out the NUL", error.detail)
            return
        if text.startswith("sqlite:"):
            engine = engineFromString(text, Reactor())
            assert isinstance(engine, SQLiteEngine)
            self.assertEqual(engine.path, text.removeprefix("sqlite:") or FILE)
            return
        error = self.assertRaises(ConfigurationError, engineFromString, text, Reactor())
        self.assertIn(repr(text), error.summary)
        self.assertIn("memory:", error.detail)

    def test_it_gets_its_limits(self) -> None:
        limits = EngineLimits(queue_length=7)
        for text in ("memory:", "sqlite:x"):
            engine = engineFromString(text, Reactor(), limits)
            assert isinstance(engine, MemoryEngine | SQLiteEngine)
            self.assertEqual(engine.limits.queue_length, 7)


class LimitTests(SynchronousTestCase):
    def test_values_that_make_no_sense_are_refused_by_name(self) -> None:
        for one in fields(EngineLimits):
            value: Any = {"overflow": "burn", "dedupe_window": -1.0, "reserve_octets": -1}.get(one.name, 0)
            with self.assertRaisesRegex(ConfigurationError, one.name):
                EngineLimits(**{one.name: value})
