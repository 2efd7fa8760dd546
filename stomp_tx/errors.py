"""Every error that stomp_tx raises on purpose.

::

    StompError                what went wrong, in words for a person
    ├── FrameError            octets that are no frame, or a frame that can't be encoded
    │   ├── FrameTooLarge     a frame over one of the limits
    │   └── UnexpectedTLS     TLS, where plain STOMP was expected
    ├── ProtocolViolation     a well-formed frame that may not be sent here
    │   ├── VersionMismatch   no protocol version in common
    │   └── NoHeartBeat       nothing was heard from the peer in the agreed time
    │       └── IdleTooLong   ... or, where none was agreed on, for as long as it may be silent
    ├── LoginDenied           who it is could not be found out, or may not come in
    ├── LoginUnavailable      who it is can't be found out now, through no fault of theirs
    ├── AccessDenied          this user may not do that
    ├── LimitExceeded         more of something than one peer may have
    │   └── TooManyConnections  ... and it is not let in for that
    ├── BrokerStopping        the broker takes no more sessions
    ├── EngineError           the engine could not keep or settle a message
    ├── ConfigurationError    a setting that can't be used
    ├── ConnectionLost        client: the connection ended while something was outstanding
    │   ├── NoConnection      ... or could not be made: nobody listens there
    │   ├── ConnectTimeout    ... or did not open a session in time
    │   ├── TLSFailed         ... or TLS was not agreed on
    │   ├── StaleMessage      ... before this message was acknowledged
    │   └── TransactionLost   ... before this transaction was committed
    ├── SubscriptionEnded     client: no more messages come, because somebody here has ended that
    ├── ReceiptTimeout        client: the RECEIPT did not come in time
    ├── ReplyTimeout          client: nobody answered the request in time
    └── ErrorReceived         client: the broker answered with an ERROR frame
        └── LoginRefused      ... and it answered CONNECT with it

Those of a client are in `stomp_tx.client`, too.
"""

from __future__ import annotations

LONGEST_WHY = 200
"""Characters of a reason that are logged: clients have written some of them."""


class StompError(Exception):
    """Something went wrong.  ``str()`` is one short line, fit for an ERROR frame's ``message`` header.

    ``detail`` is the longer text for the ERROR frame's body: it says what to do about it.
    """

    def __init__(self, summary: str, detail: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail or summary

    @property
    def hint(self) -> str:
        """What ``detail`` says that the summary does not; empty: nothing."""
        return "" if self.detail == self.summary else self.detail

    @property
    def line(self) -> str:
        """The summary and, where it says more, the detail."""
        return f"{self.summary}: {self.hint}" if self.hint else self.summary


class FrameError(StompError):
    """The octets are not a frame of this protocol version (or the frame has no encoding in it).

    receipt -- the receipt that the frame had asked for, as far as it could be read; None: there was none
    """

    receipt: str | None = None


class FrameTooLarge(FrameError):
    """A frame is over a size limit (STOMP 1.2, "Size Limits")."""


class UnexpectedTLS(FrameError):
    """The peer speaks TLS where plain STOMP was expected: it would not understand an ERROR frame."""


class ProtocolViolation(StompError):
    """A well-formed frame that is not allowed here, or lacks something it must have."""


class NoHeartBeat(ProtocolViolation):
    """Nothing was heard from the peer in the agreed time (STOMP 1.2, "Heart-beating")."""

    def __init__(
        self, summary: str = "no heart-beat", detail: str = "nothing was heard in the agreed time"
    ) -> None:
        super().__init__(summary, detail)


class IdleTooLong(NoHeartBeat):
    """A peer without heart-beats was silent for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "idle for too long",
            f"nothing came for {seconds:g} seconds: agree on heart-beats to be silent for longer",
        )


class BrokerStopping(StompError):
    """The broker stops, and takes no more sessions: it says so to CONNECT."""

    def __init__(self) -> None:
        super().__init__("the broker is stopping", "connect again later")


class VersionMismatch(ProtocolViolation):
    """Client and server have no protocol version in common (STOMP 1.2, "Protocol Negotiation")."""


class LoginDenied(StompError):
    """The broker could not find out who it is, or may not let them in.  ``why`` is for its log only."""

    def __init__(self, detail: str, why: str = "") -> None:
        super().__init__("login refused", detail)
        self.why = why[:LONGEST_WHY] or detail


class LoginUnavailable(StompError):
    """The broker can't find out now who somebody is.  ``why`` is for its log only."""

    def __init__(self, why: str) -> None:
        super().__init__("logins can't be checked now", "it is the broker's fault: connect again later")
        self.why = why[:LONGEST_WHY]


class AccessDenied(StompError):
    """The user has not the permission that it takes, for this destination (an address).

    why -- what stands in the way, where that is something else
    """

    def __init__(self, user: str, permission: str, destination: str, why: str = "") -> None:
        verb = _VERBS.get(permission, permission)
        why = why or f"it takes the permission {permission!r}"
        super().__init__("access denied", f"{user} may not {verb} {destination}: {why}")
        self.user = user
        self.permission = permission
        self.destination = destination


_VERBS = {"send": "send to", "subscribe": "subscribe to"}


class LimitExceeded(StompError):
    """One peer asked for more of something than one peer may have."""


class TooManyConnections(LimitExceeded):
    """No more connections are taken: in all, from that address, or of that user."""

    def __init__(self, detail: str) -> None:
        super().__init__("too many connections", detail)


class EngineError(StompError):
    """The engine could not do what it was asked; nothing of it happened."""


class ConfigurationError(StompError):
    """A setting has a wrong name, type or value."""


class ConnectionLost(StompError):
    """Client: the connection ended before the answer came; whether the broker acted is unknown."""


class StaleMessage(ConnectionLost):
    """Client: the message came over a connection that is gone; the broker gives it to somebody again."""


class TransactionLost(ConnectionLost):
    """Client: the connection that the transaction had begun on is gone, and it with it."""


class NoConnection(ConnectionLost):
    """Client: nobody listens there, or the host is not known; ``__cause__`` is Twisted's error."""


class ConnectTimeout(ConnectionLost):
    """Client: the broker did not answer CONNECT in time."""


class TLSFailed(ConnectionLost):
    """Client: TLS was not agreed on, or one side does not accept the other's certificate."""


class SubscriptionEnded(StompError):
    """Client: no more messages come: it was unsubscribed, or the client has disconnected."""


class ReceiptTimeout(StompError):
    """Client: the broker did not send the RECEIPT in time."""


class ReplyTimeout(StompError):
    """Client: nobody answered the request in time."""


class ErrorReceived(StompError):
    """Client: the broker sent an ERROR frame.  ``headers`` and ``body`` (octets) are the frame's."""

    def __init__(self, summary: str, headers: dict[str, str], body: bytes) -> None:
        super().__init__(summary, body.decode("utf-8", "replace"))
        self.headers = headers
        self.body = body


class LoginRefused(ErrorReceived):
    """Client: the broker answered CONNECT with an ERROR frame.

    is_temporary -- the same login may be let in later: the broker stops, or has too many connections; it
        can't check logins now, or takes none from here for a while.  False: login or passcode is wrong, or
        something else that will not be right by itself.
    """

    is_temporary = False
