"""Verifying: certificates that peers show, and what is wrong with those that are refused.

What OpenSSL refuses is refused.  Here it is remembered why, and a client refuses those for other hosts.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.failure import Failure
from zope.interface import implementer

OTHER_HOST = 62
"""What OpenSSL calls X509_V_ERR_HOSTNAME_MISMATCH."""

VERIFY_FAILED = "certificate verify failed"
"""OpenSSL's reason for the end of a handshake in which a certificate was refused."""


class Refused(NamedTuple):
    """A certificate that was refused.

    code -- why, one of OpenSSL's X509_V_ERR
    text -- the same in its words, where they are known; for OTHER_HOST it is the host
    """

    code: int
    certificate: crypto.X509
    text: str = ""


_refused: WeakKeyDictionary[SSL.Connection, Refused] = WeakKeyDictionary()


def refused_by(connection: SSL.Connection) -> Refused | None:
    """The certificate of the peer's for which the handshake has failed; None: it is not known."""
    return _refused.get(connection) or _found_out(connection)


def remember_refusals(context: SSL.Context) -> None:
    """Of the connections of a server it is known from now on why they were refused."""
    context.set_verify(context.get_verify_mode(), _verified)


@implementer(IOpenSSLClientConnectionCreator)
class HostVerifying:
    """Connections to one host: a certificate that is not for it is refused, whatever is wrong with it.

    Twisted verifies that, too.  But there are versions of it (26.10) that take a certificate without any
    names of hosts for one that is good for all.
    """

    def __init__(self, creator: Any, host: str) -> None:
        """``creator``: of connections that verify all the rest."""
        self._creator = creator
        self._host = host

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """One of them."""
        connection: SSL.Connection = self._creator.clientConnectionForTLS(tlsProtocol)
        host, protocol = self._host, ref(tlsProtocol)

        def verified(one: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
            if not _verified(one, certificate, code, depth, ok):
                return False
            if depth == 0 and not _is_for(certificate, host):
                _refused[one] = Refused(OTHER_HOST, certificate, host)
                # (OpenSSL, which has nothing against it, would tell the broker of an internal error.)
                failing = protocol()
                if failing is not None:
                    failing.failVerification(Failure(SSL.Error([("", "", VERIFY_FAILED)])))
                return False
            return True

        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verified)
        return connection


def is_verifiable(host: str) -> bool:
    """Can a certificate be for it?  Not for ``2130706433``: it is no name, and not written as an address."""
    from service_identity.hazmat import DNS_ID

    try:
        ip_address(host)
    except ValueError:
        try:
            DNS_ID(host)
        except ValueError:
            return False
    return True


def _verified(connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
    if not ok:
        _refused[connection] = Refused(code, certificate)
    return bool(ok)


def _is_for(certificate: crypto.X509, host: str) -> bool:
    from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

    try:
        one = certificate.to_cryptography()
        try:
            verify_certificate_ip_address(one, str(ip_address(host)))
        except ValueError:  # it is none
            verify_certificate_hostname(one, _in_ascii(host))
    except Exception:  # whatever it is: nobody knows then that it is this host's
        return False
    return True


def _in_ascii(host: str) -> str:
    if host.isascii():
        return host
    import idna

    return idna.encode(host).decode()


def _found_out(connection: SSL.Connection) -> Refused | None:
    """What there is to say against the chain of certificates that a server has shown, verified again."""
    chain = connection.get_peer_cert_chain()
    store = connection.get_context().get_cert_store()
    if not chain or store is None:
        return None
    try:
        crypto.X509StoreContext(store, chain[0], chain[1:]).verify_certificate()
    except crypto.X509StoreContextError as error:
        return Refused(error.errors[0], error.certificate, str(error))
    return None  # it is about more than the chain
