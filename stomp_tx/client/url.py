"""BrokerURL: a broker's address in one word, ``stomp://ann@broker.example:61613/vhost``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from twisted.internet.endpoints import quoteStringArgument

from stomp_tx.client.endpoint_advice import PORT, PORTS, must_be_an_endpoint
from stomp_tx.errors import ConfigurationError

_TLS = {"stomp": False, "tcp": False, "stomp+tls": True, "stomp+ssl": True, "stomps": True}

_KINDS = ("tcp", "tls", "ssl", "unix")
_HOST_AND_PORT = re.compile(r"([^\s:/@]+@)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(:[0-9]+)?")

EXAMPLE = "such as stomp://ann@broker.example:61613 or stomp+tls://broker.example"


@dataclass(frozen=True)
class BrokerURL:
    """What such a word says.

    endpoint -- what ``connect`` takes
    login, passcode, host -- None where it says nothing of them; ``host`` is the virtual host
    """

    endpoint: str
    login: str | None = None
    passcode: str | None = field(default=None, repr=False)
    host: str | None = None

    @classmethod
    def parse(cls, url: str) -> BrokerURL:
        """Of ``stomp://``, ``stomp+tls://`` (``stomps://``) and ``stomp+unix://``; or of an endpoint string.

        Raises ConfigurationError.
        """
        if "://" not in url:
            if _HOST_AND_PORT.fullmatch(url) and url.partition(":")[0] not in _KINDS:
                place = f"127.0.0.1:{url}" if url.isdigit() else url
                raise ConfigurationError(f"{url!a} is no URL of a broker: write stomp://{place}")
            if ":" not in url:
                raise ConfigurationError(f"{url!a} is no URL of a broker", EXAMPLE)
            must_be_an_endpoint(url)
            return cls(url)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # Neither what was given nor what was found in it is shown: it may be a passcode.
            raise ConfigurationError(
                "that is no URL of a broker",
                f"a port is {PORTS}, and # / ? : @ are written %23 %2F %3F %3A %40, {EXAMPLE}",
            ) from None
        if port == 0:
            raise ConfigurationError("that is no URL of a broker", f"a port is {PORTS}, {EXAMPLE}")
        if parts.query or parts.fragment:
            raise ConfigurationError(
                "that is no URL of a broker", "nothing comes after its path; # and ? are written %23 and %3F"
            )
        login = None if parts.username is None else unquote(parts.username)
        passcode = None if parts.password is None else unquote(parts.password)
        if parts.scheme == "stomp+unix":
            return cls(f"unix:{quoteStringArgument(unquote(parts.path))}", login, passcode)
        if parts.scheme not in _TLS:
            known = ", ".join(f"{name}://" for name in ("stomp", "stomp+tls", "stomp+unix"))
            raise ConfigurationError(f"{parts.scheme!a} is no kind of connection", f"there are {known}")
        endpoint = _endpoint(parts, PORT if port is None else port)
        must_be_an_endpoint(endpoint)
        return cls(endpoint, login, passcode, unquote(parts.path[1:]) or None)


def _endpoint(parts: SplitResult, port: int) -> str:
    kind = "tls" if _TLS[parts.scheme] else "tcp"
    return f"{kind}:{quoteStringArgument(parts.hostname or '127.0.0.1')}:{port}"
