"""The engine that keeps messages in this process's memory."""

from stomp_tx.engine.memory.engine import MemoryEngine

__all__ = ["MemoryEngine"]
