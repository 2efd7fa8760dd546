"""Headers, as they are written after an option: NAME:VALUE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from stomp_tx.cli.usage import WrongUsage


def header_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--header``, which may be repeated."""
    return click.option(
        "-H",
        "--header",
        multiple=True,
        metavar="NAME:VALUE",
        help="A header of the frame, such as persistent:true; may be repeated.",
    )(command)


def headers_of(lines: tuple[str, ...]) -> dict[str, str]:
    """``NAME:VALUE`` as a header.  Raises WrongUsage."""
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not name or not colon:
            raise WrongUsage(f"{line!a} is no header", "write it as NAME:VALUE")
        headers[name] = value
    return headers
