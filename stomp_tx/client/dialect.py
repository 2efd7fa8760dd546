"""Dialect: what brokers call differently, by what they say they are.  A broker is a row of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from stomp_tx.errors import ErrorReceived, LoginRefused


class Dialect(NamedTuple):
    """How one kind of broker wants to be spoken to; the headers are names, or whole headers.

    server -- how one of the words of its ``server`` header begins
    prefetch -- the headers of SUBSCRIBE that take a number of messages
    dedupe -- the header of SEND by which a message is known when it is sent again; "": it knows none
    durable -- the headers of SUBSCRIBE and UNSUBSCRIBE for a durable subscription; ``{}`` is its name
    wants_client_id -- without CONNECT's ``client-id`` it makes a durable subscription that nobody finds again
    subscribes_replies -- who sends a ``reply-to`` of ``/temp-queue/`` is subscribed to it, with its name as
        the id, and can't subscribe
    temporary -- whether it has ``/temp-queue/`` at all
    forgets_unused -- a durable subscription can't be forgotten while it is in use: it is ended before
    keeps_unsettled -- what was not acknowledged when a subscription ends stays with the connection, and goes
        to others when that ends: it is given back before
    late -- how an ERROR begins that is about a message for a subscription that has ended; the connection
        goes on, and the subscription's id is the group in it
    browses -- whether one can look at what waits in a queue, and leave it there
    browses_durables -- the same of what waits for a durable subscription
    silence -- so many of the agreed intervals may lie between two of its heart-beats
    names_receipts -- an ERROR that is about a frame names the receipt that it asked for, if it asked for one
    no_frame -- how an ERROR begins that names no receipt, and is about no frame
    stopping -- how one begins that says no more than that the broker stops, whatever receipt it names
    not_now -- how one begins that answers CONNECT, and may not come when the same is said again later
    """

    server: str
    prefetch: tuple[str, ...] = ()
    dedupe: str = ""
    durable: Mapping[str, str] = {}
    wants_client_id: bool = False
    subscribes_replies: bool = False
    temporary: bool = True
    forgets_unused: bool = False
    keeps_unsettled: bool = False
    late: str = ""
    browses: bool = True
    browses_durables: bool = False
    silence: float = 1.0
    names_receipts: bool = False
    no_frame: str = ""
    stopping: str = ""
    not_now: str = ""

    def is_about_no_frame(self, error: ErrorReceived, is_named: bool) -> bool:
        """Is it known to be about none?  False: it may be about one.

        is_named -- it names the receipt of one
        """
        words = self.stopping if is_named else self.no_frame
        return bool(words) and re.match(words, error.summary) is not None


DIALECTS = (
    # It comes first: in the dialect of another broker it names that one, and itself in a comment.
    Dialect(
        "stomp-tx/",
        prefetch=("prefetch-count",),
        dedupe="message-dedupe-id",
        durable={"durable-subscription": "{}"},
        browses_durables=True,
        names_receipts=True,
        no_frame=r"the broker is stopping|no heart-beat|idle for too long|login expired|login refused"
        r"|subscription too slow|too much under way|logins can't be checked now",
        not_now=r"the broker is stopping|too many (connections|logins)|logins can't be checked now"
        r"|login took too long|no CONNECT in time|too much under way|internal error"
        r"|login refused: .*: try again in \d+ seconds",
    ),
    Dialect(
        "RabbitMQ/",
        prefetch=("prefetch-count",),
        durable={"durable": "true", "auto-delete": "false"},  # its name is the subscription's id
        subscribes_replies=True,
        keeps_unsettled=True,
        browses=False,
        late=r"There is no current subscription with tag 'T_(.*)'",
        # Closed by an administrator; a token's end; a deleted queue; a consumer that has not acknowledged.
        no_frame=r"connection_forced|Credential expired|Server cancelled subscription"
        r"|precondition_failed: .*delivery acknowledgement on channel \d+ timed out",
        not_now=r"Bad CONNECT: Connection refused: .* limit",
    ),
    # Artemis takes activemq.prefetchSize for a number of bytes.
    Dialect(
        "ActiveMQ-Artemis/",
        dedupe="_AMQ_DUPL_ID",
        durable={"durable-subscription-name": "{}"},
        temporary=False,
        browses=False,
        # The connection's time to live; closed by an administrator.
        no_frame=r"AMQ229(014|005|107|108|120)\b",
        # All that is no matter of login and passcode; a router that is not ready.
        not_now=r"AMQ339009\b|AMQ229238\b",
    ),
    # It looks once in an interval whether it has said something since it looked last, and beats if not.
    Dialect(
        "ActiveMQ/",
        prefetch=("activemq.prefetchSize",),
        durable={"activemq.subscriptionName": "{}"},
        wants_client_id=True,
        forgets_unused=True,
        silence=2.0,
        no_frame=r"Channel was inactive for too|Broker has been stopped",
        stopping=r"Broker has been stopped",
        # Whoever had this client-id before may be gone, and the broker has not noticed yet.
        not_now=r"Broker has been stopped|Broker\b.* already connected from ",
    ),
)


def any_of(words: Iterable[str]) -> str:
    """A pattern of all of these that say anything: the empty one would match everything."""
    return "|".join(one for one in words if one)


UNKNOWN = Dialect(
    "",
    prefetch=("prefetch-count", "activemq.prefetchSize"),
    durable={"activemq.subscriptionName": "{}", "durable-subscription-name": "{}"},
    no_frame=any_of(one.no_frame for one in DIALECTS),
    stopping=any_of(one.stopping for one in DIALECTS),
)
"""What says nothing of itself, or is none of these: headers that it does not know it ignores."""


_NOT_NOW = re.compile(any_of(one.not_now for one in DIALECTS))


def is_temporary(refusal: LoginRefused) -> bool:
    """May the same login be let in later?  Who refuses it has not said yet what it is."""
    return _NOT_NOW.match(refusal.summary) is not None


def dialect_of(server: str | None) -> Dialect:
    """The dialect of a broker that has this ``server`` header in CONNECTED."""
    words = (server or "").split()
    for dialect in DIALECTS:
        if any(word.startswith(dialect.server) for word in words):
            return dialect
    return UNKNOWN
