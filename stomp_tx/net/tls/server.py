r"""TLS: the server endpoint ``stomps:``, which knows clients' certificates and renews its own while it runs.

``stomps:61617:privateKey=key.pem:certKey=fullchain.pem:ca=clients.pem:verify=required``

============== ==========================================================================================
``PORT``       where to listen; ``interface=`` and ``backlog=`` as with Twisted's ``ssl:``
``privateKey`` the file of the key, in PEM; ``server.pem`` when left out
``certKey``    the file of the certificate, the intermediate ones behind it; as ``privateKey`` when left out
``ca``         the certificates that those of clients must come from
``crl``        lists of certificates that were taken back, in PEM; one for each authority in ``ca``, the
               intermediate ones among them
``verify``     ``none``; ``optional``: a client may show one; ``required``, what it is with ``ca``: it must
``minimum``    ``1.2`` (what it is when left out) or ``1.3``
============== ==========================================================================================
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.interfaces import IOpenSSLContextFactory, IStreamServerEndpointStringParser
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.logger import Logger
from twisted.plugin import IPlugin
from zope.interface import implementer

from stomp_tx.errors import ConfigurationError
from stomp_tx.net.tls import pem
from stomp_tx.net.tls.faults import in_words
from stomp_tx.net.tls.revocation import RevocationLists
from stomp_tx.net.tls.verification import remember_refusals

_VERSIONS = {"1.2": TLSVersion.TLSv1_2, "1.3": TLSVersion.TLSv1_3}
_VERIFY = ("none", "optional", "required")

_in_use: weakref.WeakSet[ServerContext] = weakref.WeakSet()


def reload_certificates() -> int:
    """Read the files of all ``stomps:`` ports again, for the connections that come; how many ports there are.

    Raises ConfigurationError when all have been; one whose files are wrong keeps what it has.
    """
    failed: ConfigurationError | None = None
    ports = list(_in_use)
    for one in ports:
        try:
            one.read()
        except ConfigurationError as error:
            failed = error
    if failed is not None:
        raise failed
    return len(ports)


def asks_for_certificates() -> bool:
    """Is there a port whose clients show certificates?"""
    return any(one.asks_for_certificates for one in _in_use)


def pass_over_protocols(context: SSL.Context) -> None:
    """Let clients in whatever application protocols they offer (ALPN): STOMP has no name among them.

    Twisted ends the handshake with the alert internal_error where it knows none of them.
    """
    context.set_alpn_select_callback(lambda _connection, _offered: SSL.NO_OVERLAPPING_PROTOCOLS)


@implementer(IOpenSSLContextFactory)
class ServerContext:
    """What the connections of one port are encrypted with, from files that are read at once, and again.

    The arguments are those of the endpoint, see above.  Raises ConfigurationError.
    """

    log = Logger()

    def __init__(
        self,
        privateKey: str = "server.pem",
        certKey: str = "",
        ca: str = "",
        crl: str = "",
        verify: str = "",
        minimum: str = "1.2",
    ) -> None:
        verify = verify or ("required" if ca else "none")
        if verify not in _VERIFY:
            raise ConfigurationError(f"verify can't be {verify!r}", f"it is one of {', '.join(_VERIFY)}")
        if verify != "none" and not ca:
            raise ConfigurationError(
                f"verify={verify} needs ca=FILE", "it holds who signs clients' certificates"
            )
        if crl and verify == "none":
            raise ConfigurationError("crl needs ca=FILE", "nobody's certificate is asked for without it")
        if minimum not in _VERSIONS:
            raise ConfigurationError(f"minimum can't be {minimum!r}", f"it is one of {', '.join(_VERSIONS)}")
        # Whole paths: a daemon goes to another folder, and the files are read again there.
        self._key, self._certificates = os.path.abspath(privateKey), os.path.abspath(certKey or privateKey)
        self._ca, self._crl = (os.path.abspath(path) if path else "" for path in (ca, crl))
        self._verify, self._minimum = verify, minimum
        self._revoked: RevocationLists | None = None
        self.read()
        _in_use.add(self)

    def read(self) -> None:
        """Use what is in the files now.  Raises ConfigurationError, and then all stays as it was."""
        try:
            self._context, self._revoked = self._made()
        except (SSL.Error, crypto.Error, ValueError, TypeError) as error:
            # (ConfigurationErrors have said what is wrong with a file; this is about what is in it.)
            raise ConfigurationError(
                f"OpenSSL does not take what is in {self._certificates} and {self._key}", in_words(error)
            ) from None
        if self._revoked is not None:
            self._revoked.enforce()
            if self._revoked.ends_soon is not None:
                self.log.warn(
                    "a revocation list in {path} is over at {when}: after that no client gets in",
                    path=self._crl,
                    when=self._revoked.ends_soon,
                )

    @property
    def asks_for_certificates(self) -> bool:
        """Do clients show theirs?"""
        return self._verify != "none"

    def getContext(self) -> SSL.Context:
        return self._context

    def _made(self) -> tuple[SSL.Context, RevocationLists | None]:
        key, chain = pem.identity(self._key, self._certificates)
        verifying: dict[str, Any] = {}
        roots: list[crypto.X509] = []
        if self._verify != "none":
            roots = pem.certificates(self._ca)
            verifying = {
                "verify": True,
                "caCerts": roots,
                "requireCertificate": self._verify == "required",
            }
        options = CertificateOptions(
            privateKey=key,
            certificate=chain[0],
            extraCertChain=chain[1:],
            raiseMinimumTo=_VERSIONS[self._minimum],
            **verifying,
        )
        context: SSL.Context = options.getContext()
        pass_over_protocols(context)
        if verifying:
            remember_refusals(context)
        if not self._crl:
            return context, None
        revoked = RevocationLists(pem.read(self._crl), self._crl, [one.to_cryptography() for one in roots])
        store = context.get_cert_store()
        assert store is not None
        for one in revoked.lists:
            store.add_crl(one)
        # Of all that lead to a client's: an intermediate authority may have been taken back, too.
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)
        return context, revoked


@implementer(IPlugin, IStreamServerEndpointStringParser)
class TLSParser:
    """Twisted's way from ``stomps:...`` to an endpoint; names of files are relative to where it is read."""

    prefix = "stomps"

    def parseStreamServer(  # type: ignore[override]  # what it raises for others, Twisted tells
        self, reactor: Any, port: str, interface: str = "", backlog: str = "50", **arguments: str
    ) -> SSL4ServerEndpoint:
        context = ServerContext(**arguments)
        return SSL4ServerEndpoint(reactor, int(port), context, int(backlog), interface)
