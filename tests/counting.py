"""How much work a call is, counted instead of timed: the same on every machine, however busy it is."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet.task import Clock


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of Python the call runs, those of all it calls among them.

    What happens inside one built-in call counts as nothing: a copy of all octets is one line, too.
    """
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    was_collecting = gc.isenabled()
    gc.disable()  # what is collected meanwhile may call something, too
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        if was_collecting:
            gc.enable()
    return count


class Ticking(Clock):
    """A clock for work in slices: each look at it takes a millisecond, ``turn`` is one turn of a reactor."""

    def seconds(self) -> float:
        self.rightNow += 0.001
        return float(self.rightNow)

    def turn(self) -> int:
        """Make the calls that are due, and none that they ask for; how many they were.

        With ``advance`` those are made as well, as if all of it were one turn.
        """
        now = self.rightNow
        due = [call for call in self.calls if call.getTime() <= now]
        for call in due:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
        return len(due)
