"""Target: the broker that a command speaks to, and as whom."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stomp_tx.cli.chosen_context import URL, ChosenContext
from stomp_tx.cli.contexts import Context
from stomp_tx.cli.headers import headers_of
from stomp_tx.cli.passcode import PASSCODE, SEEN, ask, passcode_of
from stomp_tx.cli.usage import WrongUsage, usage

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from stomp_tx.client import StompClient
    from stomp_tx.client.settings import ClientOptions

DEFAULT = "stomp://127.0.0.1:61613"

TIMEOUT = 30.0


@dataclass(frozen=True)
class Target:
    """Where to, and as whom."""

    endpoint: str
    ca_file: str | None
    options: ClientOptions = field(repr=False)
    is_verbose: bool = False

    def arguments(self) -> tuple[Any, dict[str, Any]]:
        """Endpoint and settings, for a client of that broker.  Raises ConfigurationError."""
        if not self.is_verbose:
            return self.endpoint, {"ca_file": self.ca_file, **self.options}
        from twisted.internet import reactor

        from stomp_tx.cli.verbose import VerboseEndpoint
        from stomp_tx.client.endpoint import endpoint_from_string

        endpoint, host = endpoint_from_string(reactor, self.endpoint, self.ca_file)
        host = self.options["host"] or host
        return VerboseEndpoint(endpoint), {**self.options, "host": host}

    def connect(self) -> Deferred[StompClient]:
        """A client of that broker."""
        from stomp_tx.client import connect

        endpoint, settings = self.arguments()
        return connect(endpoint, **settings)


def target_of(given: Context, chosen: ChosenContext | None) -> Target:
    """What is typed wins over the environment, and that over what was selected some day."""
    from twisted.internet.endpoints import quoteStringArgument

    from stomp_tx.client.url import BrokerURL

    with usage():
        told = given if chosen is None else given.over(chosen.context)
        broker = BrokerURL.parse(told.url or os.environ.get(URL) or DEFAULT)
    if told.url is not None and broker.passcode is not None:
        raise WrongUsage(
            SEEN,
            f"put it in ${PASSCODE}, or in the URL of ${URL}, or use --passcode-file",
        )
    endpoint = broker.endpoint
    for name, file in (("certificate", told.cert), ("privateKey", told.key)):
        if file is not None:
            if not endpoint.startswith("tls:"):
                raise WrongUsage(f"{endpoint} has no TLS", "--cert and --key are for stomp+tls://")
            endpoint += f":{name}={quoteStringArgument(file)}"
    if told.ca_file is not None and not endpoint.startswith("tls:"):
        raise WrongUsage(f"{endpoint} has no TLS", "--ca-file is for stomp+tls://")
    login = told.login or broker.login
    passcode = passcode_of(given, chosen, told) or broker.passcode
    if login is not None and passcode is None:
        passcode = ask(login)
    options: ClientOptions = {
        "login": login,
        "passcode": passcode,
        "host": told.vhost or broker.host,
        "headers": headers_of(told.connect_header),
        "connect_timeout": TIMEOUT if told.timeout is None else told.timeout,
    }
    return Target(endpoint, told.ca_file, options)
