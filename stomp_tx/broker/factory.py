"""StompBrokerFactory: a broker, as Twisted's ports have it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory, ServerFactory
from twisted.logger import Logger

from stomp_tx.auth.identity import ANONYMOUS
from stomp_tx.auth.realm import StompUser
from stomp_tx.broker.admission.connection_limits import place_of
from stomp_tx.broker.admission.frame_rate import FrameRate
from stomp_tx.broker.broker import Broker
from stomp_tx.broker.dialects import DIALECTS, Dialect
from stomp_tx.broker.event_log import EventLog
from stomp_tx.broker.events import Events
from stomp_tx.broker.policy import Policies
from stomp_tx.broker.session.session import BrokerSession
from stomp_tx.broker.settings import BrokerSettings
from stomp_tx.clock import MonotonicClock
from stomp_tx.engine.memory.engine import MemoryEngine
from stomp_tx.interfaces import IEngine, IFrameReceiver, IStompUser
from stomp_tx.net.frame_memory import FrameMemory
from stomp_tx.net.outbox import Outbox
from stomp_tx.net.rate import Rate
from stomp_tx.protocol import StompFrameProtocol
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

    ``registry`` is the subscription registry; ``sessions`` are the connections there are.  ``broker`` is what
    all connections share.
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
        self.broker = broker = Broker(
            engine or MemoryEngine(seconds=clock.seconds),
            clock,
            anonymous=anonymous or StompUser(ANONYMOUS),
            portal=portal,
            settings=settings or BrokerSettings(),
            policies=policies or Policies(),
            events=events or Events(),
            now=now,
        )
        self.engine = broker.engine
        self.clock = clock
        self.settings = broker.settings
        self.policies = broker.policies
        self.limits = limits or Limits()
        self.events = broker.events
        self.registry = broker.registry
        self.sessions = broker.sessions
        self._make_session_id = make_session_id or (lambda: secrets.token_hex(8))
        self._outbox = Outbox(clock)
        self._keepalive = broker.settings.keepalive()
        self._frame_memory = FrameMemory(broker.settings.unfinished_octets, place_of)
        if log is not None:
            EventLog(broker.events, log, clock.seconds)

    def __repr__(self) -> str:
        return f"<StompBrokerFactory {type(self.engine).__name__}, sessions: {len(self.sessions)}>"

    @property
    def anonymous(self) -> IStompUser:
        """Who everyone is while there is no portal."""
        return self.broker.anonymous

    @anonymous.setter
    def anonymous(self, user: IStompUser) -> None:
        self.broker.anonymous = user

    @property
    def portal(self) -> Portal | None:
        """Finds out who connects; None: everyone is ``anonymous``."""
        return self.broker.portal

    @portal.setter
    def portal(self, portal: Portal | None) -> None:
        self.broker.portal = portal

    @property
    def is_stopping(self) -> bool:
        """Has ``stop`` been called?  No more connections are taken then."""
        return self.broker.is_stopping

    def buildProtocol(self, addr: IAddress | None, dialect: Dialect | None = None) -> StompFrameProtocol:
        """A connection that has been accepted.

        dialect -- the port's own; the settings' when left out
        """
        settings = self.settings
        if dialect is None:
            dialect = DIALECTS[settings.dialect]
        receiver: IFrameReceiver = BrokerSession(self.broker, self._make_session_id(), dialect)
        rate = None
        if settings.octets_per_second:
            rate = Rate(self.clock, settings.octets_per_second)
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
            rate=rate,
            frame_memory=self._frame_memory,
        )
        protocol.factory = self
        return protocol

    def speaking(self, dialect: str) -> Port:
        """The factory of one port, whose connections speak that dialect if they say nothing else."""
        return Port(self, DIALECTS[dialect])

    def change_policies(self, policies: Policies) -> None:
        """Put other policies in force, for all that there is and comes: nobody is disconnected for it."""
        self.broker.change_policies(policies)

    def access_changed(self) -> None:
        """Who may do what is different now: sessions that have what they may not any more end."""
        self.broker.access_changed()

    def startFactory(self) -> None:
        """The first port is open."""
        self.broker.start_timers()

    def stopFactory(self) -> None:
        """The last port is closed."""
        self.broker.stop_timers()

    def stop(self) -> Deferred[None]:
        """Take no more connections, tell the clients, send what is queued, close; fires when all are gone.

        Bounded: a client that does not read is cut after ``linger`` seconds.
        """
        return self.broker.shut_down()


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
