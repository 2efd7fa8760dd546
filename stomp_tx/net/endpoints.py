"""Server endpoint strings, with errors that say what to do."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Container
from typing import Any

from twisted.internet.endpoints import SSL4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.endpoint_strings import arguments_of, kind_of
from stomp_tx.net.proxy_protocol import ProxiedEndpoint
from stomp_tx.net.tls.faults import in_words
from stomp_tx.net.tls.server import pass_over_protocols

KINDS = "tcp:61613, tcp6:61613, stomps:61617, unix:/run/stomp, systemd:domain=INET:index=0, haproxy:tcp:61613"

PROXIED = "haproxy:"
"""What a port begins with that a proxy connects to."""

QUEUED = ("tcp", "tcp6", "ssl", "stomps", "unix")
"""Kinds that say by ``backlog=`` how many connections the system keeps until they are accepted."""

BACKLOG = 1024
"""Twisted's is 50: of a crowd that comes back at once most were to try again a second later, or three."""


LONGEST = 107
"""Octets of the path of a unix socket, on Linux; elsewhere they are fewer."""


def split_dialect(description: str, dialects: Container[str]) -> tuple[str | None, str]:
    """Of "rabbitmq:tcp:61613" it is the dialect of what connects there, and the rest; None: it names none."""
    dialect, colon, rest = description.partition(":")
    return (dialect, rest) if colon and dialect in dialects else (None, description)


def endpoint_from_string(reactor: Any, description: str) -> IStreamServerEndpoint:
    """The endpoint that a Twisted server endpoint string describes; certificates are read now.

    Raises ConfigurationError, which says what is wrong with the string or with the files that it names.
    """
    try:
        inner = with_backlog(_checked(description.removeprefix(PROXIED)))
        endpoint: IStreamServerEndpoint = serverFromString(reactor, inner)
        if isinstance(endpoint, SSL4ServerEndpoint):
            pass_over_protocols(endpoint._sslContextFactory.getContext())
        return ProxiedEndpoint(endpoint, reactor) if description.startswith(PROXIED) else endpoint
    except ConfigurationError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.filename is not None:
            raise _missing(description, os.fspath(error.__cause__.filename), error.__cause__) from None
        raise _wrong(description, error.line) from None
    except OSError as error:
        if error.filename is None:
            raise _wrong(description, str(error)) from None
        raise _missing(description, os.fspath(error.filename), error) from None
    except (IndexError, KeyError):
        if "systemd:" not in description:
            raise _wrong(description, "a part of it is missing") from None
        raise _wrong(
            description, "systemd passed no such socket: start this by a .socket unit that has it"
        ) from None
    except Exception as error:
        raise _wrong(description, _reason(description, error)) from None


def with_backlog(description: str) -> str:
    """The same with our BACKLOG, where it can have one and says none."""
    kind, *arguments = re.split(r"(?<!\\):", description)
    names = [one.partition("=")[0] for one in arguments if "=" in one]
    if kind not in QUEUED or "backlog" in names or len(arguments) - len(names) > 1:
        return description
    return f"{description}:backlog={BACKLOG}"


def _checked(description: str) -> str:
    """The same, when its port can be one, and the files of ``ssl:`` are good.

    Twisted has no words for those that are not, and asks at a terminal for the passphrases of keys.
    """
    kind = kind_of(description)
    first = arguments_of(description, ("address",) if kind == "unix" else ("port",))
    if kind in ("tcp", "tcp6", "ssl", "stomps"):
        port = first.get("port", "0")
        if re.fullmatch("[+-]?[0-9]+", port) and not 0 <= int(port) <= 65535:
            raise ConfigurationError(f"{port} is no port", "they go from 0 (any that is free) to 65535")
    if kind == "unix":
        path = first.get("address", "/")
        if not path or len(os.fsencode(path)) > LONGEST:
            raise ConfigurationError(
                f"{path[:20]!r} is no path of a unix socket",
                f"it has up to {LONGEST} octets: unix:/run/stomp",
            )
    if kind == "ssl":
        # Not above: a broker without TLS runs without pyOpenSSL.
        from stomp_tx.net.tls import pem

        named = arguments_of(description, ("port", "privateKey", "certKey"))
        key = named.get("privateKey", "server.pem")
        pem.identity(key, named.get("certKey", key))
        if "extraCertChain" in named:
            pem.certificates(named["extraCertChain"])
    return description


def development_certificate(pem: str) -> str:
    """The command that makes a key and a certificate for this machine, both in one file."""
    pem = shlex.quote(pem)
    return (
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {pem} -out {pem} -days 365 -subj /CN=localhost "
        '-addext "subjectAltName=DNS:localhost,IP:127.0.0.1"'
    )


def _wrong(description: str, reason: str) -> ConfigurationError:
    return ConfigurationError(f"can't use port {description}", reason)


def _missing(description: str, file: str, error: OSError) -> ConfigurationError:
    where = os.path.abspath(file)
    reason = f"there is no {os.path.basename(file)} in {os.path.dirname(where)}"
    if not isinstance(error, FileNotFoundError):
        reason = f"can't read {where}: {error.strerror}"
    elif found := re.search(r"\b(ssl|stomps):", description):
        command = development_certificate(where) if found[1] == "ssl" else "stomp-tx cert"
        yours = "name your files with privateKey=FILE:certKey=FILE"
        reason += f"; {yours}, or make a certificate for development: {command}"
    return _wrong(description, reason)


def _reason(description: str, error: Exception) -> str:
    text = str(error)
    if description.isdigit():
        return f"an endpoint string begins with its kind: tcp:{description}"
    if "Unknown endpoint type" in text:
        return f"the kinds are, for example, {KINDS}"
    if found := re.search(r"unexpected keyword argument '(\w+)'", text):
        return f"there is no {found[1]}= for this kind"
    if isinstance(error, TypeError):
        return f"too much or too little of it; the kinds are, for example, {KINDS}"
    if found := re.search(r"invalid literal for int\(\).*: '(.*)'", text):
        return f"{found[1]!r} is no number"
    if "ssl:" in description and type(error).__module__.partition(".")[0] in ("OpenSSL", "cryptography"):
        return f"OpenSSL does not take what is in its files: {in_words(error)}"
    return text or type(error).__name__
