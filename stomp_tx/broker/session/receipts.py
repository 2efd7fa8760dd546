"""Receipts: those that one session owes, each when its frame's work is safe."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from stomp_tx.broker.destinations import rendering
from stomp_tx.interfaces import IFrameSender, Safe
from stomp_tx.wire.commands import V10
from stomp_tx.wire.frame import Frame


class Receipts:
    """Sends each RECEIPT when it is due (STOMP 1.2, "RECEIPT"), and owns what may fail before.

    failed -- called with the failure of some work, and the frame that it was for: one that asked for a
        receipt, if any did; None: it was for none

    ``sender`` and ``version`` are the session's, once it is open.
    """

    __slots__ = (
        "_before",
        "_failed",
        "_owed",
        "_unsafe",
        "_waits_for",
        "_when_all_safe",
        "sender",
        "version",
    )

    sender: IFrameSender

    def __init__(self, failed: Callable[[Failure, Frame | None], None]) -> None:
        self.version: str = V10
        self._failed = failed
        self._unsafe = 0  # things that the engine has not called safe yet
        self._waits_for: Safe = None  # the last of them
        self._owed: list[Frame] = []  # the frames that brought it: the first, and those with a receipt
        self._before: dict[int, list[Frame]] = {}  # by the id of a COMMIT: what was sent in it
        self._when_all_safe: Deferred[None] | None = None

    def done(self, frame: Frame, safe: Safe = None) -> None:
        """The frame's work is done, or will be when ``safe`` fires: then its RECEIPT is due."""
        receipt = frame.headers.get("receipt")
        if safe is not None:
            if safe is not self._waits_for:
                self.watch(safe, frame)
            elif receipt is not None:
                self._owed.append(frame)  # it shares its fate with the frame before it
        elif receipt is not None:
            self.sender.send_octets(rendering.receipt(receipt, self.version))

    def committed(self, sent: list[Frame], frame: Frame, safe: Safe) -> None:
        """The same of a COMMIT, and just before it of what was sent in it; a failure is the COMMIT's."""
        if safe is None:
            for one in sent:
                self.done(one)
        elif sent:
            self._before[id(frame)] = sent
            if safe is self._waits_for:
                self._owed.append(frame)
                return
        self.done(frame, safe)

    def watch(self, safe: Safe, frame: Frame | None = None) -> None:
        """Somebody must own what may fail: it becomes this session's ERROR."""
        if safe is None or safe is self._waits_for:
            return
        self._waits_for = safe
        self._owed = [] if frame is None else [frame]
        self._unsafe += 1
        safe.addCallbacks(self._now_safe, self._not_safe, (self._owed,), {}, (self._owed,), {})

    @property
    def last(self) -> Safe:
        """Fires when all that came before is safe, or has failed; None: it is."""
        return self._waits_for

    @property
    def are_owed(self) -> bool:
        """Is something not safe yet that its client may want to hear of?"""
        return self._unsafe > 0

    @property
    def is_last(self) -> bool:
        """Does the end of the session wait for what is not safe yet?"""
        return self._when_all_safe is not None

    def when_all_safe(self) -> Deferred[None] | None:
        """Fires when all is safe, or has failed; None: it is."""
        if self._unsafe:
            self._when_all_safe = Deferred()
        return self._when_all_safe

    def _now_safe(self, result: None, owed: list[Frame]) -> None:
        before = self._before
        for frame in owed:
            if before:
                for sent in before.pop(id(frame), ()):
                    self.done(sent)
            receipt = frame.headers.get("receipt")
            if receipt is not None:
                self.sender.send_octets(rendering.receipt(receipt, self.version))
        self._one_less_unsafe()

    def _not_safe(self, failure: Failure, owed: list[Frame]) -> Failure:
        for one in owed:
            self._before.pop(id(one), None)
        frame = next((one for one in owed if "receipt" in one.headers), owed[0] if owed else None)
        self._failed(failure, frame)
        self._one_less_unsafe()
        return failure

    def _one_less_unsafe(self) -> None:
        self._unsafe -= 1
        if not self._unsafe:
            self._waits_for = None
            if self._when_all_safe is not None:
                self._when_all_safe.callback(None)
