"""Explanations: all that can go wrong with TLS, as the client's user and the broker's log are told of it."""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """What is said of one thing; ``{...}`` are what is known of the certificate that it is about.

    log -- for the broker's log, where the peer is a client
    summary, detail -- for the client's user: what is wrong, and what to do about it
    """

    log: str
    summary: str
    detail: str


_PLAIN = "connect without it: tcp:HOST:PORT (stomp-tx: stomp://HOST:PORT)"
_SHOW = "name one: tls:HOST:PORT:certificate=FILE:privateKey=FILE (stomp-tx: --cert FILE --key FILE)"
_TRUST = "name its file in ca_file (stomp-tx: --ca-file)"
_TRUST_IT = (
    f"if you trust that authority, {_TRUST}; if that is what you did, the authority was made again since: the"
    " same name, and another key"
)

MAYBE_WANTED = f"it may want a client's certificate: {_SHOW}"
WITH_TLS = "connect with it: tls:HOST:PORT (stomp-tx: stomp+tls://HOST:PORT)"

PLAIN_AT_TLS = Explanation("", "the port speaks TLS, and the client does not", WITH_TLS)

NO_TLS = Explanation(
    "a client spoke plain STOMP, or something else without TLS, to the TLS port",
    "the port does not speak TLS",
    f"{_PLAIN}; or find out which is the broker's TLS port",
)

NO_TLS_REASONS = frozenset(("wrong version number", "packet length too long", "record layer failure"))
"""What OpenSSL takes other octets than TLS for, where they come first."""

CLOSED = Explanation(
    "the client closed the connection before TLS was agreed on",
    "the broker closed the connection before TLS was agreed on",
    f"if the port does not speak TLS, {_PLAIN}; if it does, the broker's log says more",
)
CLOSED_WHEN_SEEN = CLOSED._replace(
    log="the client closed the connection when it saw this port's certificate, of {issuer}, for {names}"
)

_NO_VERSION = Explanation(
    "the client has no version of TLS that this port takes (minimum=)",
    "client and broker have no version of TLS in common",
    "one of them is too old for the other",
)
_NO_CIPHER = Explanation(
    "client and port have no cipher in common",
    "client and broker have no cipher in common",
    "one of them is too old for the other",
)

REASONS = {
    "https proxy request": NO_TLS._replace(log="a client spoke plain STOMP to the TLS port"),
    "http request": NO_TLS._replace(log="a client spoke plain HTTP to the TLS port"),
    "unsupported protocol": _NO_VERSION,
    "no protocols available": _NO_VERSION,
    "no shared cipher": _NO_CIPHER,
    "no ciphers available": _NO_CIPHER,
    "peer did not return a certificate": Explanation(
        "the client showed no certificate, and the port wants one (verify=required)",
        "the broker showed no certificate",
        "it can't be believed",
    ),
}
"""What was noticed here, as OpenSSL says it."""

WANTED = Explanation("the client wants another certificate", "the broker wants a client's certificate", _SHOW)

WANTED_IN_OTHER_WORDS = frozenset(("certificate required", "bad certificate", "certificate unknown"))
"""What brokers say to those who have shown none."""

_NOT_ACCEPTED = Explanation(
    "the client does not accept this port's certificate, of {issuer}, for {names}: does it connect by such a"
    " name, and trust the issuer?",
    "the broker does not accept the client's certificate",
    "it is {subject}, issued by {issuer}; the broker's log says why",
)

