"""Clients' TLS: an endpoint that verifies the certificate, and the host's name in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from OpenSSL import crypto
from twisted.internet.endpoints import HostnameEndpoint, clientFromString, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls import pem
from stomp_tx.net.tls.verification import HostVerifying, is_verifiable


def tls_endpoint(
    reactor: Any,
    ca_file: str | None,
    host: str,
    port: str,
    timeout: str = "30",
    bindAddress: str | None = None,
    certificate: str | None = None,
    privateKey: str | None = None,
    trustRoots: str | None = None,
    endpoint: str | None = None,
) -> IStreamClientEndpoint:
    """``tls:`` as ``clientFromString`` has it; the arguments are those of such a string.

    Raises ConfigurationError for files that are of no use, and ValueError and TypeError for other arguments.

    ca_file -- the certificates that are believed alone; None: those of trustRoots, or the platform's
    trustRoots -- a folder: of its files ``*.pem`` the certificates are believed alone
    endpoint -- what to connect to instead, where another ``host`` is verified
    """
    authorities = [] if ca_file is None else pem.certificates(ca_file)
    if trustRoots is not None:
        authorities += _of_folder(trustRoots)
    trusted = platformTrust()
    if authorities:
        trusted = trustRootFromCertificates([Certificate(one) for one in authorities])
    own, more = None, None
    if certificate is not None:
        key, (first, *chain) = pem.identity(privateKey or certificate, certificate)
        own = PrivateCertificate.fromCertificateAndKeyPair(Certificate(first), KeyPair(key))
        more = {"extraCertChain": chain}
    elif privateKey is not None:
        raise ConfigurationError("privateKey= needs certificate=", "a key alone shows nobody who it is")
    if not is_verifiable(host):
        raise ConfigurationError(
            f"{host!a} is no name of a host that a certificate can be for",
            "write its name, or 127.0.0.1",
        )
    options = optionsForClientTLS(
        host, trustRoot=trusted, clientCertificate=own, extraCertificateOptions=more
    )
    if endpoint is not None:
        inner = clientFromString(reactor, endpoint)
    else:
        bound = None if bindAddress is None else (bindAddress, 0)
        inner = HostnameEndpoint(reactor, host, int(port), int(timeout), bound)
    return wrapClientTLS(HostVerifying(options, host), inner)


def _of_folder(folder: str) -> list[crypto.X509]:
    """As Twisted has it, what is no certificate is passed over: a folder may have keys in it, too."""
    found = []
    for path in sorted(Path(folder).glob("*.pem")):
        try:
            found += pem.certificates(str(path))
        except ConfigurationError:
            continue
    if not found:
        raise ConfigurationError(f"no file {folder}/*.pem holds a certificate", "trustRoots= names a folder")
    return found
