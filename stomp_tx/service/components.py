"""Components: what a broker's process is made of; no port and no file of messages is opened.

Whoever checks a configuration makes them too: what can't be made is said in the same words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.strcred import InvalidAuthType, makeChecker
from twisted.internet.interfaces import IStreamServerEndpoint

from stomp_tx.auth.checkers.local import LocalChecker
from stomp_tx.broker.dialects import DIALECTS
from stomp_tx.engine import engineFromString
from stomp_tx.errors import ConfigurationError
from stomp_tx.interfaces import IEngine
from stomp_tx.net.endpoints import endpoint_from_string, split_dialect
from stomp_tx.service.configuration import Configuration


@dataclass(frozen=True)
class Components:
    """ports -- for each its description, the name of its dialect (None: the settings'), and where it listens
    checkers -- what finds out who connects
    engine -- where messages are kept, not started yet
    """

    ports: list[tuple[str, str | None, IStreamServerEndpoint]]
    checkers: list[Any]
    engine: IEngine


def components_of(configuration: Configuration, reactor: Any) -> Components:
    """Make them; files of certificates, keys and users are read.  Raises ConfigurationError."""
    ports = []
    for description in configuration.port:
        if configuration.port.count(description) > 1 and not re.search("[:=]0(:|$)", description):
            raise ConfigurationError(f"can't use port {description} twice", "name each one once")
        dialect, endpoint = split_dialect(description, DIALECTS)
        ports.append((description, dialect, endpoint_from_string(reactor, endpoint)))
    checkers = checkers_of(configuration)
    engine = engineFromString(configuration.engine, reactor, configuration.engine_limits)
    return Components(ports, checkers, engine)


def checkers_of(configuration: Configuration) -> list[Any]:
    """What finds out who connects.  Raises ConfigurationError."""
    found = []
    for description in configuration.auth:
        try:
            found.append(makeChecker(description))
        except InvalidAuthType:
            raise ConfigurationError(
                f"can't use --auth {description}",
                "there is no such kind: see --help-auth",
            ) from None
        except ConfigurationError as error:
            raise ConfigurationError(f"can't use --auth {description}", error.line) from None
        except Exception as error:  # those of others raise what they like
            raise ConfigurationError(f"can't use --auth {description}", str(error) or repr(error)) from None
    if configuration.allow_anonymous:
        found.append(AllowAnonymousAccess())
    elif not found:
        found.append(LocalChecker())
    return found
