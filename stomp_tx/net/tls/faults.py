"""TLSFault: why TLS ended a connection, in words for the client's user and for the broker's log."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionAborted, ConnectionClosed
from twisted.logger import Logger
from twisted.python.failure import Failure

from stomp_tx.errors import TLSFailed
from stomp_tx.net.tls.explanations import (
    ALERTS,
    CLOSED,
    CLOSED_WHEN_SEEN,
    NO_TLS,
    NO_TLS_REASONS,
    OTHER,
    OTHER_ALERT,
    PLAIN_AT_TLS,
    REASONS,
    REFUSED,
    WANTED,
    WANTED_IN_OTHER_WORDS,
    Explanation,
)
from stomp_tx.net.tls.verification import OTHER_HOST
from stomp_tx.printable import printable

if TYPE_CHECKING:
    from cryptography import x509
    from OpenSSL import SSL, crypto

LONGEST_NAME = 100
"""Characters of a certificate's name that are shown: the peer may have written it."""

MOST_NAMES = 10
"""Hosts that are named, of all that a certificate is for."""

_ALERT = re.compile(r"(?:(?:sslv3|tlsv13?|tls|ssl/tls) alert|tlsv1) (.+)")
"""How OpenSSL names what the peer says: its versions differ."""

_log = Logger()


class TLSFault(Exception):
    """``str()`` is for the broker's log."""

    def __init__(self, explanation: Explanation) -> None:
        super().__init__(explanation.log)
        self._explanation = explanation

    def failed(self) -> TLSFailed:
        """The same for the client's user."""
        error = TLSFailed(self._explanation.summary, self._explanation.detail)
        error.__cause__ = self
        return error


def plain_at_tls(cause: BaseException) -> TLSFailed:
    """A client without TLS has heard TLS from the broker."""
    error = TLSFailed(PLAIN_AT_TLS.summary, PLAIN_AT_TLS.detail)
    error.__cause__ = cause
    return error


def explained(reason: Failure, transport: Any) -> Failure:
    """Why the connection is gone: a TLSFault where it was TLS that failed, else the reason as it is.

    transport -- the connection's, which still knows all of it
    """
    has_tls = hasattr(transport, "getPeerCertificate") and hasattr(transport, "getHandle")
    if not has_tls or reason.value is None:
        return reason
    try:
        explanation = _explanation(reason.value, transport.getHandle())
    except Exception:
        _log.failure("can't tell why TLS failed")
        return reason
    if explanation is None:
        return reason
    fault = TLSFault(explanation)
    fault.__cause__ = reason.value
    return Failure(fault)


def _explanation(error: BaseException, connection: SSL.Connection) -> Explanation | None:
    """None: TLS has not failed."""
    from OpenSSL import SSL

    is_agreed_on = connection.get_peer_finished() is not None
    if isinstance(error, SSL.Error):
        return _explanation_of(error, connection, is_agreed_on)
    if type(error).__module__.startswith("service_identity"):
        chain = connection.get_peer_cert_chain()
        return _filled(REFUSED[OTHER_HOST], chain[0] if chain else None, text=_host_of(error))
    if isinstance(error, ConnectionClosed) and not isinstance(error, ConnectionAborted) and not is_agreed_on:
        has_been_seen = connection.get_finished() is not None
        return _filled(CLOSED_WHEN_SEEN if has_been_seen else CLOSED, connection.get_certificate())
    return None


def in_words(error: BaseException) -> str:
    """What an error says, of OpenSSL's as well, whose own ``str()`` is a list of tuples."""
    return ", ".join(_reasons(error)) or type(error).__name__


def _reasons(error: BaseException) -> list[str]:
    """Those of an error of OpenSSL's, in small letters; of others what they say."""
    queue = error.args[0] if error.args else ()
    if not isinstance(queue, (list, tuple)):
        return [str(error)] if str(error) else []
    return [str(one[-1]).lower().replace("_", " ") for one in queue]


def _explanation_of(error: SSL.Error, connection: SSL.Connection, is_agreed_on: bool) -> Explanation:
    own = connection.get_certificate()
    for reason in _reasons(error):
        alert = _ALERT.fullmatch(reason)
        if alert is not None:
            if own is None and alert[1] in WANTED_IN_OTHER_WORDS:
                return WANTED
            return _filled(ALERTS.get(alert[1], OTHER_ALERT), own, text=alert[1])
        if reason == "certificate verify failed":
            return _refusal(connection)
        if reason in REASONS:
            return REASONS[reason]
        if reason in NO_TLS_REASONS and not is_agreed_on:
            return NO_TLS
    return _filled(OTHER, own, text=in_words(error))


def _refusal(connection: SSL.Connection) -> Explanation:
    from stomp_tx.net.tls.verification import refused_by

    refused = refused_by(connection)
    if refused is None:
        return _filled(REFUSED[None], None, text="it is not known why")
    explanation = REFUSED.get(refused.code, REFUSED[None])
    return _filled(explanation, refused.certificate, text=refused.text or f"OpenSSL's error {refused.code}")


def _filled(explanation: Explanation, certificate: crypto.X509 | None, **known: str) -> Explanation:
    """With what is known in place of ``{...}``."""
    known = {key: _shown(text) for key, text in known.items()}
    known.update(_facts(certificate))
    return Explanation(*(text.format_map(known) for text in explanation))


def _facts(certificate: crypto.X509 | None) -> dict[str, str]:
    if certificate is None:
        return dict.fromkeys(("subject", "issuer", "since", "until", "names"), "(unknown)")
    one = certificate.to_cryptography()
    return {
        "subject": _shown(one.subject.rfc4514_string()),
        "issuer": _shown(one.issuer.rfc4514_string()),
        "since": _time(one.not_valid_before_utc),
        "until": _time(one.not_valid_after_utc),
        "names": _names(one),
    }


def _names(certificate: x509.Certificate) -> str:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return "no host (it has no subjectAltName)"
    hosts = (x509.DNSName, x509.IPAddress)
    found = [_shown(str(one.value)) for one in extension.value if isinstance(one, hosts)]
    if len(found) > MOST_NAMES:
        found[MOST_NAMES:] = [f"{len(found) - MOST_NAMES} more"]
    return ", ".join(found) or "no host"


def _host_of(error: BaseException) -> str:
    """The one that was looked for in the certificate."""
    for mismatch in getattr(error, "errors", ()):
        wanted = getattr(mismatch, "mismatched_id", None)
        hostname = getattr(wanted, "hostname", None)
        return hostname.decode() if hostname is not None else str(getattr(wanted, "ip", "this host"))
    return "this host"


def _shown(text: str) -> str:
    return printable(text[:LONGEST_NAME])


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"
