"""The seams of stomp_tx, each promise in one place.  Read this first.

A **protocol** turns octets into frames and hands them to an IFrameReceiver, which answers through an
IFrameSender.  A **session** (the broker's or the client's) is such a receiver.  The broker keeps messages in
an IEngine.  Who a session belongs to, and what they may do, is an IStompUser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from stomp_tx.errors import StompError
from stomp_tx.message import Batch, Message, Outcome
from stomp_tx.wire.frame import Frame

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

Safe = Deferred[None] | None
"""None: it is done.  A Deferred: it fires when it is safe, and fails with an EngineError when it is not.

Everything that becomes safe together shares one Deferred: who adds a callback gives on what it got.
"""

Put = Callable[[Message], Safe]
"""How a message gets into a destination: an engine's ``append`` or ``publish``, one with checks."""


Judge = Callable[[Message], Sequence[Message]]
"""Says which messages are appended instead of one that ends."""

Test = Callable[[Message], bool]
"""Says of a message whether it is wanted."""


class IFrameSender(Interface):
    """Given to a session: its way to the peer.  None of these ever blocks or raises for a lost connection."""

    version = Attribute("The protocol version agreed on: None until the session sets it.")
    outgoing = Attribute("The octets that are queued, frame by frame; see ``going_out``.")
    full = Attribute("True while the transport has as much to send as it takes.")

    def send_frame(frame: Frame) -> None:
        """Queue one frame for the peer.  Raises FrameError when it has no encoding in this version."""

    def send_octets(octets: bytes) -> None:
        """The same for a frame encoded already."""

    def going_out() -> None:
        """Something will now be appended to ``outgoing``, which is empty.

        ``send_octets`` does this; whoever sends the same octets to thousands does it without that call.
        """

    def flush() -> None:
        """Give what is queued to the transport now, not at the end of the turn."""

    def start_heart_beat(sending: float, receiving: float) -> None:
        """Beat every ``sending`` seconds, expect octets every ``receiving`` seconds; 0.0 means none."""

    def finish(at_once: bool) -> None:
        """Read no more from the peer.  When what has come is handled, the receiver's input has ended.

        Within a bounded time, and ``at_once`` without handling the rest.
        """

    def watch_for_end(at_once: bool = False) -> None:
        """Notice the end of the connection while what is returned for this frame has not fired.

        To that end reading goes on until something has come, which is kept.  A peer that only sends nothing
        more is cut after a bounded time; ``at_once``: its input has ended.
        """

    def disconnect() -> None:
        """Read no further frame, send what is queued, then close: within a bounded time."""

    def abort() -> None:
        """Cut the connection now; what is queued is lost."""

    def peer() -> IAddress:
        """The peer's address."""

    def peer_certificate() -> Certificate | None:
        """The certificate that the peer has shown, and TLS has verified; None: there is none."""


class IFrameReceiver(Interface):
    """A session, as its protocol sees it."""

    def connected(sender: IFrameSender) -> None:
        """The connection is up; answer through ``sender``."""

    def frame_received(frame: Frame) -> Deferred[None] | None:
        """Handle one frame.  When a Deferred is returned, no further frame is read until it fires."""

    def frame_failed(error: StompError) -> None:
        """What arrived is no frame, or the peer fell silent; nothing further will be read."""

    def paused() -> None:
        """The transport has as much to send as it takes: send only what can't wait."""

    def resumed() -> None:
        """The transport has room again."""

    def flushed() -> None:
        """What was queued has been given to the transport, which has room for more."""

    def input_ended(error: StompError | None) -> None:
        """Nothing more is read, and the peer may still read: send what is owed, then ``disconnect``.

        The peer has closed its side, or the whole connection, which can't be told apart, or ``finish`` was
        called: give back what you hold at once.
        Whoever takes too long is cut.  Called once at most, and not after ``disconnect``.

        error -- the last frame did not come whole; all before it were received
        """

    def disconnected(reason: Failure) -> None:
        """The connection is gone; give back what you hold.  Called once.

        The reason is a TLSFault (tls_fault.py) where TLS has failed.
        """


