"""What a destination does with its messages: how long they live, how often they are tried, where they end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from stomp_tx.address import QUEUE, TOPIC, split
from stomp_tx.errors import ConfigurationError


class Redelivery(NamedTuple):
    """How a message that was refused is delivered again.  Times are seconds."""

    attempts: int
    """Deliveries before it is a dead letter; 0: any number."""

    delay: float
    """Before anybody gets it again, the first time."""

    multiplier: float
    """By which the delays grow each time."""

    delay_max: float
    """The most that they grow to."""

    same_delay: float
    """Before the same consumer gets it again, the first time; another one need not wait."""

    is_asked_for: bool = False
    """Has the consumer itself asked for it?"""

    def wait(self, attempts: int) -> tuple[float, float]:
        """After so many attempts: how long until anybody gets it, and until who refused it may."""
        grown = self.multiplier ** min(max(attempts - 1, 0), 64)
        anybody = min(self.delay * grown, self.delay_max)
        return anybody, max(anybody, min(self.same_delay * grown, self.delay_max))


@dataclass(frozen=True)
class Policy:
    """How a destination treats its messages.  Times are seconds.

    None stands for what nobody has set, where a dialect says what it is then.
    """

    ttl: float = 0.0
    """How long a message lives whose producer does not say; 0: for ever."""

    ttl_max: float = 0.0
    """The most that a producer may ask for, and what it gets that asks for ever; 0: no bound."""

    expired: str = "drop"
    """What becomes of a message whose time is over: ``drop``, or ``dead-letter``."""

    attempts: int = 10
    """Deliveries before a message that is refused again (NACK) is a dead letter; 0: any number."""

    attempts_lost: int = 0
    """The same for one whose consumer left without a word, and may not have seen it; 0: any number."""

    nack: str | None = None
    """What NACK does: ``redeliver`` until there were ``attempts``, or at once ``dead-letter`` or ``drop``.
    Unset: the dialect of the consumer's connection decides."""

    redelivery_delay: float = 0.0
    """Before a refused message is delivered to anybody again, for the first time."""

    redelivery_multiplier: float = 2.0
    """By which ``redelivery_delay`` and ``nack_delay`` grow with each delivery."""

    redelivery_delay_max: float = 30.0
    """The most that they grow to, and the most that SUBSCRIBE may ask for."""

    nack_delay: float = 0.1
    """Before a message goes to the consumer that has refused it, for the first time; others need not wait."""

    dead_letter: str | None = None
    """The queue of dead letters; ``*`` stands for the destination's name.  Empty: they are dropped.
    Unset: the dialect of the consumer's connection decides."""

    length: int = 0
    """Messages that may wait in a queue, or for a durable subscription; 0: no limit but the engine's."""

    octets: int = 0
    """Octets (of frames, and what keeping them costs) that may wait there; 0: no limit but the engine's."""

    overflow: str = "pause"
    """What happens at these limits: ``pause`` producers, ``reject`` what they send with an ERROR,
    ``drop-oldest``, or ``dead-letter`` the oldest."""

    consumers: int = 0
    """Subscriptions at a time; 0: any number."""

    producers: int = 0
    """Connections that send to it at a time; 0: any number."""

    auto_create: bool = True
    """Do destinations come to be when they are used?  Else those exist that have a section of their own."""

    delete_idle: float = 0.0
    """After how long a queue that nobody consumes from is deleted, with its messages; 0: never."""

    prefetch: int = 0
    """Messages a subscription may hold unacknowledged, if SUBSCRIBE does not say; 0: the broker's number."""

    prefetch_max: int = 0
    """The most that SUBSCRIBE may ask for; 0: the broker's number."""

    prefetch_octets: int = 0
    """Octets (of frames) a subscription may hold unacknowledged, where SUBSCRIBE does not say; 0: any."""

    retain: int = 0
    """How many of a topic's last messages those get first who subscribe later."""

    last_value: str = ""
    """The header that says of what a message is the last value: in a queue it takes the place of the one that
    says the same.  Empty: none does."""

    exclusive: bool = False
    """Does one subscription at a time get all messages of the queue, the others none until it ends?"""

    def __post_init__(self) -> None:
        for name in (
            "ttl",
            "ttl_max",
            "redelivery_delay",
            "redelivery_delay_max",
            "nack_delay",
            "attempts",
            "attempts_lost",
            "length",
            "octets",
            "retain",
            "consumers",
            "producers",
            "delete_idle",
            "prefetch",
            "prefetch_max",
            "prefetch_octets",
        ):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name} can't be negative")
        if not 1 <= self.redelivery_multiplier <= 100:
            raise ConfigurationError("redelivery_multiplier must be from 1 to 100")
        self._one_of("expired", ("drop", "dead-letter"))
        self._one_of("overflow", ("pause", "reject", "drop-oldest", "dead-letter"))
        self._one_of("nack", ("redeliver", "dead-letter", "drop", None))
        if self.dead_letter and not re.fullmatch(r"/queue/[^\x00-\x1f\x7f]+", self.dead_letter):
            raise ConfigurationError(f"dead_letter must be a queue, /queue/NAME, not {self.dead_letter!r}")

    def _one_of(self, name: str, values: tuple[str | None, ...]) -> None:
        if getattr(self, name) not in values:
            raise ConfigurationError(
                f"{name} must be one of {', '.join(filter(None, values))}, not {getattr(self, name)!r}"
            )

    @property
    def redelivery(self) -> Redelivery:
        """What it says of deliveries."""
        return Redelivery(
            self.attempts,
            self.redelivery_delay,
            self.redelivery_multiplier,
            self.redelivery_delay_max,
            self.nack_delay,
        )

    @property
    def is_bounded(self) -> bool:
        """May only so much wait?"""
        return bool(self.length or self.octets)

    @property
    def drops(self) -> bool:
        """Does what is too much go?"""
        return self.overflow in ("drop-oldest", "dead-letter")

    @cached_property
    def stamps(self) -> bool:
        """Do messages get something that their producers did not ask for?"""
        return bool(self.ttl or self.ttl_max or self.last_value)


