"""Endpoint strings: where a client connects to, and whose certificates it believes."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, clientFromString, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from stomp_tx.errors import ConfigurationError

_COLON = re.compile(r"(?<!\\):")
_ESCAPE = re.compile(r"\\(.)")
_NAMED = re.compile(r"([A-Za-z]+)=(.*)", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def endpoint_from_string(
    reactor: Any, description: str, ca_file: str | None = None
) -> tuple[IStreamClientEndpoint, str | None]:
    """The endpoint that a string describes, and the host that it names (None: it names none).

    ``tls:host:port`` verifies the certificate and the host's name in it: against the platform's authorities,
    or those in ``ca_file`` (PEM) alone.  ``tcp:host:port`` and whatever else ``clientFromString`` takes.
    Raises ConfigurationError.
    """
    kind, named = _parse(description)
    if kind == "ssl":
        raise ConfigurationError(
            "ssl: does not verify the host's name", f"write tls:{description.partition(':')[2]} instead"
        )
    if ca_file is not None and kind != "tls":
        raise ConfigurationError("ca_file is for tls:host:port", f"{description!r} has no TLS")
    try:
        if ca_file is None:
            endpoint = clientFromString(reactor, description)
        else:
            endpoint = _tls_endpoint(reactor, ca_file, **named)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ConfigurationError(f"{description!r} is no endpoint to connect to", str(error)) from error
    return endpoint, named.get("host")


def _parse(description: str) -> tuple[str, dict[str, str]]:
    """``tcp:a:1:timeout=9`` as ``("tcp", {"host": "a", "port": "1", "timeout": "9"})``."""
    kind, *arguments = _COLON.split(description)
    positional = iter(("host", "port") if kind in ("tcp", "tls", "ssl") else ())
    named = {}
    for argument in arguments:
        match = _NAMED.fullmatch(argument)
        name, value = match.groups() if match else (next(positional, ""), argument)
        named[name] = _ESCAPE.sub(r"\1", value)
    return kind, named


def _tls_endpoint(
    reactor: Any,
    ca_file: str,
    host: str,
    port: str,
    timeout: str = "30",
    bindAddress: str | None = None,
    certificate: str | None = None,
    privateKey: str | None = None,
) -> IStreamClientEndpoint:
    """``tls:`` as ``clientFromString`` makes it, but for the authorities."""
    # Not above: a client without TLS runs without pyOpenSSL.
    from twisted.internet.ssl import (
        Certificate,
        PrivateCertificate,
        optionsForClientTLS,
        trustRootFromCertificates,
    )

    with open(ca_file, "rb") as file:
        authorities = [Certificate.loadPEM(pem) for pem in _CERTIFICATE.findall(file.read())]
    if not authorities:
        raise ConfigurationError("ca_file holds no certificate", f"{ca_file} is no PEM file of certificates")
    own = None
    if certificate is not None:
        with open(certificate, "rb") as file, open(privateKey or certificate, "rb") as key:
            own = PrivateCertificate.loadPEM(file.read() + key.read())
    return wrapClientTLS(
        optionsForClientTLS(host, trustRoot=trustRootFromCertificates(authorities), clientCertificate=own),
        HostnameEndpoint(reactor, host, int(port), int(timeout), bindAddress),
    )
