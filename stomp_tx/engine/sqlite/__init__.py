"""The engine that keeps messages in an SQLite file, which outlives the process."""

from stomp_tx.engine.sqlite.engine import SQLiteEngine
from stomp_tx.engine.sqlite.writer import WriterThread

__all__ = ["SQLiteEngine", "WriterThread"]