class Policies:
    """The policy of each destination: the most specific pattern that matches, else the default.

    Patterns are addresses in which ``*`` stands for one word, and ``>`` at the end for all the rest; words
    are separated by ``.`` and ``/``: "/queue/orders.*", "/topic/>".  They are for every virtual host;
    one that begins with a host, "//shop/queue/orders", is for that one, and comes before the others.
    """

    def __init__(self, default: Policy | None = None, patterns: Iterable[tuple[str, Policy]] = ()) -> None:
        self._default = default or Policy()
        by_detail = sorted(patterns, key=lambda pair: _detail(pair[0]), reverse=True)
        self._patterns = [(compiled(pattern), policy) for pattern, policy in by_detail]
        self._names = {pattern for pattern, _ in by_detail if "*" not in pattern and ">" not in pattern}

    def become(self, other: Policies) -> None:
        """From now on say what the other one says."""
        self._default, self._patterns, self._names = other._default, other._patterns, other._names

    @property
    def bound(self) -> bool:
        """Does any of them say how much may wait?"""
        return any(policy.is_bounded for policy in self._all())

    @property
    def delete_idle(self) -> bool:
        """Does any of them say that idle queues are deleted?"""
        return any(policy.delete_idle for policy in self._all())

    def _all(self) -> list[Policy]:
        return [self._default, *(policy for _, policy in self._patterns)]

    def exists(self, address: str) -> bool:
        """May a destination with this address come to be?"""
        return split(address)[1] not in (QUEUE, TOPIC) or self.names(address) or self.of(address).auto_create

    def names(self, address: str) -> bool:
        """Has this very destination a section of its own?"""
        _, kind, name = split(address)
        return address in self._names or kind + name in self._names

    def of(self, address: str) -> Policy:
        """The policy of the destination with this address."""
        found = self._find(address)
        if found is None and address.startswith("//"):
            _, kind, name = split(address)
            found = self._find(kind + name)
        return self._default if found is None else found

    def _find(self, address: str) -> Policy | None:
        for pattern, policy in self._patterns:
            if pattern.fullmatch(address) is not None:
                return policy
        return None


def _detail(pattern: str) -> tuple[bool, int, bool, str]:
    """What is more specific is greater: a name, then more of a name, then ``*`` before ``>``."""
    said = len(pattern) - pattern.count("*") - pattern.count(">")
    return said == len(pattern), said, not pattern.endswith(">"), pattern


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression.  Raises ConfigurationError."""
    if not re.match(r"(//[^/]+)?/(queue|topic)/.", pattern) or ">" in pattern[:-1]:
        raise ConfigurationError(
            f"{pattern!r} is no pattern of destinations",
            'as "/queue/orders", "/queue/orders.*" or "/topic/>"',
        )
    rest = ".+" if pattern.endswith(">") else ""
    words = re.escape(pattern.removesuffix(">")).replace(r"\*", "[^./]+")
    return re.compile(words + rest, re.DOTALL)
