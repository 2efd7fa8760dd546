"""AccessList: who may do what where, as roles grant it.

::

    [roles.clerk]
    users = ["ann"]
    groups = ["office"]
    allow = ["send,subscribe /queue/orders.>", "all /queue/notes.{user}"]
    deny = ["send /queue/orders.audit"]

The most specific grant that matches a destination decides; where two are as specific, it is denied.  What no
grant matches is denied.  While nothing is said of roles at all, everybody may do everything.

``{user}`` is the user's name, with ``%2E`` for a dot and so on: one word, so that nobody is called like a
part of what is somebody else's.

A subscription to a pattern is allowed where one grant allows all that the pattern matches, and no other that
is as specific or more denies any of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from stomp_tx.address import QUEUE, TOPIC, split
from stomp_tx.errors import ConfigurationError
from stomp_tx.wildcards import covers, is_pattern, overlap

PERMISSIONS = ("send", "subscribe", "create", "browse", "manage")
"""What can be granted.

send, subscribe -- to a destination
create -- to use a queue that isn't there, to make a durable subscription
browse -- to look at what waits in a queue
manage -- to look after what isn't one's own: scheduled messages, queues
"""

EVERYBODY = "*"
"""As a user: whoever it is, logged in or not."""

_USER = "{user}"
_SPECIAL = re.compile(r"[%./*#>,]")  # what is more than a letter in a pattern, or in a list of destinations
_GRANT = re.compile(r"([a-z,]+)\s+(\S.*)")
_PATTERN = re.compile(r"(//[^/]+)?(/queue/|/topic/)(.+)", re.DOTALL)


@dataclass(frozen=True)
class Role:
    """What some users, and the members of some groups, may do and may not; grants as they are written."""

    name: str
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.grants  # noqa: B018  (raises for what is none)

    @cached_property
    def grants(self) -> tuple[Grant, ...]:
        """What it says, in the order in which it is written; what it allows first."""
        allow = [grant(one, allow=True) for one in self.allow]
        return (*allow, *[grant(one, allow=False) for one in self.deny])


@dataclass(frozen=True)
class Grant:
    """Allows or denies some permissions on the destinations that match.

    host, kind, pattern -- of those destinations; an empty host or kind is any; a host is in small letters, as
        those of one spelling are one
    """

    permissions: frozenset[str]
    host: str
    kind: str
    pattern: str
    allow: bool

    @cached_property
    def specificity(self) -> tuple[int, ...]:
        """Of two that match, the greater is the more specific one."""
        words = [word for word in re.split("[./]", self.pattern) if not is_pattern(word)]
        return (
            not is_pattern(self.pattern),
            bool(self.host),
            len(words) + bool(self.kind),
            sum(map(len, words)),
        )

    def is_for(self, host: str, kind: str) -> bool:
        """Does it say anything of that kind of destination there, whatever the name?"""
        return self.host in ("", host) and self.kind in ("", kind)


def grant(text: str, allow: bool) -> Grant:
    """What a line grants: "send,subscribe /queue/orders.>".  Raises ConfigurationError."""
    found = _GRANT.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(
            f"{text!r} grants nothing",
            'write permissions and a pattern, as in "send,subscribe /queue/orders.>"',
        )
    permissions = frozenset(PERMISSIONS if found[1] == "all" else filter(None, found[1].split(",")))
    unknown = permissions.difference(PERMISSIONS)
    if unknown or not permissions:
        raise ConfigurationError(
            f"there is no permission {', '.join(sorted(unknown))!r} in {text!r}",
            f"the permissions are {', '.join(PERMISSIONS)}, and all",
        )
    if found[2] == ">":
        return Grant(permissions, "", "", ">", allow)
    place = _PATTERN.fullmatch(found[2])
    if place is None:
        raise ConfigurationError(
            f"{found[2]!r} in {text!r} is no pattern of destinations",
            'as "/queue/orders", "/queue/orders.*", "/topic/>", "//HOST/queue/>", or ">" for all there are',
        )
    return Grant(permissions, (place[1] or "//")[2:].lower(), place[2], place[3], allow)


@dataclass
class AccessList:
    """Decides.  It can change while it is used: see ``become``.

    groups -- the members of each group
    closed -- without roles nobody may do anything
    """

    roles: tuple[Role, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    closed: bool = False

    @property
    def is_open(self) -> bool:
        """May everybody do everything, because nothing is said of roles?"""
        return not self.roles and not self.closed

    @property
    def hosts(self) -> dict[str, str]:
        """The virtual hosts that grants name, and a role that does so."""
        return {one.host: role.name for role in self.roles for one in role.grants if one.host}

    def become(self, other: AccessList) -> None:
        """From now on say what the other one says; users must forget what they know."""
        self.roles, self.groups, self.closed = other.roles, other.groups, other.closed

    def may(self, user: str, groups: Iterable[str], permission: str, address: str) -> bool:
        """May this user, a member of these groups and of those that say so themselves, do that there?

        ``address`` may be a pattern.  What is no queue and no topic is its connection's own: everybody may.
        """
        host, kind, name = split(address)
        if self.is_open or kind not in (QUEUE, TOPIC):
            return True
        host = host.lower()
        mine = set(groups).union(group for group, members in self.groups.items() if user in members)
        allowed: tuple[int, ...] = ()
        denied: tuple[int, ...] = ()
        for role in self.roles:
            if not (user in role.users or EVERYBODY in role.users or not mine.isdisjoint(role.groups)):
                continue
            for one in role.grants:
                if permission not in one.permissions or not one.is_for(host, kind):
                    continue
                pattern = _literal(one.pattern, user)
                if one.allow and covers(pattern, name):
                    allowed = max(allowed, one.specificity)
                elif not one.allow and overlap(pattern, name):
                    denied = max(denied, one.specificity)
        return allowed > denied


def _literal(pattern: str, user: str) -> str:
    """The pattern for this user, whose name is one word of it, and no wildcard, whatever is in it."""
    if _USER not in pattern:
        return pattern
    return pattern.replace(_USER, _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", user))
