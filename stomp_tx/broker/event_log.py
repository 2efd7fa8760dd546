"""EventLog: one line for each thing that happens to a connection."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from stomp_tx.broker.destinations.expiry import DAY, EVERY, reason
from stomp_tx.broker.events import (
    Connected,
    Denied,
    Disconnected,
    Events,
    ExpiredOnArrival,
    Failed,
    HeaderIgnored,
    HeaderUnknown,
    LockedOut,
    LoginRenewed,
    MemoryShort,
    Refused,
    SelectorChanged,
)
from stomp_tx.broker.headers.ignored import NOTES
from stomp_tx.broker.log_limit import LogLimit
from stomp_tx.errors import AccessDenied, LoginDenied, TooManyConnections
from stomp_tx.printable import printable


class EventLog:
    """Tells of these events through ``log``; ``seconds`` gives the time of the broker's clock.

    Those about who may do what have a field ``audit``: login, refusal, renewal, denial or lockout; and
    ``peer`` and ``user``, which a lockout has where it is of one login and not of an address.  What clients
    have named is shown so that it can't be taken for another line.
    """

    def __init__(self, events: Events, log: Logger, seconds: Callable[[], float]) -> None:
        self._log = log
        self._long_ago, self._just_now = LogLimit(seconds, EVERY), LogLimit(seconds, EVERY)  # of what expired
        events.observe(Connected, self._connected)
        events.observe(Failed, self._failed)
        events.observe(ExpiredOnArrival, self._expired_on_arrival)
        events.observe(HeaderIgnored, self._header_ignored)
        events.observe(HeaderUnknown, self._header_unknown)
        events.observe(Refused, self._refused)
        events.observe(LoginRenewed, self._renewed)
        events.observe(Denied, self._denied)
        events.observe(LockedOut, self._locked_out)
        self._short = LogLimit(seconds, EVERY)
        events.observe(MemoryShort, self._memory_short)
        events.observe(SelectorChanged, self._selector_changed)
        events.observe(Disconnected, self._disconnected)

    def _connected(self, event: Connected) -> None:
        self._log.info(
            "{session} connected: {user} from {peer}, STOMP {version}",
            session=event.session,
            user=printable(event.user),
            peer=printable(event.peer),
            version=event.version,
            audit="login",
        )

    def _failed(self, event: Failed) -> None:
        if isinstance(event.error, (LoginDenied, AccessDenied, TooManyConnections)):
            return  # which the log tells as Refused or Denied
        self._log.warn(
            "{session} ({peer}) got ERROR: {error}",
            session=event.session,
            peer=printable(event.peer),
            error=printable(event.error.line),
        )

    def _expired_on_arrival(self, event: ExpiredOnArrival) -> None:
        left_out = (self._long_ago if event.late > DAY else self._just_now).tell()
        if left_out is None:
            return
        letters = printable(", ".join(event.dead_letters)[:200])
        self._log.warn(
            "{session} ({peer}): a message to {destination} had expired when it arrived, and {became}:"
            " {reason}{more}",
            session=event.session,
            peer=printable(event.peer),
            destination=printable(event.message.destination[:200]),
            became=f"is a dead letter in {letters}" if letters else "was dropped",
            reason=reason(event),
            more=f"; {left_out} more since the last such line" if left_out else "",
        )

    def _header_ignored(self, event: HeaderIgnored) -> None:
        self._log.warn(
            "{session} ({peer}): {command} has {header}:{value!r}, which is neither true nor false: {so}; "
            "more of this connection is not logged",
            session=event.session,
            peer=printable(event.peer),
            command=event.command,
            header=event.header,
            value=event.value[:40],
            so="the message is not persistent" if event.command == "SEND" else "it is ignored",
        )

    def _header_unknown(self, event: HeaderUnknown) -> None:
        note = NOTES.get(event.header, "it is logged once")
        self._log.warn(
            "{session} ({peer}): {command} has the header {header!r}, which has no effect with this broker; "
            "{note}",
            session=event.session,
            peer=printable(event.peer),
            command=event.command,
            header=event.header[:100],
            note=note,
        )

    def _refused(self, event: Refused) -> None:
        self._log.warn(
            "{session} ({peer}) login refused: {user!r}: {why}",
            session=event.session,
            peer=printable(event.peer),
            user=event.login[:100],
            why=printable(event.why),
            audit="refusal",
        )

    def _renewed(self, event: LoginRenewed) -> None:
        self._log.info(
            "{session} ({peer}) login renewed: {user}",
            session=event.session,
            peer=printable(event.peer),
            user=printable(event.user),
            audit="renewal",
        )

    def _denied(self, event: Denied) -> None:
        self._log.warn(
            "{session} ({peer}) denied: {user} has no permission {permission!r} on {destination}",
            session=event.session,
            peer=printable(event.peer),
            user=printable(event.user),
            permission=event.permission,
            destination=printable(event.destination),
            audit="denial",
        )

    def _memory_short(self, event: MemoryShort) -> None:
        left_out = self._short.tell()
        if left_out is None:
            return
        self._log.warn(
            "what {user} sends waits: {octets} octets of memory are taken for them, they may have {share};"
            " {total} are taken in all, {held} by frames that wait{more}",
            user=printable(event.owner),
            octets=event.octets,
            share=event.share,
            total=event.total,
            held=event.held,
            more=f"; {left_out} more had to wait since the last such line" if left_out else "",
        )

    def _locked_out(self, event: LockedOut) -> None:
        who = {}
        whom = ""
        if event.login:
            whom = " as {user!r}"
            who["user"] = event.login[:100]
        elif event.login is not None:
            whom = " with one token or certificate"
        self._log.warn(
            "{peer} is locked out" + whom + " for {seconds:g} seconds: too many logins failed",
            peer=event.place,
            seconds=event.seconds,
            audit="lockout",
            **who,
        )

    def _selector_changed(self, event: SelectorChanged) -> None:
        what = "what waits there stays"
        if not event.is_first:
            what = f"{event.dropped} messages that no longer match are dropped"
        self._log.info(
            "{session} {user}'s durable subscription {subscription} to {destination} keeps {keeps}: {what}",
            session=event.session or "broker",
            user=printable(event.user),
            subscription=printable(event.subscription),
            destination=printable(event.destination),
            keeps=repr(event.selector[:200]) if event.selector else "all messages",
            what=what,
            dropped=event.dropped,
        )

    def _disconnected(self, event: Disconnected) -> None:
        self._log.info(
            "{session} ({peer}) disconnected: {why}",
            session=event.session,
            peer=printable(event.peer),
            why=printable(event.why),
        )
