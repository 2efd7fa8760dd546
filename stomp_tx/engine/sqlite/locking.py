"""Locking: an open file is for one process at a time."""

from __future__ import annotations

import sys

from stomp_tx.errors import ConfigurationError


def must_be_possible() -> None:
    """Raises ConfigurationError where files can't be locked: on Windows."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            f"no messages in files on {sys.platform}",
            "it has no flock, which keeps a second broker from the file: write --engine memory:, or run the"
            " broker on Linux, macOS or BSD",
        ) from None


def lock(descriptor: int) -> None:
    """Lock an open file until all copies of its descriptor are closed, or the process ends.

    Raises BlockingIOError when another process has it, and any other OSError when it can't be locked.
    """
    import fcntl  # not above: Windows has none

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