ALERTS = {
    "unknown ca": Explanation(
        "the client does not trust the issuer of this port's certificate, {issuer}: it has to know that"
        " authority (ca_file), or certKey= lacks the intermediate certificates",
        "the broker does not trust the issuer of the client's certificate, {issuer}",
        "that authority is not in the port's ca=: show another certificate",
    ),
    "bad certificate": _NOT_ACCEPTED,
    "certificate unknown": _NOT_ACCEPTED,
    "unsupported certificate": Explanation(
        "the client does not accept this port's certificate: it is not for servers",
        "the broker does not accept the client's certificate: it is not for clients",
        "stomp-tx cert --client NAME makes one for development",
    ),
    "certificate expired": Explanation(
        "the client says that this port's certificate has expired; it was valid until {until}",
        "the broker says that the client's certificate has expired",
        "it was valid until {until}: get a new one, or see that both clocks are right",
    ),
    "certificate revoked": Explanation(
        "the client says that this port's certificate was revoked",
        "the client's certificate was revoked",
        "{issuer} has taken {subject} back: get a new one",
    ),
    "certificate required": WANTED,
    "handshake failure": Explanation(
        "the client ended the handshake: no cipher in common, or it wants another certificate",
        "the broker ended the handshake",
        f"{MAYBE_WANTED}; or there is no cipher in common: its log says which",
    ),
    "protocol version": _NO_VERSION._replace(log="the client takes no version of TLS that this port has"),
    "insufficient security": _NO_CIPHER,
}
"""What the peer says that is wrong (RFC 8446, 6.2), as OpenSSL calls it."""

OTHER_ALERT = Explanation(
    "the client ended TLS: {text}", "the broker ended TLS: {text}", "the broker's log may say more"
)
OTHER = Explanation("TLS has failed: {text}", "TLS has failed: {text}", "the broker's log may say more")

_UNTRUSTED = Explanation(
    "the client's certificate does not come from an authority in ca=, but from {issuer}",
    "the broker's certificate is not trusted: it comes from {issuer}",
    _TRUST_IT,
)
_NO_WAY_UP = _UNTRUSTED._replace(
    detail=f"{_TRUST_IT}; or the broker does not send the intermediate certificates"
)

REFUSED: dict[int | None, Explanation] = {
    2: _NO_WAY_UP,
    3: Explanation(
        "crl= has no revocation list of {issuer}: no client of it gets in",
        "there is no revocation list of {issuer}",
        "the client has to have one",
    ),
    7: _UNTRUSTED,  # the signature is wrong: of an authority of the same name
    9: Explanation(
        "the client's certificate is not valid yet: {subject} is valid from {since}",
        "the broker's certificate is not valid yet",
        "{subject} is valid from {since}: is this machine's clock right?",
    ),
    10: Explanation(
        "the client's certificate has expired: {subject} was valid until {until}",
        "the broker's certificate has expired",
        "{subject} was valid until {until}: the broker needs a new one, if this machine's clock is right",
    ),
    12: Explanation(
        "the revocation list of {issuer} in crl= is over: no client of it gets in until there is a new one",
        "the revocation list of {issuer} is over",
        "the client has to have a new one",
    ),
    18: Explanation(
        "the client's certificate is self-signed, and not in ca=: {subject}",
        "the broker's certificate is self-signed, and not trusted: {subject}",
        f"if it is the right one, {_TRUST}",
    ),
    19: _UNTRUSTED,
    20: _NO_WAY_UP,
    21: _NO_WAY_UP,
    23: Explanation(
        "the client's certificate was revoked, as crl= says: {subject}",
        "the broker's certificate was revoked",
        "{issuer} has taken {subject} back: the broker needs a new one",
    ),
    26: Explanation(
        "the client's certificate is not for clients: {subject}",
        "the broker's certificate is not for servers",
        "it is {subject}, issued by {issuer}: the broker needs another one",
    ),
    62: Explanation(
        "",
        "the broker's certificate is not for {text}",
        "it is for {names}: connect by such a name, or give the broker a certificate for {text}"
        " (stomp-tx cert --host {text})",
    ),
    None: Explanation(
        "the client's certificate can't be verified: {text}: {subject}, issued by {issuer}",
        "the broker's certificate can't be verified: {text}",
        "it is {subject}, issued by {issuer}",
    ),
}
"""Why a certificate is refused, by OpenSSL's X509_V_ERR; None: for another reason."""
