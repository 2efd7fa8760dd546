"""Endpoint strings: where a client connects to, and whose certificates it believes."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from stomp_tx.description import arguments_of, kind_of
from stomp_tx.errors import ConfigurationError

_POSITIONAL = {"tcp": ("host", "port"), "tls": ("host", "port")}


def endpoint_from_string(
    reactor: Any, description: str, ca_file: str | None = None
) -> tuple[IStreamClientEndpoint, str | None]:
    """The endpoint that a string describes, and the host that it names (None: it names none).

    ``tls:host:port`` verifies the certificate and the host's name in it: against the platform's authorities,
    or those in ``ca_file`` (PEM) alone.  ``tcp:host:port`` and whatever else ``clientFromString`` takes.
    Raises ConfigurationError, which says what is wrong with the string or with the files that it names.
    """
    kind = kind_of(description)
    named = arguments_of(description, _POSITIONAL.get(kind, ()))
    if kind == "ssl":
        raise ConfigurationError(
            "ssl: does not verify the host's name", f"write tls:{description.partition(':')[2]} instead"
        )
    if ca_file is not None and kind != "tls":
        raise ConfigurationError("ca_file is for tls:host:port", f"{description!r} has no TLS")
    try:
        if kind == "tls":
            # Not above: a client without TLS runs without pyOpenSSL.
            from stomp_tx.tls_client import tls_endpoint

            endpoint = tls_endpoint(reactor, ca_file, **named)
        else:
            endpoint = clientFromString(reactor, description)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigurationError(f"{description!r} is no endpoint to connect to", str(error)) from error
    return endpoint, named.get("host")
