"""``stomp-tx backup``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from stomp_tx.cli.text import count, size
from stomp_tx.printable import printable


@click.command(short_help="Copy a broker's file, while it is in use.")
@click.argument("file")
@click.argument("target")
@click.option("--force", is_flag=True, help="Replace TARGET if there is one.")
def backup(file: str, target: str, force: bool) -> None:
    """Copy the FILE of a broker with --engine sqlite:FILE, as it is when this begins.

    The broker may run meanwhile: every persistent message that it has receipted before is in the copy, which
    is called TARGET.part until it is whole.

    To restore, stop the broker, put the copy in the place of its file, and start it; FILE-wal and FILE-shm,
    if they are there, belong to the old file: remove them.

    \b
    examples:
      stomp-tx backup /var/lib/stomp/stomp.db /backup/stomp-$(date +%F).db
          one for each day
      stomp-tx backup --force stomp.db /backup/stomp.db
          always the newest; the one before stays until the new one is whole
    """
    from stomp_tx.engine.sqlite.backup import back_up

    with Meter() as meter:
        saved = back_up(file, target, force, meter.show)
    print(
        f"saved {count(saved.messages, 'message')} ({size(saved.octets)}) of"
        f" {count(saved.queues, 'queue')} in {printable(target)}, a file of {size(saved.size)}"
    )


class Meter:
    """Shows on a terminal how far something is that takes more than a second."""

    AFTER = 1.0
    EVERY = 0.2

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._next = now() + self.AFTER
        self._shown = False

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # the line is gone

    def show(self, done: int, total: int) -> None:
        """So many octets of so many."""
        if self._now() < self._next or not sys.stderr.isatty():
            return
        self._next = self._now() + self.EVERY
        self._shown = True
        line = f"{done * 100 // total}% of {size(total)}"
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
