"""Advice: what is wrong with the string of an endpoint, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address

from twisted.internet.endpoints import quoteStringArgument

from stomp_tx.client.arguments import nearest
from stomp_tx.errors import ConfigurationError
from stomp_tx.net.endpoint_strings import arguments_of, kind_of

PORT = 61613
"""Where a broker listens, usually."""

PORTS = "a number from 1 to 65535"

USUAL = "write tcp:HOST:PORT, tls:HOST:PORT or unix:PATH"

_PLAIN = ("tcp", "stomp")
_TLS = ("tls", "ssl", "stomps", "stomp+tls", "stomp+ssl")

_POSITIONAL = {"tcp": ("host", "port"), "tls": ("host", "port"), "unix": ("path",)}
_OF_TCP = ("host", "port", "timeout", "bindAddress")
_ARGUMENTS = {"tcp": _OF_TCP, "tls": (*_OF_TCP, "certificate", "privateKey", "trustRoots", "endpoint")}

_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]]+))?(?::([0-9]+))?")


def no_endpoint(description: str, why: str) -> ConfigurationError:
    """The error for such a string.  One that may have a passcode in it is not shown.

    why -- what is wrong, or what to write
    """
    shown = repr(description)
    if "@" in description:
        shown, why = "that", why if why.startswith("write ") else what_to_write(description)
    # What is no advice is followed by some.
    more = "" if why.startswith("write ") else USUAL
    return ConfigurationError(f"{shown} is no endpoint to connect to: {why}", more)


def what_it_says(description: str) -> tuple[str, dict[str, str]]:
    """The kind of endpoint, and its arguments by their names."""
    kind = kind_of(description)
    return kind, arguments_of(description, _POSITIONAL.get(kind, ()))


def must_be_an_endpoint(description: str) -> None:
    """Raises ConfigurationError for what can be seen to be none; of kinds that others add nothing can."""
    wrong = _what_is_wrong(description, *what_it_says(description))
    if wrong is not None:
        raise no_endpoint(description, wrong)


def _what_is_wrong(description: str, kind: str, named: Mapping[str, str]) -> str | None:
    if "://" in description:
        return what_to_write(description)
    if kind == "unix":
        return None if named.get("path") and "" not in named else "write unix:PATH"
    known = _ARGUMENTS.get(kind)
    if known is None:
        return None
    for name in named:
        if name and name not in known:
            return f"{kind}: has no argument {name}{nearest(name, known)}"
    if "" in named or not named.get("host") or not named.get("port"):
        return what_to_write(description)
    if not _is_port(named["port"]):
        return f"the port is {PORTS}, not {named['port']!r}"
    if not _is_host(named["host"]):
        return f"{named['host']!a:.80} is no name of a host"
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", named.get("timeout", "30")):
        return f"timeout is a number of seconds, not {named['timeout']!r}"
    return None


def _is_host(name: str) -> bool:
    """Can it be looked up?  Twisted waits for ever for what can't be encoded for that."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return "@" not in name  # a login before it


def _is_port(text: str) -> bool:
    """Is it the number of a port that can be connected to?"""
    return re.fullmatch("[0-9]{1,5}", text) is not None and 0 < int(text) < 65536


def what_to_write(description: str) -> str:
    """What seems to be meant, as far as that can be guessed: ``write tcp:localhost:61613``."""
    scheme, is_url, rest = description.partition("://")
    if is_url:
        rest = rest.partition("/")[0]
    else:
        scheme, _, rest = description.partition(":")
        if scheme not in (*_PLAIN, *_TLS):
            scheme, rest = "tcp", description
    place = _place(rest.rpartition("@")[2].strip())
    if place is None:
        return USUAL
    host, port = place
    return f"write {'tls' if scheme.lower() in _TLS else 'tcp'}:{quoteStringArgument(host)}:{port}"


def _place(text: str) -> tuple[str, str] | None:
    """A host and a port, in one of the ways that people write them."""
    if _is_port(text):
        return "127.0.0.1", text
    found = _PLACE.fullmatch(text)
    if found is not None:
        host, port = found[1] or found[2] or "127.0.0.1", found[3] or str(PORT)
    elif _is_ipv6(text):
        host, port = text, str(PORT)
    else:
        host, _, port = text.rpartition(":")
        if not _is_ipv6(host):
            return None
    return (host, port) if _is_port(port) else None


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
