"""Unsettled: the messages of a subscription that are to be acknowledged."""

from __future__ import annotations

from stomp_tx.wire.frame import Frame


class Unsettled:
    """Those that wait for their ACK or NACK, by their numbers, in the order in which they came."""

    __slots__ = ("_frames", "_stale")

    def __init__(self) -> None:
        self._frames: dict[int, Frame] = {}
        self._stale = 0  # messages up to this number came over connections that are gone

    def __contains__(self, number: int) -> bool:
        return number in self._frames

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> list[Frame]:
        """All of them."""
        return list(self._frames.values())

    def add(self, number: int, frame: Frame) -> None:
        """One more, which has come after all others."""
        self._frames[number] = frame

    def pop(self, number: int) -> bool:
        """It is acknowledged; was it to be?"""
        return self._frames.pop(number, None) is not None

    def take(self, number: int, with_earlier: bool) -> dict[int, Frame]:
        """Take out this one, which is there; or all up to it (STOMP 1.2, "ack:client")."""
        if not with_earlier:
            return {number: self._frames.pop(number)}
        taken = {}
        for one in list(self._frames):
            taken[one] = self._frames.pop(one)
            if one == number:
                break
        return taken

    def restore(self, taken: dict[int, Frame]) -> None:
        """These are to be acknowledged again."""
        self._frames = dict(sorted({**self._frames, **taken}.items()))

    def clear(self) -> None:
        """None is to be acknowledged any more."""
        self._frames.clear()

    def go_stale(self, last: int) -> None:
        """Messages up to that number can't be acknowledged: their connection is gone."""
        self._stale = last
        self._frames.clear()

    def is_stale(self, number: int) -> bool:
        return number <= self._stale
