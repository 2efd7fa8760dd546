"""BindingSelectors: which of the messages that are published to its topic each bound queue keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from stomp_tx.errors import EngineError
from stomp_tx.interfaces import Test
from stomp_tx.message import Message


class Change:
    """What was said of a queue, and is on its way to the disk.

    before -- the text that it had; None: nobody had said one
    was_unsifted -- was it?
    is_unsifted -- will it be, as soon as that is safe?
    """

    __slots__ = ("before", "is_unsifted", "was_unsifted")

    def __init__(self, before: str | None, was_unsifted: bool, is_unsifted: bool) -> None:
        self.before = before
        self.was_unsifted = was_unsifted
        self.is_unsifted = is_unsifted


class BindingSelectors:
    """What was said of each queue, as text, and the tests that somebody else makes of it.

    While a change is on its way to the disk a queue keeps what either one wants, and is not unsifted: it may
    turn out to be none.  It has one at a time.

    texts -- by queue; empty: it keeps all.  One that is not here keeps all as well, and nobody has said so
    characters -- of all of them
    tests -- of the queues that don't keep all
    unsifted -- the queues whose selector has taken the place of another one, until ``sifted``
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.characters = 0
        self.tests: dict[str, Test] = {}
        self.unsifted: dict[str, None] = {}
        self._test_of: Callable[[str, str], Test | None] | None = None
        self._changes: dict[str, Change] = {}  # those on their way

    def judge_by(self, test_of: Callable[[str, str], Test | None] | None) -> None:
        """From now on ``test_of(queue, text)`` makes the tests; where that is None the queue keeps all."""
        self._test_of = test_of
        for queue in self.texts:
            self._set_test(queue, self._made(queue))

    def restore(self, queue: str, text: str, unsifted: bool) -> None:
        """So it was said before the process began."""
        self._set_text(queue, text)
        if unsifted:
            self.unsifted[queue] = None
        self._set_test(queue, self._made(queue))

    def change(self, queue: str, text: str, is_new: bool) -> Change:
        """Say another one, of a queue that is bound just now or was before; to be confirmed or undone."""
        if queue in self._changes:
            raise EngineError(f"another change of its selector is on its way: {queue}")
        before = self.texts.get(queue)
        change = Change(before, queue in self.unsifted, before is not None and bool(text))
        self._changes[queue] = change
        self._set_text(queue, text)
        self.unsifted.pop(queue, None)  # nobody may drop what it wants no longer, before that is safe
        test = self._made(queue)
        self._set_test(queue, test if is_new else _either(self.tests.get(queue), test))
        return change

    def say(self, queue: str, text: str, is_new: bool) -> None:
        """The same, of what need not be made safe."""
        self.confirm(queue, self.change(queue, text, is_new))

    def confirm(self, queue: str, change: Change) -> None:
        """That is safe."""
        if self._changes.get(queue) is not change:
            return  # the queue is bound no more
        del self._changes[queue]
        if change.is_unsifted:
            self.unsifted[queue] = None
        self._set_test(queue, self._made(queue))

    def undo(self, queue: str, change: Change) -> None:
        """That could not be made safe."""
        if self._changes.get(queue) is not change:
            return
        del self._changes[queue]
        self._set_text(queue, change.before)
        if change.was_unsifted:
            self.unsifted[queue] = None
        self._set_test(queue, self._made(queue))

    def sift(self, queue: str) -> None:
        """What waits in an unsifted queue has been looked through."""
        del self.unsifted[queue]

    def undo_sift(self, queue: str, text: str) -> None:
        """That could not be made safe; it was done with this text."""
        change = self._changes.get(queue)
        if change is not None:
            change.was_unsifted |= change.before == text
        elif self.texts.get(queue) == text:
            self.unsifted[queue] = None

    def forget(self, queue: str) -> None:
        """It is bound no more."""
        self._set_text(queue, None)
        self.tests.pop(queue, None)
        self.unsifted.pop(queue, None)
        self._changes.pop(queue, None)

    def keeping(self, queues: Iterable[str], message: Message) -> list[str]:
        """Those of these queues that keep it."""
        tests = self.tests
        return [queue for queue in queues if (test := tests.get(queue)) is None or test(message)]

    def _set_text(self, queue: str, text: str | None) -> None:
        self.characters += len(text or "") - len(self.texts.pop(queue, ""))
        if text is not None:
            self.texts[queue] = text

    def _made(self, queue: str) -> Test | None:
        text = self.texts.get(queue)
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
