"""Why a connection is gone, for those who waited for something."""

from __future__ import annotations

from twisted.python.failure import Failure

from stomp_tx.errors import ConnectionLost, ErrorReceived, StompError, UnexpectedTLS
from stomp_tx.net.tls.explanations import MAYBE_WANTED, WITH_TLS
from stomp_tx.net.tls.faults import TLSFault, plain_at_tls
from stomp_tx.wire.frame import Frame


def lost(reason: StompError | None) -> ConnectionLost:
    """A new ConnectionLost of a session that is over for this reason; None: it was left in order."""
    if reason is None:
        return ConnectionLost("the client has disconnected", "disconnect() was called")
    if isinstance(reason, ConnectionLost):
        again = type(reason)(reason.summary, reason.detail)
        again.__cause__ = reason.__cause__
        return again
    who = "the broker ended" if isinstance(reason, ErrorReceived) else "the client gave up"
    return _because(reason, f"{who} the connection: {reason.summary}", reason.hint)


def given_up(error: StompError) -> ConnectionLost:
    """What the broker said is no STOMP, or it fell silent."""
    if isinstance(error, UnexpectedTLS):
        return plain_at_tls(error)
    return _because(error, f"the client gave up the connection: {error.summary}", error.hint)


def ended(reason: Failure, is_unheard: bool, has_tls: bool) -> ConnectionLost:
    """The transport is gone.

    is_unheard -- the broker has not answered CONNECT
    has_tls -- TLS was agreed on
    """
    if isinstance(reason.value, TLSFault):
        return reason.value.failed()
    before, detail = "", ""
    if is_unheard:
        before = " before the broker's answer to CONNECT"
        # So do ports that want TLS, or a certificate, treat those who come without.
        guess = MAYBE_WANTED if has_tls else f"if the port speaks TLS, {WITH_TLS}"
        detail = f"the broker's log may say why; {guess}"
    why = reason.getErrorMessage().rstrip(".")
    return _because(reason.value, f"the connection was lost{before}: {why}", detail)


def words_of(error: Frame) -> str:
    """An ERROR frame in one line: its ``message``, and what the first line of its body adds to that."""
    message = error.headers.get("message", "").strip()
    first, *_ = error.body.decode("utf-8", "replace").strip().splitlines() or [""]
    if first and first not in message:
        return f"{message}: {first[:200]}" if message else first[:200]
    return message or "the broker sent an ERROR frame"


def _because(cause: BaseException | None, summary: str, detail: str) -> ConnectionLost:
    error = ConnectionLost(summary, detail)
    error.__cause__ = cause
    return error
