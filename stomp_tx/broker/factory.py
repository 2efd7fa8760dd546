"""StompBrokerFactory: what all connections share."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, ServerFactory
from twisted.logger import Logger

from stomp_tx.address import QUEUE, split, within
from stomp_tx.auth.identity import ANONYMOUS
from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.admission.connection_limits import ConnectionLimits, place_of
from stomp_tx.broker.admission.frame_rate import FrameRate
from stomp_tx.broker.admission.lockout import Lockout
from stomp_tx.broker.admission.login_queue import LoginQueue
from stomp_tx.broker.destinations.dead_letters import DeadLetters
from stomp_tx.broker.destinations.durable_selectors import DurableSelectors
from stomp_tx.broker.destinations.expiry import Expiry
from stomp_tx.broker.destinations.idle_queues import IdleQueues
from stomp_tx.broker.destinations.overflow import Overflow
from stomp_tx.broker.destinations.producers import Producers
from stomp_tx.broker.destinations.registry import SubscriptionRegistry
from stomp_tx.broker.destinations.retained import Retained
from stomp_tx.broker.destinations.scheduler import Scheduler
from stomp_tx.broker.destinations.scheduler_commands import SchedulerCommands
from stomp_tx.broker.destinations.subscription import Subscription
from stomp_tx.broker.destinations.temporary import TemporaryDestinations
from stomp_tx.broker.dialects import DIALECTS, Dialect
from stomp_tx.broker.event_log import log_events
from stomp_tx.broker.events import Dropped, Events, LockedOut, QueueDamaged
from stomp_tx.broker.headers.foreign import ForeignHeaders
from stomp_tx.broker.maintenance import Maintenance
from stomp_tx.broker.policy import Policies
from stomp_tx.broker.session.session import BrokerSession
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.clock import MonotonicClock
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.interfaces import IEngine, IFrameReceiver, IStompUser
from stomp_tx.message import Message
from stomp_tx.net.frame_memory import FrameMemory
from stomp_tx.net.rate import Rate
from stomp_tx.protocol import Outbox, StompFrameProtocol
from stomp_tx.wire.limits import Limits


class StompBrokerFactory(ServerFactory):
    """A broker: any number of ports listen with the same one.  ``StompBrokerFactory()`` is a whole one.

    engine -- where messages are kept; this process's memory when left out
    clock -- for all timers; the reactor when left out
    anonymous -- who everyone is while there is no portal; someone who may do everything when left out
    portal -- twisted.cred's; when given, it finds out who connects: its checkers are asked about the
        certificate, or about CONNECT's login and passcode
    settings -- how it treats its sessions
    policies -- what each destination does with its messages
    limits -- how large a frame may be
    now -- gives the seconds since 1970
    make_session_id -- gives the id of each session; the default's can't be guessed
    log -- gets one line for each event of a connection; None: none
    events -- what happens, for whoever observes it

    ``registry`` is the subscription registry; ``sessions`` are the connections there are.
    """

    noisy = False
    log = Logger()

    def __init__(
        self,
        engine: IEngine | None = None,
        clock: IReactorTime | None = None,
        anonymous: IStompUser | None = None,
        *,
        portal: Portal | None = None,
        settings: BrokerSettings | None = None,
        policies: Policies | None = None,
        limits: Limits | None = None,
        make_session_id: Callable[[], str] | None = None,
        log: Logger | None = None,
        events: Events | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if clock is None:
            from twisted.internet import reactor

            clock = MonotonicClock(reactor)
        self.engine = engine = engine or MemoryEngine(seconds=clock.seconds)
        self.clock = clock
        self.anonymous = anonymous or StompUser(ANONYMOUS)
        self.portal = portal
        self.settings = settings or BrokerSettings()
        self.limits = limits or Limits()
        self.events = events or Events()
        self.events.changed = self._observers_changed
        engine.has_bound_changed = self._has_bound_changed
        self._now = now
        self.sessions: dict[BrokerSession, None] = {}
        self.policies = policies or Policies()
        self.dead_letters = DeadLetters(
            self.policies,
            self.now,
            self.events,
            self.new_message_id,
            self.settings.name_length,
            DIALECTS[self.settings.dialect],
        )
        self.overdue = Expiry(self.dead_letters, self.events, self.now)
        self.bounds = Overflow(engine, self.policies, self.dead_letters)
        self.retained = Retained(engine, self.policies, self.dead_letters)
        self.registry = SubscriptionRegistry(
            engine,
            clock,
            self.settings,
            self.policies,
            self.dead_letters,
            self._dropped,
            self._too_slow,
            self.retained.for_subscriber,
        )
        self.sieve = DurableSelectors(engine, self.registry, self.settings, clock, self.events)
        self.lockout = Lockout(self.settings, clock, self._locked_out)
        self.login_turns = LoginQueue(self.lockout)
        self.door = ConnectionLimits(self.settings, self.lockout)
        self.temporary = TemporaryDestinations(engine, self.events)
        self.producers = Producers(self.policies)
        self.foreign_headers = ForeignHeaders()
        self.scheduler = Scheduler(
            engine,
            self.policies,
            clock,
            self.now,
            self.new_message_id,
            self.settings.scheduled,
            self.retained,
        )
        self.management = SchedulerCommands(engine, clock, self.new_message_id)
        self._idle = IdleQueues(engine, self.policies, clock, self.registry.is_consumed)
        self._upkeep = Maintenance(
            engine,
            self._judge,
            (self.bounds.sweep, self._idle.sweep, self.sieve.sweep, self.retained.sweep),
            clock,
            self.now,
            self.scheduler.next_due,
        )
        self.scheduler.due_at = self._upkeep.due_at
        engine.damaged = partial(self.events.emit, QueueDamaged, "")
        self._outbox = Outbox(clock)
        self._keepalive = self.settings.keepalive()
        self._unfinished = FrameMemory(self.settings.unfinished_octets, place_of)
        self._make_session_id = make_session_id or (lambda: secrets.token_hex(8))
        # A message's id is prefix and number: unique across restarts, and nothing in it needs an escape.
        self.message_id_prefix = f"{self.now():x}{secrets.token_hex(2)}-"
        self.message_numbers = count(1)
        self._stopped: Deferred[None] | None = None  # set: the broker is stopping
        if log is not None:
            log_events(self.events, log, clock.seconds)

    def buildProtocol(self, addr: IAddress | None, dialect: Dialect | None = None) -> StompFrameProtocol:
        """A connection that has been accepted.

        dialect -- the port's own; the settings' when left out
        """
        settings = self.settings
        if dialect is None:
            dialect = DIALECTS[settings.dialect]
        receiver: IFrameReceiver = BrokerSession(self, self._make_session_id(), dialect)
        pace = None
        if settings.octets_per_second:
            pace = Rate(self.clock, settings.octets_per_second)
        if settings.frames_per_second:
            receiver = FrameRate(receiver, Rate(self.clock, settings.frames_per_second))
        protocol = StompFrameProtocol(
            receiver,
            outbox=self._outbox,
            limits=self.limits,
            grace=settings.heart_beat_grace,
            idle=settings.idle_timeout,
            keepalive=self._keepalive,
            linger=settings.linger,
            buffer=settings.send_buffer,
            trailing_eol=settings.trailing_eol,
            pace=pace,
            unfinished=self._unfinished,
        )
        protocol.factory = self
        return protocol

    def speaking(self, dialect: str) -> Port:
        """The factory of one port, whose connections speak that dialect if they say nothing else."""
        return Port(self, DIALECTS[dialect])

    def change_policies(self, policies: Policies) -> None:
        """Put other policies in force, for all that there is and comes: nobody is disconnected for it."""
        self.policies.become(policies)
        self.bounds.renew()
        self.registry.renew_policies()
        self.access_changed()

    def access_changed(self) -> None:
        """Who may do what is different now: sessions that have what they may not any more end."""
        for session in list(self.sessions):
            session.access_changed()

    def startFactory(self) -> None:
        """The first port is open."""
        self._upkeep.start()
        self.sieve.start()

    def stopFactory(self) -> None:
        """The last port is closed."""
        self._upkeep.stop()
        self.sieve.stop()
        self.registry.stop()

    def _judge(self, message: Message) -> list[Message]:
        """What is appended instead of a message whose time has come."""
        try:
            if self.scheduler.is_waiting(message):
                return self.scheduler.due(message)
            return self.dead_letters.expired(message)
        except Exception:
            self.log.failure("{message} is dropped", message=message)  # the others go on
            return []

    def new_message_id(self) -> str:
        """The id of a message that nobody has sent."""
        return f"{self.message_id_prefix}{next(self.message_numbers)}"

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._now() * 1000)

    @property
    def is_stopping(self) -> bool:
        """Are no more sessions taken?"""
        return self._stopped is not None

    def forget(self, session: BrokerSession) -> None:
        """This session's connection is gone."""
        self.sessions.pop(session, None)
        if self._stopped is not None and not self.sessions and not self._stopped.called:
            self._stopped.callback(None)

    def _observers_changed(self) -> None:
        for session in self.sessions:
            session.forget_routes()

    def is_bare_topic(self, topic: str) -> bool:
        """Where a name without a prefix may mean a topic: does it mean this one, and not a queue?

        It has durable subscriptions then, and the queue of its name is idle: nobody takes a queue from those
        who use it by making a durable subscription.
        """
        if not self.engine.has_bound(topic):
            return False
        host, _, name = split(topic)
        queue = within(host, QUEUE + name)
        return not self.registry.is_consumed(queue) and not self.engine.depth(queue)[0]

    def _has_bound_changed(self) -> None:
        for session in self.sessions:
            session.meanings_changed()

    def _dropped(self, subscription: Subscription, message: Message) -> None:
        self.events.emit(Dropped, "", subscription.name, message, "slow subscription")

    def _locked_out(self, place: str, seconds: float, login: str | None) -> None:
        self.events.emit(LockedOut, "", place, seconds, login)

    def _too_slow(self, subscription: Subscription) -> None:
        for session in list(self.sessions):
            if session.owns(subscription):
                session.too_slow(subscription)

    def stop(self) -> Deferred[None]:
        """Take no more connections, tell the clients, send what is queued, close; fires when all are gone.

        Bounded: a client that does not read is cut after ``linger`` seconds.
        """
        self._stopped = Deferred()
        for session in list(self.sessions):
            session.shut_down()
        if not self.sessions:
            self._stopped.callback(None)
        return self._stopped


class Port(Factory):
    """A broker's factory, as one of its ports has it."""

    noisy = False

    def __init__(self, factory: StompBrokerFactory, dialect: Dialect) -> None:
        self._factory = factory
        self._dialect = dialect

    def doStart(self) -> None:
        """The port is open."""
        self._factory.doStart()

    def doStop(self) -> None:
        """The port is closed."""
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress | None) -> StompFrameProtocol:
        """A connection that has been accepted there."""
        return self._factory.buildProtocol(addr, self._dialect)
