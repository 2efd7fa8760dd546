"""ChosenContext: the context that a command uses, by its name or because it is selected."""

from __future__ import annotations

import os
from dataclasses import dataclass

from stomp_tx.cli.contexts import Context, Contexts, NoSuchContext
from stomp_tx.errors import ConfigurationError

URL = "STOMP_URL"


@dataclass(frozen=True)
class ChosenContext:
    """The context that a command uses.  ``str`` of it is for people."""

    name: str
    context: Context
    is_selected: bool

    def __str__(self) -> str:
        return f"context {self.name}{' (selected)' if self.is_selected else ''}: {self.context.url}"


def chosen_context(name: str | None, given: Context) -> ChosenContext | None:
    """The context of this name, else the selected one; None: neither, or not for this broker.

    Raises ConfigurationError.
    """
    contexts = Contexts()
    if name is not None:
        return ChosenContext(name, contexts.get(name), is_selected=False)
    # A context's passcode is for its own broker: who names another one without it must not send it there.
    if given.url is not None or os.environ.get(URL):
        return None
    name = contexts.selected()
    if name is None:
        return None
    try:
        return ChosenContext(name, contexts.get(name), is_selected=True)
    except NoSuchContext as error:
        raise ConfigurationError(
            f"{error.summary}, and it is selected",
            f"stomp-tx context select another, or --none; {error.hint}",
        ) from None