class IClaim(Interface):
    """The right to take messages from one queue."""

    def request(count: int) -> None:
        """Ask for up to ``count`` more.  A negative count takes back what has not been handed out yet."""

    def watch(noticed: Callable[[Sequence[Message] | None], None] | None) -> None:
        """Call ``noticed(messages)`` with those that begin to wait, in their order; None: no more.

        They have come and nobody asked for them, or have come back.  With no messages: what could not be
        picked may be picked now.  With None: some that wait could not be looked at before, and can be now.
        """

    def pick(message: Message) -> bool | None:
        """Take one that waits out of the middle: it is handed out by that, and needs no request.

        False: it waits no more.  None: it can't be handed out yet, ``noticed(())`` tells when.
        """

    def stop() -> None:
        """Ask for no more.  What was handed out and not settled stays so until it is settled."""


class IEngine(Interface):
    """Keeps messages, in the order in which they were appended to each queue, and hands them out on demand.

    An engine knows nothing of sessions and subscriptions: who gets a message is its taker's business.  A
    persistent message is handed out, or heard, when it is safe and not before.

    While a message is in memory, ``message.owner.octets`` counts its size: from when it waits, or was handed
    out to be settled, until it is settled or dropped.  One that is handed out and done with is never counted.
    """

    octets = Attribute("Of all messages that are in memory: the same, for all owners together.")

    owners = Attribute(
        "For whom what is kept in bound queues takes memory; of those that are not here, nobody.  Whoever"
        " binds a queue says so here, and ``unbind`` forgets it."
    )

    def append(message: Message) -> Safe:
        """Keep one message on the queue that its address names.

        A second one with a ``dedupe`` name that its address has seen is not kept: safe when the first is.
        """

    def publish(message: Message) -> Safe:
        """Let everyone who listens to the topic that its address names hear one message.

        Queues that are bound to the topic keep a copy each, if they want it: see ``select``.
        """

    def settle(message: Message, outcome: Outcome) -> Safe:
        """What became of one message that was handed out.  What is put back may be taken again at once.

        When it turns out that it could not be made safe, the message is put back.
        """

    def commit(batch: Batch) -> Safe:
        """Append (or publish) and settle many, all or nothing, in the order given; see Batch for the rest."""

    def consume(queue: str, taker: Callable[[Message], bool]) -> IClaim:
        """Take from a queue, as its one taker.

        ``taker(message)`` gets one at a time, in order, and never more than were asked for.  It returns True
        when the message is done with by that (it is not settled later), False when it will be settled.
        """

    def listen(topic: str, heard: Callable[[Message], None]) -> Callable[[], None]:
        """Call ``heard(message)`` for each message published there; gives a callable that stops it.

        The topic may be a pattern, see wildcards.py.  One who listens to several hears each message once.
        """

    def bind(queue: str, topic: str, selector: str | None = None) -> Safe:
        """From now on the queue gets a copy of what is published to the topic.  It is bound to one, for good.

        The topic may be a pattern, or several of them with commas between.  A binding outlives the process,
        but for queues that are shared (see address.py).  Raises EngineError when it is bound to another.

        selector -- which of it, in words of which an engine knows nothing: see ``select``; empty: all of it.
            It is kept with the binding, and a later ``bind`` may change it; None leaves it as it is.

        What waits in the queue is not touched.  A selector that takes the place of another one leaves the
        queue ``unsifted`` as soon as it is safe.  Until then the queue gets what either of the two wants, and
        is not ``unsifted``: if the change fails nothing may be missing.  A queue has one change at a time:
        raises EngineError when another one is on its way.
        """

    def has_bound(topic: str) -> bool:
        """Is a queue bound to this topic?  Those that are bound to patterns do not count."""

    has_bound_changed = Attribute("Called when ``has_bound`` has changed for a topic; None: no need to.")

    def unbind(queue: str) -> Safe:
        """Undo ``bind``; the messages that wait there are gone."""

    def select(test_of: Callable[[str, str], Test | None] | None) -> None:
        """From now on ``test_of(queue, selector)`` says which messages a bound queue wants.

        It is called once for each selector, of those that there are too, and not for empty ones.  Where it
        gives None, and where there is no ``test_of``, the queue gets all.
        """

    def sifted(queue: str) -> Safe:
        """What waits in an unsifted queue has been looked through, and what is unwanted was withdrawn."""

    last_position = Attribute("The position of the message that came last: they are counted from 1.")

    bindings = Attribute("The queues that are bound, and the topic of each.  Nobody else changes it.")

    selectors = Attribute(
        "The selectors of bound queues; of one that is not here nobody has said.  Nobody else changes it."
    )

    selector_characters = Attribute("Characters of all of those together.")

    unsifted = Attribute(
        "The bound queues whose selector was another one when some of what waits there came, as keys of a"
        " dictionary, until ``sifted``.  That outlives the process as the binding does."
    )

    def expire(now: int, judge: Judge) -> bool:
        """Take out what waits and has expired by ``now`` (milliseconds since 1970).

        ``judge(message)`` says which messages are appended in its stead, all or nothing.  Not more at a time
        than others can wait for: True when there is more to be taken out, soon.  Called every second or so;
        what could not be read or written before is tried again too.
        """

    damaged = Attribute(
        "Called with the name of each queue that stands still for damage, the position after which, and why; "
        "None: nobody wants to know."
    )

    made = Attribute("Called with the name of each queue that comes to be; None: nobody wants to know.")

    def queues() -> Sequence[str]:
        """The names of those that there are: where something waits, or somebody takes, and bound ones."""

    def browse(queue: str, after: int = 0) -> Iterator[list[Message]]:
        """What waits in a queue after a position, in its order, as pages; each is read when it is asked for.

        A page may be empty.  They stay where they are, and some may be there no more by the time somebody
        looks at them.
        """

    def oldest(queue: str) -> Message | None:
        """Of what waits in a queue with the lowest priority, the first; None: nothing waits."""

    def withdraw(message: Message, instead: Sequence[Message] = ()) -> Safe:
        """Take one that waits out of its queue, for good; others are appended instead, all or nothing.

        Done when it waits no more anyway.
        """

    def delete(queue: str) -> Safe:
        """Drop all that waits in a queue that nobody takes from, and the queue."""

    def depth(queue: str) -> tuple[int, int]:
        """How many messages wait in a queue, or will when they are safe; and about how many octets."""

    def limit(limits_of: Callable[[str], tuple[int, int]] | None) -> None:
        """From now on there is room in a queue for so many messages and octets as ``limits_of(queue)`` says.

        0: no limit but the engine's own.  None: so it is for all queues.
        """

    def next_expiry(queue: str) -> int:
        """When the first message that waits in a queue, or will when it is safe, expires; 0: none does.

        Or some time before.
        """

    full = Attribute(
        "The queues that have been found full, as keys of a mapping: the same one, always.  While it is empty"
        " nobody needs to ask for room."
    )

    def notice(octets: int) -> None:
        """From so many octets in memory on ``full`` is not empty, and ``append`` gives a Deferred."""

    is_short = Attribute("Has what all queues share, memory or the file, reached its limit?")

    def is_full(queue: str, message: Message | None = None) -> bool:
        """Has the queue reached a limit, its own or one that all queues share?  Then it is in ``full``.

        Of a topic: has a queue that is bound to it; with a message: one that wants it?

        Whoever appends asks after a Deferred from ``append``.
        """

    def is_full_itself(queue: str, message: Message | None = None) -> bool:
        """The same, but for the limits that all queues share."""

    def room(queue: str, message: Message, is_next: bool = False) -> Deferred[None] | None:
        """None when there is room for a message there; else it fires when it is its turn there.

        Those who wait have their turns one after the other, each when the one before has used its room, and
        owners of messages take turns.  Whoever waits no more cancels it.

        is_next -- it was its turn; if there is no room all the same it is again before all others
        """

    def caught_up() -> Deferred[None] | None:
        """None, or a Deferred that fires when not too much waits to become safe.  Asked when ``room`` is."""

    def check() -> None:
        """Raises StompError when ``start`` would fail, as far as that can be seen; changes nothing."""

    def start() -> Deferred[None] | None:
        """Get ready; everything before it fails."""

    def stop() -> Deferred[None] | None:
        """Keep what must be kept, and end."""


class IStompUser(Interface):
    """Who a session belongs to: cred's avatar."""

    name = Attribute("The user's name, for logs and refusals.")
    expires = Attribute("Seconds since 1970 at which the session ends, unless it is renewed; 0.0: never.")

    def may(permission: str, destination: str) -> bool:
        """Has this user the permission for this destination: an address, which may be a pattern?

        The permissions are send, subscribe, create, browse and manage.
        """

    def forget() -> None:
        """What they may do could have changed."""

    def is_valid() -> bool:
        """Could they still log in as they did?  Asked when the configuration was read again."""

    def logout() -> None:
        """The session is over."""
