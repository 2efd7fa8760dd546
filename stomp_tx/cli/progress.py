"""Progress: a bar on a terminal, for what takes a while."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


def progress(what: str, total: int | None) -> AbstractContextManager[Callable[[int], None] | None]:
    """Gives what is called with how many there are by now; None where nobody looks.

    total -- None: nobody knows
    """
    if total == 1 or not sys.stderr.isatty():
        return nullcontext()
    from stomp_tx.cli.output import Bar  # not above: it takes a while by itself

    return Bar(what, total)
