"""What the specification says of each command, as tables: versions are columns, never subclasses."""

from __future__ import annotations

V10 = "1.0"
V11 = "1.1"
V12 = "1.2"
VERSIONS = (V10, V11, V12)
"""The protocol versions, oldest first."""

BODY_COMMANDS = frozenset({"SEND", "MESSAGE", "ERROR"})
"""The frames that may have a body (STOMP 1.2, "Body")."""

UNESCAPED_COMMANDS = frozenset({"CONNECT", "STOMP", "CONNECTED"})
"""The frames whose headers are never escaped, in any version (STOMP 1.2, "Value Encoding")."""

CLIENT_COMMANDS = frozenset(
    {
        "CONNECT",
        "STOMP",
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "ACK",
        "NACK",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "DISCONNECT",
    }
)
"""What a client may send (STOMP 1.2, "Augmented BNF")."""

SERVER_COMMANDS = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})
"""What a server may send."""

ACK_MODES = {
    V10: frozenset({"auto", "client", "client-individual"}),
    V11: frozenset({"auto", "client", "client-individual"}),
    V12: frozenset({"auto", "client", "client-individual"}),
}
"""Values of SUBSCRIBE's ``ack`` header.

1.0 knows no ``client-individual``, but clients of 1.0 ask for it all the same and every broker grants it.
"""
