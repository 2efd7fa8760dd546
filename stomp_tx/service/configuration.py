"""Configuration: what a broker's owner may set.

Settings, their types, defaults and meanings are the fields of dataclasses, each where it belongs: nothing
lists them a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stomp_tx.auth.acl import AccessList
from stomp_tx.broker.policy import Policies, Policy
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.engine.limits import EngineLimits
from stomp_tx.errors import ConfigurationError
from stomp_tx.wire.limits import Limits

Patterns = tuple[tuple[str, Policy], ...]

NO_SETTINGS = ("patterns", "access", "sources")
"""Fields of a Configuration that are none, or have those of ``[policy]``."""


@dataclass(frozen=True)
class Configuration:
    """Everything that can be set.  A field whose value is a dataclass is a section: ``[limits]``."""

    port: tuple[str, ...] = ("tcp:61613:interface=127.0.0.1",)
    """Where to listen: Twisted server endpoint strings."""

    auth: tuple[str, ...] = ()
    """What finds out who connects, as after ``--auth``: ``passwd:FILE``, ``jwt:FILE``, ``certificate`` and
    what else ``--help-auth`` lists; asked in this order.
    """

    allow_anonymous: bool = False
    """May everybody connect who does not say who they are?  Without ``auth``, those of this machine may."""

    engine: str = "sqlite:"
    """Where messages are kept: ``sqlite:PATH`` is a file that outlives the process, ``stomp.db`` in the
    folder that the broker runs in where there is no PATH; ``memory:`` is in this process, until it ends.
    """

    broker: BrokerSettings = field(default_factory=BrokerSettings)
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    engine_limits: EngineLimits = field(default_factory=EngineLimits)

    access: AccessList = field(default_factory=AccessList)
    """Who may do what: ``[groups]`` and ``[roles.NAME]``."""

    patterns: Patterns = ()
    """Policies of some destinations: what ``[policy."/queue/orders.*"]`` says, the rest is ``[policy]``'s."""

    sources: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where each setting that was given comes from, by its name: the file's, or the option's."""

    def __post_init__(self) -> None:
        if not self.port:
            raise ConfigurationError("port must name at least one place to listen")
        hosts = [host.lower() for host in self.broker.hosts]
        for host, role in self.access.hosts.items():
            if host not in hosts:  # what it denies would be allowed, and nobody would know
                raise ConfigurationError(
                    f"unknown virtual host {host!r} in [roles.{role}]",
                    f"hosts in [broker] are: {', '.join(self.broker.hosts) or 'none'}",
                )

    @property
    def policies(self) -> Policies:
        """The policy of each destination."""
        return Policies(self.policy, self.patterns)
