"""Selectors: which of the messages that are published to its topic each bound queue keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from stomp_tx.interfaces import Test
from stomp_tx.message import Message


class Selectors:
    """What was said of each queue, as text, and the tests that somebody else makes of it.

    While a change is on its way to the disk a queue keeps what either one wants, and is not unsifted: it may
    turn out to be none.

    texts -- by queue; empty: it keeps all.  One that is not here keeps all as well, and nobody has said so
    tests -- of the queues that don't keep all
    unsifted -- the queues whose selector has taken the place of another one, until ``sifted``
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.tests: dict[str, Test] = {}
        self.unsifted: dict[str, None] = {}
        self._test_of: Callable[[str, str], Test | None] | None = None
        self._numbers = count(1)
        self._last: dict[str, int] = {}  # of each queue's changes that are on their way
        self._safe: dict[str, tuple[str | None, bool]] = {}  # text and unsifted, as they are without those

    def judge_by(self, test_of: Callable[[str, str], Test | None] | None) -> None:
        """From now on ``test_of(queue, text)`` makes the tests; where that is None the queue keeps all."""
        self._test_of = test_of
        for queue in self.texts:
            self._set_test(queue, self._made(queue))

    def restore(self, queue: str, text: str, unsifted: bool) -> None:
        """So it was said before the process began."""
        self.texts[queue] = text
        if unsifted:
            self.unsifted[queue] = None
        self._set_test(queue, self._made(queue))

    def change(self, queue: str, text: str, is_new: bool) -> tuple[int, bool]:
        """Say another one, of a queue that is bound just now or was before; to be confirmed or undone.

        Gives the number of the change, and whether the queue is unsifted once it is safe.
        """
        before = None if is_new else self.texts.get(queue)
        self._safe.setdefault(queue, (before, queue in self.unsifted))
        self.texts[queue] = text
        self.unsifted.pop(queue, None)  # nobody may drop what it wants no longer, before that is safe
        test = self._made(queue)
        self._set_test(queue, test if is_new else _either(self.tests.get(queue), test))
        return self._number(queue), before is not None and bool(text)

    def sift(self, queue: str) -> int:
        """What waits in an unsifted queue has been looked through; to be confirmed or undone."""
        self._safe.setdefault(queue, (self.texts[queue], True))
        del self.unsifted[queue]
        return self._number(queue)

    def _number(self, queue: str) -> int:
        number = self._last[queue] = next(self._numbers)
        return number

    def confirm(self, queue: str, number: int, text: str, unsifted: bool) -> None:
        """That change is safe."""
        if queue not in self._last:
            return  # the queue is bound no more
        if self._last[queue] != number:
            self._safe[queue] = text, unsifted
            return
        del self._last[queue], self._safe[queue]
        if unsifted:
            self.unsifted[queue] = None
        self._set_test(queue, self._made(queue))

    def undo(self, queue: str, number: int) -> None:
        """That change could not be made safe."""
        if self._last.get(queue) != number:
            return
        del self._last[queue]
        text, unsifted = self._safe.pop(queue)
        self.unsifted.pop(queue, None)
        if unsifted:
            self.unsifted[queue] = None
        if text is None:
            del self.texts[queue]
            self._set_test(queue, None)
        else:
            self.texts[queue] = text
            self._set_test(queue, self._made(queue))

    def forget(self, queue: str) -> None:
        """It is bound no more."""
        self.texts.pop(queue, None)
        self.tests.pop(queue, None)
        self.unsifted.pop(queue, None)
        self._last.pop(queue, None)
        self._safe.pop(queue, None)

    def keeping(self, queues: Iterable[str], message: Message) -> list[str]:
        """Those of these queues that keep it."""
        tests = self.tests
        return [queue for queue in queues if (test := tests.get(queue)) is None or test(message)]

    def _made(self, queue: str) -> Test | None:
        text = self.texts[queue]
        return self._test_of(queue, text) if text and self._test_of is not None else None

    def _set_test(self, queue: str, test: Test | None) -> None:
        if test is None:
            self.tests.pop(queue, None)
        else:
            self.tests[queue] = test


def _either(one: Test | None, other: Test | None) -> Test | None:
    if one is None or other is None:
        return None
    return lambda message: one(message) or other(message)
