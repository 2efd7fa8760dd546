"""Expiry: what has expired by the time it arrives, and how that is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import NamedTuple

from stomp_tx.address import split
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.events import Events, ExpiredOnArrival
from stomp_tx.broker.headers.scheduling import Schedule
from stomp_tx.broker.headers.send import expires_of, keeping_of
from stomp_tx.broker.message_headers import TIMES
from stomp_tx.broker.policy import Policy
from stomp_tx.message import Message

EVERY = 10.0
"""Seconds from one line of the log about such a message to the next: who gets it wrong does so each time."""

DAY = 24 * 3600 * 1000
"""In milliseconds."""

_SECONDS_UNTIL = 100_000_000_000
"""A time before this one (in 1973) is likely to be one in seconds."""


class Late(NamedTuple):
    """A message that nobody can get any more.

    message -- as it was sent; to one address, or several with commas between
    header, value -- what says so, as its producer has written it; empty: the policy does
    late -- milliseconds that had passed since
    scheduled -- it was to be delivered later
    """

    message: Message
    header: str
    value: str
    late: int
    scheduled: bool


class Expiry:
    """Finds them, and says what becomes of them: the same as of those that expire while they wait."""

    def __init__(self, dead_letters: DeadLetters, events: Events, now: Callable[[], int]) -> None:
        """``now`` gives the milliseconds since 1970."""
        self._dead_letters = dead_letters
        self._events = events
        self._now = now

    def found(
        self, message: Message, headers: Mapping[str, str], policy: Policy, schedule: Schedule | None
    ) -> Late | None:
        """None: it is no such.  Asked before the broker writes into its headers; those are its producer's.

        One that is delivered later lives from then on, and is one if there is no time left by then.
        """
        keeping, comes = message.keeping, 0
        if schedule is not None:
            comes = schedule.due
            keeping = keeping_of(headers, policy, lambda: comes)
        if keeping is None or not keeping.expires:
            return None
        comes = comes or self._now()
        if keeping.expires > comes:
            return None
        message.keeping = keeping
        header = ""
        if 0 < expires_of(headers, comes) <= comes:
            header = next(name for name in TIMES if name in headers)
        late = comes - keeping.expires
        return Late(message, header, headers.get(header, ""), late, schedule is not None)

    def dead_letters_of(self, late: Late, session: str, peer: str) -> list[Message]:
        """What is appended instead; nothing: it is dropped.  It is told, by this session's events."""
        letters = self.letters_of(late)
        self.tell(late, letters, session, peer)
        return letters

    def letters_of(self, late: Late) -> list[Message]:
        """The same, and nobody is told."""
        message = late.message
        addresses = message.address.split(",")
        letters = []
        for address in addresses:
            copy = message
            if len(addresses) > 1:
                copy = message.bound_for(address)
                copy.destination = "".join(split(address)[1:])
            letters += self._dead_letters.expired(copy)
        return letters

    def tell(self, late: Late, letters: list[Message], session: str, peer: str) -> None:
        """These are appended instead."""
        where = tuple(letter.address for letter in letters)
        self._events.emit(ExpiredOnArrival, session, peer, *late, where)


def reason(event: ExpiredOnArrival) -> str:
    """Why it had expired, and what to do about it, for the log."""
    said = f"{event.header}:{event.value}"
    if not event.header:
        return "its policy lets messages live for less than a millisecond"
    if event.header != "expires":
        return f"{said} is at once"
    if event.late > DAY:
        expires = int(event.value)
        date = datetime.fromtimestamp(expires // 1000, timezone.utc)
        text = f"{said} is {date:%Y-%m-%d %H:%M:%S} UTC; it is milliseconds since 1970"
        if expires < _SECONDS_UNTIL:
            text += ", and this looks like seconds: multiply them by 1000 (in PHP, time() * 1000)"
        return text
    text = f"{said} is {event.late / 1000:.15g} seconds before it"
    if event.scheduled:
        return f"{text} is due"
    return f"{text} came: compare the clocks of its producer and of the broker"
