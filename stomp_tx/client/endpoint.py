"""Endpoints: where a client connects to, and whose certificates it believes."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint

from stomp_tx.client.endpoint_advice import must_be_an_endpoint, no_endpoint, what_it_says, what_to_write
from stomp_tx.errors import ConfigurationError


def endpoint_of(
    reactor: Any, given: IStreamClientEndpoint | str, ca_file: str | None = None
) -> tuple[IStreamClientEndpoint, str | None]:
    """What a user connects to, an endpoint or the string of one; see ``endpoint_from_string``."""
    if isinstance(given, str):
        return endpoint_from_string(reactor, given, ca_file)
    if not hasattr(given, "connect"):
        raise ConfigurationError(f"{given!r} is no endpoint to connect to: write 'tcp:127.0.0.1:61613'")
    if ca_file is not None:
        raise ConfigurationError("ca_file is for tls:host:port", "an endpoint object has its own authorities")
    return given, None


def endpoint_from_string(
    reactor: Any, description: str, ca_file: str | None = None
) -> tuple[IStreamClientEndpoint, str | None]:
    """The endpoint that a string describes, and the host that it names (None: it names none).

    ``tls:host:port`` verifies the certificate and the host's name in it: against the platform's authorities,
    or those in ``ca_file`` (PEM) alone.  ``tcp:host:port`` and whatever else ``clientFromString`` takes.
    Raises ConfigurationError, which says what is wrong with the string or with the files that it names.
    """
    kind, named = what_it_says(description)
    if kind == "ssl":
        raise ConfigurationError(
            "ssl: does not verify the host's name", f"write tls:{description.partition(':')[2]} instead"
        )
    if ca_file is not None and kind != "tls":
        raise ConfigurationError("ca_file is for tls:host:port", f"{description!r} has no TLS")
    must_be_an_endpoint(description)
    try:
        if kind == "tls":
            # Not above: a client without TLS runs without pyOpenSSL.
            from stomp_tx.net.tls.client import tls_endpoint

            endpoint = tls_endpoint(reactor, ca_file, **named)
        else:
            endpoint = clientFromString(reactor, description)
    except (ValueError, TypeError, KeyError, OSError) as error:
        is_unknown = str(error).startswith("Unknown endpoint type")
        raise no_endpoint(description, what_to_write(description) if is_unknown else str(error)) from error
    return endpoint, named.get("host")
