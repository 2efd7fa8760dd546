"""From the names that a client uses to the addresses inside the broker."""

from __future__ import annotations

import re
from collections.abc import Callable

from stomp_tx.address import QUEUE, TEMP_QUEUE, TEMP_TOPIC, TOPIC, split, within
from stomp_tx.broker.dialects import AUTO, Dialect
from stomp_tx.broker.durable_names import fully_qualified
from stomp_tx.broker.policy import Policies
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.errors import LimitExceeded, ProtocolViolation
from stomp_tx.wildcards import is_pattern

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VIRTUAL = re.compile(r"Consumer\.[^.]+\.(VirtualTopic\..+)", re.DOTALL)

_REMOTE = {"/remote-temp-queue/": TEMP_QUEUE, "/remote-temp-topic/": TEMP_TOPIC}
"""What others write before a temporary destination's session and name: ActiveMQ's way."""

_OWN = {TEMP_QUEUE: TEMP_QUEUE, TEMP_TOPIC: TEMP_TOPIC}

_PREFIXES = {
    QUEUE: QUEUE,
    TOPIC: TOPIC,
    "/amq/queue/": QUEUE,  # RabbitMQ: a queue that was made by another protocol
    "/exchange/amq.topic/": TOPIC,  # RabbitMQ: where its topics are
}

_NAMELESS = frozenset(prefix[:-1] for prefix in (*_PREFIXES, *_REMOTE, *_OWN))
"""A prefix without its slash is no name of a queue: somebody has lost what stood behind it."""

MOST_WORDS = 64
"""Words of a name with wildcards: more would make it slow to match."""


