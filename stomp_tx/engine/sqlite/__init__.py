"""Messages in a file, which outlive the process."""

from stomp_tx.engine.sqlite.engine import SQLiteEngine

__all__ = ["SQLiteEngine"]
