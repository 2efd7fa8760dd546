"""What a broker's owner may set, with the defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from urllib.parse import quote

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.keepalive import Keepalive
from stomp_tx.wire.commands import VERSIONS


@dataclass(frozen=True)
class BrokerSettings:
    """How a broker treats its sessions.  Times are seconds unless the name says milliseconds (``_ms``).

    None stands for what nobody has set, where the dialect of a connection says what it is then.
    """

    server: str | None = None
    """CONNECTED's ``server`` header; empty: none is sent.  Unset: as the dialect has it."""

    versions: tuple[str, ...] = VERSIONS
    """Protocol versions to agree on, oldest first."""

    connect_timeout: float = 10.0
    """From accepting a connection to its CONNECT frame (the TLS handshake included)."""

    login_wait: float = 60.0
    """From the CONNECT frame to knowing who it is: where many log in at a time they wait for one another."""

    heart_beat_min_ms: int = 500
    """No heart-beat is agreed on that is quicker, in either direction."""

    heart_beat_grace: float = 2.0
    """A client is dead after this many of its heart-beat intervals in silence."""

    idle_timeout: float = 0.0
    """Seconds without a byte after which a client that sends no heart-beats is closed; 0: never."""

    tcp_keepalive: int = 60
    """Seconds of silence after which the system asks a TCP client whether it is still there; 0: never."""

    tcp_keepalive_interval: int = 15
    """Seconds between two of these questions."""

    tcp_keepalive_probes: int = 4
    """Questions without an answer after which the connection is lost."""

    linger: float = 5.0
    """For sending and reading what is owed, before a connection that ends is cut."""

    farewell_error: bool = False
    """Send an ERROR when the broker stops or hears nothing of a client, before it closes the connection.

    Clients may take an ERROR for a fault of their own, and end in place of connecting again.
    """

    send_buffer: int = 1024 * 1024
    """Octets that may wait for one connection before its subscriptions are given no more."""

    trailing_eol: bool = True
    """End each frame with a line feed after its NUL, as RabbitMQ and ActiveMQ do: clients may wait for it."""

    lenient: bool = False
    """Let a connection go on after an ERROR about ACK, NACK or UNSUBSCRIBE, as RabbitMQ and ActiveMQ do."""

    unprefixed: str | None = None
    """What a destination without a known prefix is: ``queue``, ``topic``, or ``refuse``.  Unset: as the
    dialect has it."""

    queue_prefixes: tuple[str, ...] = ()
    """What names of queues may begin with besides ``/queue/``, as in "jms.queue."."""

    topic_prefixes: tuple[str, ...] = ()
    """The same of topics, besides ``/topic/``."""

    virtual_topics: bool = True
    """Does ``/queue/Consumer.NAME.VirtualTopic.X`` get all that is published to ``/topic/VirtualTopic.X``?"""

    composite: int = 100
    """Destinations that may stand in one destination header, with commas between."""

    wildcard_queues: int = 1000
    """Queues that one subscription to a pattern may get messages of at a time: others wait their turn."""

    temporary: int = 1000
    """Temporary destinations of one connection."""

    hosts: tuple[str, ...] = ()
    """Virtual hosts besides the default one: each has queues and topics of its own."""

    unknown_host: str | None = None
    """What a CONNECT gets whose ``host`` is none of them: the ``default`` one, or ``refuse``.  Unset: as the
    dialect has it."""

    dialect: str = "auto"
    """Whose words count where they collide: ``auto``, ``activemq``, ``artemis`` or ``rabbitmq``."""

    connections: int = 0
    """Connections in all; 0: as many as ``ulimit -n`` allows, which is the most in any case."""

    connections_per_address: int = 10_000
    """Connections from one address (of IPv6: from one /64 network); 0: any number."""

    strangers: int = 2000
    """Connections in all that have not said CONNECT: of more, the one silent longest is cut; 0: any."""

    strangers_per_address: int = 500
    """Connections from one address that have not logged in yet; 0: any number."""

    connections_per_user: int = 10_000
    """Connections of one user; 0: any number."""

    login_failures: int = 10
    """Failures of one login from one address, until it is locked out there.  0: any number.

    The address is locked out after ten times as many failures, or when as many different logins have failed.
    """

    login_window: float = 600.0
    """For which a failed login counts."""

    lockout: float = 300.0
    """For which a login, or an address, is locked out then."""

    frames_per_second: int = 0
    """Frames that one connection may send: it is read no faster; 0: any number."""

    octets_per_second: int = 0
    """Octets, of frames and between them, that one connection may send: it is read no faster; 0: any."""

    unfinished_octets: int = 256 * 1024 * 1024
    """Octets of frames that have not come whole, of all connections together; 0: any number."""

    memory: int = 0
    """Octets of memory for what the broker keeps; one user gets no more than four times what is left of them.
    0: nobody is held to a share, only ``engine_limits`` count.  A good figure: two fifths of all there is.
    """

    user_id: bool = False
    """Say in each message who sent it: headers ``user-id`` and ``JMSXUserID``, which nobody else can set."""

    prefetch: int = 1000
    """Messages a subscription may hold unacknowledged, where SUBSCRIBE does not say."""

    prefetch_max: int = 65_535
    """The most that SUBSCRIBE may ask for; 0 in SUBSCRIBE (unlimited, elsewhere) means this."""

    topic_backlog: int = 10_000
    """Messages that wait for one slow subscription to a topic."""

    topic_backlog_octets: int = 64 * 1024 * 1024
    """Octets (of frames) that wait for one slow subscription to a topic; as many more it may hold
    unacknowledged."""

    slow_topic: str = "drop-oldest"
    """When one more would have to wait: ``drop-oldest``, or ``disconnect`` the subscriber."""

    name_length: int = 1024
    """Characters of a destination, a subscription id or a transaction id."""

    subscriptions: int = 10_000
    """Subscriptions of one connection."""

    selectors: int = 1000
    """Subscriptions with a selector of one connection."""

    selector_length: int = 4096
    """Characters of a selector."""

    scheduled: int = 1_000_000
    """Messages of all clients together that wait for the time when they are to be delivered."""

    durable_subscriptions: int = 100_000
    """Durable subscriptions of all clients together."""

    durable_selectors: int = 1_000_000
    """Characters of the selectors of all durable subscriptions together."""

    transactions: int = 100
    """Open transactions of one connection."""

    transaction_frames: int = 100_000
    """Frames in one open transaction."""

    transaction_octets: int = 256 * 1024 * 1024
    """Octets (of frames) in all open transactions of one connection."""

    stop_timeout: float = 10.0
    """For telling clients and sending what is queued when the broker stops."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
                raise ConfigurationError(f"{field.name} can't be negative")
        if self.server is not None and not self.server.isprintable():
            raise ConfigurationError("server must be printable: it is sent in a header without escapes")
        for name in ("connect_timeout", "login_wait", "stop_timeout"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} must be more than 0")
        self.keepalive()
        self._one_of("unknown_host", ("default", "refuse", None))
        self._one_of("dialect", ("auto", "activemq", "artemis", "rabbitmq"))
        for host in self.hosts:
            if not host or quote(host, safe=":") != host:
                raise ConfigurationError(f"{host!r} can't be the name of a virtual host")
        if "" in (*self.queue_prefixes, *self.topic_prefixes):
            raise ConfigurationError("a prefix can't be empty", "see unprefixed")
        self._one_of("unprefixed", ("queue", "topic", "refuse", None))
        self._one_of("slow_topic", ("drop-oldest", "disconnect"))
        for name in (
            "prefetch",
            "prefetch_max",
            "composite",
            "name_length",
            "topic_backlog",
            "heart_beat_grace",
        ):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1")
        unknown = [version for version in self.versions if version not in VERSIONS]
        if unknown or not self.versions:
            raise ConfigurationError(f"versions must be some of {', '.join(VERSIONS)}", f"not {unknown}")

    def keepalive(self) -> Keepalive:
        """How connections are asked whether their clients are there.  Raises ConfigurationError."""
        return Keepalive(self.tcp_keepalive, self.tcp_keepalive_interval, self.tcp_keepalive_probes)

    def _one_of(self, name: str, values: tuple[str | None, ...]) -> None:
        if getattr(self, name) not in values:
            raise ConfigurationError(
                f"{name} must be one of {', '.join(filter(None, values))}, not {getattr(self, name)!r}"
            )