class Names:
    """What the names that one session uses stand for.

    temporary -- the addresses of its temporary destinations
    """

    __slots__ = ("_dialect", "_has_bound", "_host", "_session_id", "_settings", "temporary")

    def __init__(
        self,
        settings: BrokerSettings,
        host: str = "",
        session_id: str = "",
        dialect: Dialect = AUTO,
        has_bound: Callable[[str], bool] = lambda topic: False,
    ) -> None:
        """
        host -- its virtual host, "" for the default one
        has_bound -- says of a topic whether it has durable subscriptions
        """
        self._settings = settings
        self._has_bound = has_bound
        self._dialect = dialect
        self._host = host
        self._session_id = session_id
        self.temporary: dict[str, None] = {}

    @property
    def have_bare_topics(self) -> bool:
        """Is a destination without a prefix a topic where that has durable subscriptions?"""
        return self._dialect.bare_durables and self._settings.unprefixed is None

    def addresses_of(
        self, destination: str | None, type: str | None = None, bare: str | None = None
    ) -> list[str]:
        """The addresses of a destination, several where there are commas in it; some may be patterns.

        A part without a prefix has that of the part before it.  ``type`` (Artemis' ``destination-type`` and
        ``subscription-type``) says what one without any prefix is; else ``bare``, the kind, if it is given.
        Raises ProtocolViolation.

        ``None`` is a frame without the header, which is REQUIRED (STOMP 1.2, "SEND" and "SUBSCRIBE").
        """
        if not destination:
            raise ProtocolViolation(
                "destination header missing",
                "SEND and SUBSCRIBE name their destination, as in destination:/queue/a",
            )
        parts = destination.split(",")
        if len(parts) > self._settings.composite:
            raise LimitExceeded(
                "too many destinations in one", f"{self._settings.composite} may stand between commas"
            )
        prefix = ""
        addresses: dict[str, None] = {}
        for part in parts:
            if not part:
                raise ProtocolViolation("empty part of a destination", "write /queue/a,/topic/b without gaps")
            if prefix and not part.startswith("/") and self._prefix(part) is None:
                part = prefix + part
            address = self._address(part, type, bare)
            prefix = split(address)[1]
            addresses[address] = None
        return list(addresses)

    def address_of(self, destination: str | None, type: str | None = None, bare: str | None = None) -> str:
        """The same as one text: addresses with commas between."""
        return ",".join(self.addresses_of(destination, type, bare))

    def _address(self, name: str, type: str | None, bare: str | None) -> str:
        settings = self._settings
        if len(name) > settings.name_length:
            raise ProtocolViolation(
                "destination too long", f"a destination may have {settings.name_length} characters"
            )
        if _CONTROL.search(name) is not None:
            raise ProtocolViolation("control characters in a destination", f"in {name[:60]!a}")
        if name in _NAMELESS:
            raise ProtocolViolation("destination has no name", f"{name}/NAME is a destination")
        kind, rest = self._kind(name, type, bare)
        if not rest:
            raise ProtocolViolation("destination has no name", f"{kind}NAME is a destination")
        if self._dialect.has_escaped_slashes and kind in (QUEUE, TOPIC):
            if "/" in rest:
                raise ProtocolViolation(
                    "slash in a name", f"in the dialect {self._dialect.name} it is %2F: {name[:60]!a}"
                )
            rest = rest.replace("%2F", "/")
        if kind in _OWN:
            if not rest.partition("/")[2]:
                raise ProtocolViolation("destination has no name", f"{name[:60]!a} was never a reply-to")
        elif is_pattern(rest) and len(re.split(r"[./]", rest)) > MOST_WORDS:
            raise ProtocolViolation(
                "too many words in a pattern", f"a destination with wildcards may have {MOST_WORDS}"
            )
        if kind == TOPIC and "::" in rest:
            topic, _, queue = rest.partition("::")
            return within(self._host, fully_qualified(TOPIC + topic, queue))
        return within(self._host, kind + rest)

    def _kind(self, name: str, type: str | None, bare: str | None) -> tuple[str, str]:
        """Its kind, and what follows the prefix."""
        if type not in (None, "ANYCAST", "MULTICAST"):
            raise ProtocolViolation("unknown destination type", f"{type[:40]!a} is not ANYCAST or MULTICAST")
        wanted = {None: None, "ANYCAST": QUEUE, "MULTICAST": TOPIC}[type]
        found = self._prefix(name)
        if found is None:
            if wanted is None and self.have_bare_topics:
                wanted = bare or (TOPIC if self._has_bound(within(self._host, TOPIC + name)) else None)
            if wanted is None:
                unprefixed = self._settings.unprefixed or self._dialect.unprefixed
                if unprefixed == "refuse":
                    raise ProtocolViolation(
                        "unknown destination", f"{name[:60]!a} begins with neither {QUEUE} nor {TOPIC}"
                    )
                wanted = QUEUE if unprefixed == "queue" else TOPIC
            return wanted, name
        kind, rest = found
        if wanted is not None and kind in (QUEUE, TOPIC) and kind != wanted:
            raise ProtocolViolation(
                "destination of another type",
                f"{name[:60]!a} is not {type}: leave one of the two out",
            )
        return kind, rest

    def _prefix(self, name: str) -> tuple[str, str] | None:
        """The kind that a name's prefix says, and the rest; None: it has no prefix."""
        for prefixes, kind in (
            (self._settings.queue_prefixes, QUEUE),
            (self._settings.topic_prefixes, TOPIC),
        ):
            for prefix in prefixes:
                if name.startswith(prefix):
                    return kind, name[len(prefix) :]
        for prefix, kind in {**_PREFIXES, **_REMOTE}.items():
            if name.startswith(prefix):
                return kind, name[len(prefix) :]
        for prefix, kind in _OWN.items():
            if name.startswith(prefix):
                return kind, f"{self._session_id}/{name[len(prefix) :]}"
        if name.startswith("/exchange/"):
            raise ProtocolViolation(
                "no such exchange",
                f"{name[:60]!a}: instead of amq.topic use /topic/KEY",
            )
        return None

    # -- temporary destinations ---------------------------------------------------------------------------

    def own(self, address: str) -> bool:
        """Is it a temporary destination of this session?"""
        return split(address)[2].startswith(f"{self._session_id}/")

    def make(self, address: str) -> None:
        """A temporary destination of this session is used.  Raises LimitExceeded."""
        if address not in self.temporary and len(self.temporary) >= self._settings.temporary:
            raise LimitExceeded(
                "too many temporary destinations", f"a connection may have {self._settings.temporary}"
            )
        self.temporary[address] = None


def must_exist(address: str, policies: Policies) -> None:
    """Raises ProtocolViolation when a destination may not come to be by being used."""
    if not policies.exists(address) and not is_pattern(split(address)[2]):
        raise ProtocolViolation(
            "no such destination", f"{address[:60]!a} has no section of its own, and auto_create is false"
        )


def is_temporary(address: str) -> bool:
    """Does it live as long as its session?"""
    return split(address)[1] in (TEMP_QUEUE, TEMP_TOPIC)


def name_for_owner(address: str) -> str:
    """What the session that a temporary destination belongs to calls it."""
    _, kind, name = split(address)
    return kind + name.partition("/")[2]


def name_for_others(address: str) -> str:
    """What everybody else calls it, in their own virtual host."""
    _, kind, name = split(address)
    return f"/remote-{kind[1:]}{name}"


def virtual_topic_of(address: str) -> str | None:
    """ActiveMQ: of "/queue/Consumer.NAME.VirtualTopic.X" it is "/topic/VirtualTopic.X"; None: of others."""
    host, kind, name = split(address)
    found = _VIRTUAL.fullmatch(name) if kind == QUEUE else None
    return None if found is None else within(host, TOPIC + found[1])
