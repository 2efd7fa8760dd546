"""The engine that keeps messages in an SQLite file, which outlives the process."""

from stomp_tx.engine.sqlite.engine import SQLiteEngine

__all__ = ["SQLiteEngine"]
