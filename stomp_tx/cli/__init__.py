"""``stomp-tx``: what a broker's owner does beside running it, and what a user of any broker does by hand.

Each command imports what it needs when it runs: none should wait for what another one needs.
"""

from stomp_tx.cli.main import main

__all__ = ["main"]
