"""Broker: what all sessions share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Protocol

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from stomp_tx.account import Account
from stomp_tx.address import QUEUE, split, within
from stomp_tx.broker.admission.connection_limits import ConnectionLimits
from stomp_tx.broker.admission.lockout import Lockout
from stomp_tx.broker.admission.login_queue import LoginQueue
from stomp_tx.broker.available_memory import default_memory
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
from stomp_tx.broker.dialects import DIALECTS
from stomp_tx.broker.events import Dropped, Events, LockedOut, QueueDamaged
from stomp_tx.broker.headers.ignored import IgnoredHeaders
from stomp_tx.broker.maintenance import Maintenance
from stomp_tx.broker.policy import Policies
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.broker.shares import NOBODY_OVER, Shares
from stomp_tx.broker.slices import Slices
from stomp_tx.interfaces import IEngine, IStompUser
from stomp_tx.message import Message


class Session(Protocol):
    """What the broker asks of each of its sessions, and what can be seen of one.

    version -- the protocol version, once the session is open
    """

    id: str
    version: str

    @property
    def user(self) -> IStompUser:
        """Who it is, in an open session."""

    def forget_routes(self) -> None:
        """Ask anew where destinations lead: what was remembered has changed."""

    def meanings_changed(self) -> None:
        """A topic has its first durable subscription, or none any more: some names lead elsewhere."""

    def access_changed(self) -> None:
        """Who may do what is different now: end if you have what you may not any more."""

    def owns(self, subscription: Subscription) -> bool:
        """Is it one of yours?"""

    def too_slow(self, subscription: Subscription) -> None:
        """This one of yours has more waiting than it may have: end."""

    def shut_down(self) -> None:
        """The broker stops: handle what has been read, send what is owed, and close."""


class Held(Protocol):
    """A session that waits for room."""

    def look_again(self) -> None:
        """Something may have changed that no room is needed for."""


class Broker:
    """The parts of a broker, each of which says what it is for, and the sessions that share them.

    It knows no protocol, port or reactor: StompBrokerFactory is Twisted's side of it.  A session is added
    when its connection is there, and removed when that is gone.

    anonymous -- who everyone is while there is no portal
    portal -- twisted.cred's; None: nobody is asked who they are
    sessions -- those that there are, oldest first
    registry -- who has subscribed to what
    slices -- does long work of all of them
    account -- for whom memory is taken
    shares -- who may have more kept
    held -- those who wait until they may
    message_id_prefix, message_numbers -- what the id of each message is made of, see ``new_message_id``
    """

    log = Logger()

    def __init__(
        self,
        engine: IEngine,
        clock: IReactorTime,
        *,
        anonymous: IStompUser,
        portal: Portal | None,
        settings: BrokerSettings,
        policies: Policies,
        events: Events,
        now: Callable[[], float],
    ) -> None:
        """``now`` gives the seconds since 1970."""
        self.engine = engine
        self.clock = clock
        self.anonymous = anonymous
        self.portal = portal
        self.settings = settings
        self.policies = policies
        self.events = events
        self.sessions: dict[Session, None] = {}
        self.slices = Slices(clock)
        self.account = Account(self._queued)
        memory = settings.memory or default_memory()
        self.shares = Shares(self.account, memory, clock, are_kept=bool(settings.memory))
        self.held: dict[Held, None] = {}
        self._now = now
        self._stopped: Deferred[None] | None = None  # set: the broker is stopping
        # A message's id is prefix and number: unique across restarts, and nothing in it needs an escape.
        self.message_id_prefix = f"{self.now():x}{secrets.token_hex(2)}-"
        self.message_numbers = count(1)
        # who may come in
        self.lockout = Lockout(settings, clock, self._locked_out)
        self.login_queue = LoginQueue(self.lockout)
        self.connection_limits = ConnectionLimits(settings, self.lockout)
        # where messages go, and what becomes of them there
        self.dead_letters = DeadLetters(
            policies, self.now, events, self.new_message_id, settings.name_length, DIALECTS[settings.dialect]
        )
        self.expiry = Expiry(self.dead_letters, events, self.now)
        self.overflow = Overflow(engine, policies, self.dead_letters)
        self.retained = Retained(engine, policies, self.dead_letters)
        self.registry = SubscriptionRegistry(
            engine,
            clock,
            self.slices,
            settings,
            policies,
            self.dead_letters,
            self._dropped,
            self._too_slow,
            self.retained.for_subscriber,
        )
        self.durable_selectors = DurableSelectors(engine, self.registry, settings, clock, events)
        self.temporary_destinations = TemporaryDestinations(engine, events)
        self.producers = Producers(policies)
        self.ignored_headers = IgnoredHeaders()
        self.scheduler = Scheduler(
            engine, policies, clock, self.now, self.new_message_id, settings.scheduled, self.retained
        )
        self.scheduler_commands = SchedulerCommands(engine, clock, self.slices, self.new_message_id)
        self._idle_queues = IdleQueues(engine, policies, clock, self.registry.is_consumed)
        # what is done now and then
        self._maintenance = Maintenance(
            engine,
            self._judge,
            (
                self.overflow.sweep,
                self._idle_queues.sweep,
                self.durable_selectors.sweep,
                self.retained.sweep,
                self._look_at_held,
            ),
            clock,
            self.now,
            self.scheduler.next_due,
        )
        self.scheduler.due_at = self._maintenance.due_at
        self.account.step = self.shares.memory // 64
        self.account.moved = self._elsewhere_changed
        self._elsewhere_changed(0)
        events.changed = self._observers_changed
        engine.has_bound_changed = self._has_bound_changed
        engine.damaged = partial(events.emit, QueueDamaged, "")

    # -- sessions -----------------------------------------------------------------------------------------

    def add(self, session: Session) -> None:
        """Its connection is there."""
        self.sessions[session] = None

    def remove(self, session: Session) -> None:
        """Its connection is gone."""
        self.sessions.pop(session, None)
        if self._stopped is not None and not self.sessions and not self._stopped.called:
            self._stopped.callback(None)

    @property
    def is_stopping(self) -> bool:
        """Are no more sessions taken?"""
        return self._stopped is not None

    def shut_down(self) -> Deferred[None]:
        """Take no more sessions, and end those that there are; fires when all are gone."""
        self._stopped = Deferred()
        self.slices.do(self._shut_down_sessions())
        if not self.sessions and not self._stopped.called:
            self._stopped.callback(None)
        return self._stopped

    def _shut_down_sessions(self) -> Iterator[None]:
        for session in list(self.sessions):
            if session in self.sessions:
                session.shut_down()
                yield

    # -- what may change ----------------------------------------------------------------------------------

    def change_policies(self, policies: Policies) -> None:
        """Put other policies in force, for all that there is and comes."""
        self.policies.become(policies)
        self.overflow.renew()
        self.registry.renew_policies()
        self.access_changed()

    def access_changed(self) -> None:
        """Who may do what is different now: sessions that have what they may not any more end."""
        for session in list(self.sessions):
            session.access_changed()

    def _observers_changed(self) -> None:
        for session in self.sessions:
            session.forget_routes()

    def _has_bound_changed(self) -> None:
        for session in self.sessions:
            session.meanings_changed()

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

    def _queued(self) -> int:
        octets: int = self.engine.octets
        return octets

    def _elsewhere_changed(self, octets: int) -> None:
        """From when on shares are asked about: while less is taken nobody is over theirs."""
        if self.shares.are_kept:
            self.engine.notice(max(0, int(NOBODY_OVER * self.shares.memory) - octets))

    def _look_at_held(self) -> None:
        for held in list(self.held):
            held.look_again()

    # -- time and ids -------------------------------------------------------------------------------------

    def start_timers(self) -> None:
        """From now on messages expire, and are delivered when they are due, by themselves."""
        self._maintenance.start()
        self.durable_selectors.start()

    def stop_timers(self) -> None:
        """Nothing happens by itself any more: the engine can be closed."""
        self._maintenance.stop()
        self.durable_selectors.stop()
        self.registry.stop()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._now() * 1000)

    def new_message_id(self) -> str:
        """The id of a message that nobody has sent."""
        return f"{self.message_id_prefix}{next(self.message_numbers)}"

    # -- what its parts ask or tell -----------------------------------------------------------------------

    def _judge(self, message: Message) -> list[Message]:
        """What is appended instead of a message whose time has come."""
        try:
            if self.scheduler.is_waiting(message):
                return self.scheduler.due(message)
            return self.dead_letters.expired(message)
        except Exception:
            self.log.failure("{message} is dropped", message=message)  # the others go on
            return []

    def _dropped(self, subscription: Subscription, message: Message) -> None:
        self.events.emit(Dropped, "", subscription.name, message, "slow subscription")

    def _locked_out(self, place: str, seconds: float, login: str | None) -> None:
        self.events.emit(LockedOut, "", place, seconds, login)

    def _too_slow(self, subscription: Subscription) -> None:
        for session in list(self.sessions):
            if session.owns(subscription):
                session.too_slow(subscription)
