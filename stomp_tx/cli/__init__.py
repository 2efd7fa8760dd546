"""The command ``stomp-tx``, by which people use any STOMP broker, and look after one of this project.

Each command imports what it needs when it runs: none should wait for what another one needs.
"""

from stomp_tx.cli.main import main

__all__ = ["main"]
