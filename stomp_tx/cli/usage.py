"""Usage: what is wrong with a command line, beside what Click finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stomp_tx.errors import ConfigurationError


class WrongUsage(ConfigurationError):
    """The command line asks for what can't be; nothing was done.  The exit status is 2."""


@contextmanager
def usage() -> Iterator[None]:
    """What can't be used in this block was written in the command line: raises WrongUsage for it."""
    try:
        yield
    except ConfigurationError as error:
        raise WrongUsage(error.summary, error.hint) from error
