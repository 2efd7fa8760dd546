"""When a message is to be delivered, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from stomp_tx.broker.headers.values import number
from stomp_tx.errors import ProtocolViolation

DELAYS = ("AMQ_SCHEDULED_DELAY", "delay", "x-delay")  # the second is ours, the third RabbitMQ's plug-in's
TIME = "AMQ_SCHEDULED_TIME"
PERIOD = "AMQ_SCHEDULED_PERIOD"
REPEAT = "AMQ_SCHEDULED_REPEAT"
CRON = "AMQ_SCHEDULED_CRON"
JOB = "scheduledJobId"

SCHEDULING = frozenset({*DELAYS, TIME, PERIOD, REPEAT, CRON})
"""Headers of a SEND that ask for a delivery at some other time."""

LONGEST = 366 * 24 * 3600 * 1000
"""Milliseconds that a message may be delayed, and between two of its rounds."""

SHORTEST = 10
"""Milliseconds between two rounds."""

MOST = 1_000_000_000
"""Rounds that may be asked for."""


class Schedule(NamedTuple):
    """When a message is delivered next, and when after that.  Times are milliseconds.

    due -- since 1970
    period, repeat -- so many more times, with so much between
    cron -- a crontab: it begins anew each time that this says; empty: it does not
    delay -- after such a time, before the first
    """

    due: int
    period: int = 0
    repeat: int = 0
    cron: str = ""
    delay: int = 0

    def after(self, now: int) -> list[Schedule]:
        """What is left of it when it has been due: none, one, or two."""
        if self.cron:
            again = self._replace(due=next_time(self.cron, max(now, self.due)))
            if self.delay or self.repeat:
                begins = self.due + self.delay
                return [again, Schedule(begins, self.period, self.repeat)]
            return [again]
        if not self.repeat:
            return []
        # Rounds that were missed are not made up for, but the rhythm is kept.
        missed = max(0, now - self.due - self.period) // self.period
        return [self._replace(due=self.due + (missed + 1) * self.period, repeat=self.repeat - 1)]

    @property
    def delivers(self) -> bool:
        """Is the message delivered when it is due?  (Else another schedule begins then.)"""
        return not (self.cron and (self.delay or self.repeat))


def schedule_of(headers: Mapping[str, str], now: int) -> Schedule | None:
    """When a message with these headers is to be delivered; None: now.

    ``AMQ_SCHEDULED_DELAY``, ``_PERIOD``, ``_REPEAT`` and ``_CRON`` as ActiveMQ has them, Artemis'
    ``AMQ_SCHEDULED_TIME``, and the milliseconds of RabbitMQ's ``x-delay`` and our ``delay``.

    Raises ProtocolViolation for what can't be.
    """
    if SCHEDULING.isdisjoint(headers):
        return None
    delay = next((_bounded(headers, name, LONGEST) for name in DELAYS if name in headers), 0)
    period = _bounded(headers, PERIOD, LONGEST)
    repeat = _bounded(headers, REPEAT, MOST)
    if repeat and period < SHORTEST:
        raise ProtocolViolation(
            f"malformed {PERIOD} header", f"{REPEAT} needs a period, of {SHORTEST} milliseconds at least"
        )
    cron = headers.get(CRON, "").strip()
    if cron:
        return Schedule(next_time(cron, now), period, repeat, cron, delay)
    due = _bounded(headers, TIME, now + LONGEST) if TIME in headers else now + delay
    if due <= now and not repeat:
        return None
    return Schedule(max(due, now), period, repeat)


def _bounded(headers: Mapping[str, str], name: str, most: int) -> int:
    value = number(headers, name)
    if value is not None and value > most:
        raise ProtocolViolation(f"malformed {name} header", f"{value} is more than the {most} that may be")
    return value or 0


def next_time(cron: str, now: int) -> int:
    """When a crontab fires next, in this machine's time zone; milliseconds since 1970.

    Raises ProtocolViolation when it is none, or never fires.
    """
    from cronsim import CronSim, CronSimError

    if len(cron) > 200 or len(cron.split()) != 5:
        raise ProtocolViolation(f"malformed {CRON} header", "a crontab has five fields: 0 7 * * 1-5")
    try:
        found = next(CronSim(cron, datetime.fromtimestamp(now / 1000).astimezone()), None)
    except CronSimError as error:
        raise ProtocolViolation(f"malformed {CRON} header", str(error)) from None
    if found is None:
        raise ProtocolViolation(f"malformed {CRON} header", f"{cron!a} is never")
    return int(found.timestamp() * 1000)
