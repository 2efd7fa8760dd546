"""Which commands may come in which state of a session, and in which version.

What is absent is an error.  While it is found out who the client is, and in a session that is over, nothing
is read.
"""

from __future__ import annotations

from stomp_tx.broker.session.handshake import Agreement
from stomp_tx.errors import ProtocolViolation
from stomp_tx.wire.commands import CLIENT_COMMANDS, V10, V11, V12

CONNECTING = frozenset({"CONNECT", "STOMP"})
"""What may come first (STOMP 1.2, "CONNECT or STOMP Frame")."""

CONNECTED = {
    V12: CLIENT_COMMANDS - CONNECTING,
    V11: CLIENT_COMMANDS - CONNECTING,
    V10: CLIENT_COMMANDS - CONNECTING - {"NACK"},
}
"""What may come in an open session, by version."""


def commands_of(agreement: Agreement) -> frozenset[str]:
    """What may come in an open session that goes by this: some dialects have NACK in 1.0."""
    if agreement.version == V10 and agreement.dialect.nacks_in_1_0:
        return CONNECTED[V10] | {"NACK"}
    return CONNECTED[agreement.version]


def unknown_command(command: str, is_connected: bool) -> ProtocolViolation:
    """What is wrong with a frame that may not come."""
    if not is_connected:
        return ProtocolViolation(
            "not connected", f"the first frame is CONNECT or STOMP, not {command[:20]!a}"
        )
    if command in CONNECTING:
        return ProtocolViolation("already connected", "a session has one CONNECT frame, its first")
    if command == "NACK":
        return ProtocolViolation("STOMP 1.0 has no NACK", "agree on version 1.1 or 1.2 to use NACK")
    known = ", ".join(sorted(CLIENT_COMMANDS))
    return ProtocolViolation("unknown command", f"{command[:20]!a} is no command of a client: {known}")
