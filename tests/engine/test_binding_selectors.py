"""Changes of selectors on a disk that is held back, full, or cut off by a kill."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from stomp_tx.errors import EngineError
from stomp_tx.interfaces import Safe
from stomp_tx.message import PERSISTENT, Message
from tests.broker.on_file import open_engine

QUEUE, TOPIC = "/dsub/a", "/topic/t"


def wants(text: str, body: str) -> bool:
    """A selector's text is wanted in the body."""
    return text in body


class Life:
    """One durable subscription, and what is known of it.

    stored -- the selector that is safe
    coming -- those that are on their way
    sure -- bodies of messages that it keeps (True: one of these wants them) or does not
    persistent -- bodies of those that outlive the process
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.clock = Clock()
        self.stored = "x"
        self.coming: list[str] = []
        self.sure: dict[str, bool] = {}
        self.persistent: set[str] = set()
        self.numbers = 0
        self.begins()
        self.engine.bind(QUEUE, TOPIC, "x")
        self.turn()

    def begins(self) -> None:
        self.engine, self.disk = open_engine(self.path, self.clock, lambda: 1000.0)
        self.engine.select(lambda queue, text: lambda message: wants(text, message.body.decode()))

    def when(self, safe: Safe, done: Any, failed: Any) -> None:
        if safe is None:
            done()
        else:
            safe.addCallbacks(lambda _: done(), lambda failure: (failed(), failure)[1])

    def change(self, text: str) -> None:
        if text == self.engine.selectors[QUEUE]:
            self.engine.bind(QUEUE, TOPIC, text)
            return
        if self.coming:  # one at a time
            try:
                self.engine.bind(QUEUE, TOPIC, text)
            except EngineError:
                return
            raise AssertionError("two changes at a time")
        self.coming.append(text)

        def done() -> None:
            self.coming.remove(text)
            self.stored = text

        self.when(self.engine.bind(QUEUE, TOPIC, text), done, lambda: self.coming.remove(text))

    def publish(self, letters: str, persistent: bool) -> None:
        self.numbers += 1
        body = f"{self.numbers}{letters}"
        message = Message(body, TOPIC, TOPIC, {}, body.encode(), 100)
        if persistent:
            message.keeping = PERSISTENT
            self.persistent.add(body)
        changes = bool(self.coming)
        wanted = any(wants(text, body) for text in (self.stored, *self.coming))
        safe = self.engine.publish(message)
        if wanted:
            self.when(safe, lambda: self.sure.update({body: True}), lambda: None)
        elif not changes:  # (meanwhile it may be kept for the sake of one that has been overtaken)
            self.sure[body] = False

    def sifted(self) -> None:
        if not self.coming:
            self.engine.sifted(QUEUE)

    def held(self) -> None:
        self.disk.held = True

    def goes_on(self) -> None:
        self.disk.goes_on()

    def step(self) -> None:
        self.disk.step()

    def full(self) -> None:
        self.disk.full = not self.disk.full

    def turn(self) -> None:
        for _ in range(5):
            self.clock.advance(0)

    def kill(self) -> None:
        self.engine._file.close()
        self.clock.calls.clear()
        possible = {self.stored, *self.coming}
        self.coming.clear()
        self.begins()
        self.stored = self.engine.selectors[QUEUE]
        assert self.stored in possible, (self.stored, possible)
        self.sure = {body: sure for body, sure in self.sure.items() if not sure or body in self.persistent}

    def waiting(self) -> list[str]:
        return [message.body.decode() for page in self.engine.browse(QUEUE) for message in page]

    def check(self) -> None:
        """What is known is so."""
        there = set(self.waiting())
        assert {body for body, sure in self.sure.items() if sure} <= there, (self.sure, there)
        assert not {body for body, sure in self.sure.items() if not sure} & there, (self.sure, there)
        if self.coming:
            return
        assert self.engine.selectors == {QUEUE: self.stored}
        assert self.engine.selector_characters == len(self.stored)
        for letters in "xyz":
            kept = self.engine._bindings.selectors.keeping(
                (QUEUE,), Message("", "", "", {}, letters.encode(), 1)
            )
            assert bool(kept) == wants(self.stored, letters)

    def check_file(self) -> None:
        """Nothing is on its way: memory and file agree."""
        self.disk.full = False
        self.disk.goes_on()
        self.turn()
        self.check()
        assert not self.coming
        assert self.engine._file.reader is not None
        rows = self.engine._file.reader.execute("SELECT text, unsifted FROM selector").fetchall()
        assert rows == [(self.stored, int(QUEUE in self.engine.unsifted))], rows


STEPS = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(["x", "y", "x", "y", ""])),
    st.tuples(st.just("publish"), st.sampled_from(["x", "y", "z"]), st.booleans()),
    st.tuples(st.sampled_from(["sifted", "held", "goes_on", "step", "full", "turn", "turn", "kill"])),
)


class ModelTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=20, max_size=60))
    def test_it_keeps_what_it_owes_and_memory_and_file_agree(self, steps: list[tuple[Any, ...]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            life = Life(os.path.join(folder, "db"))
            try:
                for name, *arguments in steps:
                    getattr(life, name)(*arguments)
                    life.check()
                life.check_file()
                life.kill()
                life.check_file()
            finally:
                life.engine._file.close()
