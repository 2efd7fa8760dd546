"""What happens in a broker, for whoever wants to know: ``factory.events.observe(Subscribed, print)``.

Nothing is made or called for an event that nobody observes.  `stomp_tx` has the usual ones, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from stomp_tx.errors import StompError
from stomp_tx.message import Message


@dataclass(frozen=True)
class Event:
    """Something that happened.

    session -- the id of the session; empty where it is none's
    """

    session: str


@dataclass(frozen=True)
class Connected(Event):
    """A session is open: CONNECTED was sent.

    user -- the name of whom it belongs to
    version -- the protocol version that was agreed on
    peer -- the client's address, as ``address_text`` gives it
    """

    user: str
    version: str
    peer: str


@dataclass(frozen=True)
class Subscribed(Event):
    """A subscription is in force.

    subscription -- its id
    destination -- what was subscribed to, by its address
    ack -- the ack mode: "auto", "client" or "client-individual"
    """

    subscription: str
    destination: str
    ack: str


@dataclass(frozen=True)
class Unsubscribed(Event):
    """A subscription has ended by UNSUBSCRIBE.

    subscription -- its id
    destination -- what had been subscribed to, by its address
    """

    subscription: str
    destination: str


@dataclass(frozen=True)
class SelectorChanged(Event):
    """A durable subscription keeps other messages than before, and those that no longer match are dropped.

    ``session`` is empty where that began before the broker started.

    user -- whose subscription it is; "anonymous": nobody's
    subscription -- its name
    destination -- what it is to, by its address
    selector -- which messages it keeps; empty: all
    dropped -- how many messages waited there that no longer match, and are dropped
    is_first -- nobody had said before, as in a file of an older version: what waits there stays
    """

    user: str
    subscription: str
    destination: str
    selector: str
    dropped: int
    is_first: bool = False


@dataclass(frozen=True)
class Sent(Event):
    """A message was accepted from a producer (in a transaction: it was committed).

    message -- as it is kept: nobody may change it
    """

    message: Message


@dataclass(frozen=True)
class Dropped(Event):
    """A message was given up for one subscription, or for good where ``subscription`` is empty.

    subscription -- its id
    message -- the message
    why -- in a few words
    """

    subscription: str
    message: Message
    why: str


@dataclass(frozen=True)
class QueueDamaged(Event):
    """A queue stands still, or takes no persistent messages: its part of the broker's file is damaged.

    queue -- its address
    position -- of the last message that can be read before the damage; 0: none, or they can't be removed
    why -- in a few words
    """

    queue: str
    position: int
    why: str


@dataclass(frozen=True)
class ExpiredOnArrival(Event):
    """A message had expired when it came, or will have by the time it is to be delivered: nobody gets it.

    Where it becomes no dead letter, Dropped comes as well.  In a transaction it is told at COMMIT.

    peer -- the client's address
    message -- as it was sent
    header, value -- the one that says so, as its producer has written it; empty: a policy says so
    late -- milliseconds that had passed since, or will have
    scheduled -- is it that there is a time when it is to be delivered?
    dead_letters -- the queues in which it is a dead letter, by their addresses
    """

    peer: str
    message: Message
    header: str
    value: str
    late: int
    scheduled: bool
    dead_letters: tuple[str, ...]


@dataclass(frozen=True)
class HeaderIgnored(Event):
    """A boolean header is neither true nor false, and counts as absent: the first one of its connection.

    peer -- the client's address
    command -- the frame's
    header, value -- as they stand there
    """

    peer: str
    command: str
    header: str
    value: str


@dataclass(frozen=True)
class HeaderUnknown(Event):
    """A frame has a header of another broker that means nothing here: each once, a hundred at most.

    peer -- the client's address
    command -- the frame's: SUBSCRIBE or UNSUBSCRIBE
    header -- its name
    """

    peer: str
    command: str
    header: str


@dataclass(frozen=True)
class Failed(Event):
    """An ERROR was sent; after it comes Refused or Denied, where it was about who may do what.

    peer -- the client's address
    error -- its ``summary`` is the frame's ``message`` header, its ``detail`` the body
    """

    peer: str
    error: StompError


@dataclass(frozen=True)
class Refused(Event):
    """Somebody could not log in, renew their login or stay, or there were too many connections.

    peer -- the client's address
    login -- whose session it is; before it is open: what they said, and may be anybody's
    why -- for the log, not for the client
    """

    peer: str
    login: str
    why: str


@dataclass(frozen=True)
class LoginRenewed(Event):
    """A session goes on with a new token.

    peer -- the client's address
    user -- whose it is
    """

    peer: str
    user: str


@dataclass(frozen=True)
class Denied(Event):
    """A user wanted to do what they may not.

    peer -- the client's address
    user -- who wanted it
    permission -- the one that it takes
    destination -- for what
    """

    peer: str
    user: str
    permission: str
    destination: str


@dataclass(frozen=True)
class LockedOut(Event):
    """Too many logins failed from one place: there is no way in for some seconds.

    place -- the address; of IPv6, the network
    seconds -- for how long
    login -- who is not let in from there, by what they say; empty: who shows one token or certificate and
        no login; None: nobody is
    """

    place: str
    seconds: float
    login: str | None = None


@dataclass(frozen=True)
class MemoryShort(Event):
    """What somebody sends waits until less memory is taken: by them, or in all.

    owner -- who it is: "user NAME", or "address PLACE" of who has not said who they are
    octets -- taken for them
    share -- what they may have now, in octets; less than 0 when nearly all is taken
    total -- taken in all
    held -- octets of what waits, everybody's together
    """

    owner: str
    octets: int
    share: int
    total: int
    held: int


@dataclass(frozen=True)
class Disconnected(Event):
    """A connection is gone, a session on it or not.

    peer -- the client's address
    why -- what ended it, in words: also where the client gets no ERROR, as it has done nothing wrong, or
        would not understand one (it speaks TLS)
    """

    peer: str
    why: str


E = TypeVar("E", bound=Event)


class Events:
    """Who observes what."""

    log = Logger()

    def __init__(self) -> None:
        self._observers: dict[type[Event], tuple[Callable[[Any], None], ...]] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called after each change of what is observed."""

    def observe(self, kind: type[E], observer: Callable[[E], None]) -> Callable[[], None]:
        """Call ``observer(event)`` for each event of this kind; gives a callable that stops it.

        An observer that raises is logged, and harms nobody.
        """
        self._observers[kind] = (*self._observers.get(kind, ()), observer)
        self.changed()

        def stop() -> None:
            rest = tuple(other for other in self._observers.get(kind, ()) if other is not observer)
            if rest:
                self._observers[kind] = rest
            else:
                self._observers.pop(kind, None)
            self.changed()

        return stop

    def wants(self, kind: type[Event]) -> bool:
        """Does anybody observe this kind?"""
        return kind in self._observers

    def emit(self, kind: type[E], *facts: object) -> None:
        """Make the event of these facts and tell it to its observers, if there are any."""
        observers = self._observers.get(kind)
        if observers is None:
            return
        event = kind(*facts)  # type: ignore[arg-type]
        for observer in observers:
            try:
                observer(event)
            except Exception:
                self.log.failure("an observer of {kind} failed", kind=kind.__name__)


def address_text(address: IAddress) -> str:
    """A peer's address as events and logs show it: "127.0.0.1:41234", "[::1]:41234", or "unix"."""
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    return "unix" if isinstance(address, UNIXAddress) else str(address)
