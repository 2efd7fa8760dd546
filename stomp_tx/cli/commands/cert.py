"""``stomp-tx cert``."""

from __future__ import annotations

import sys

import click

from stomp_tx.errors import ConfigurationError
from stomp_tx.printable import printable


@click.command(short_help="Make certificates for development.")
@click.argument("folder", default="certs")
@click.option(
    "--host",
    multiple=True,
    metavar="NAME",
    help="A name or address of the server; may be repeated.  [default: localhost, 127.0.0.1, ::1]",
)
@click.option("--client", multiple=True, metavar="USER", help="A client's too; may be repeated.")
@click.option("--days", default=365, metavar="N", show_default=True, help="How long they are good.")
def cert(folder: str, host: tuple[str, ...], client: tuple[str, ...], days: int) -> None:
    """Make an authority (ca.pem, ca.key) in FOLDER (certs), and with it a certificate for a server.

    And for clients, if asked for.  The authority is used again if it is there; the others are replaced.

    For development, and for closed networks: a broker on the internet has a certificate that everybody's
    clients know, as from Let's Encrypt.

    \b
    examples:
      stomp-tx cert
      twistd --nodaemon stomp --port \\
          stomps:61617:privateKey=certs/server.key:certKey=certs/server.pem
          TLS for this machine; clients trust certs/ca.pem
      stomp-tx cert --host broker.lan --host 192.168.1.5 --client ann
      twistd --nodaemon stomp --auth certificate --port \\
          stomps:61617:privateKey=certs/server.key:certKey=certs/server.pem:ca=certs/ca.pem
          and clients that show theirs: certs/client-ann.pem with certs/client-ann.key
    """
    from stomp_tx.net.tls.development_certificates import LOCAL, Authority

    if days < 1:
        raise ConfigurationError("they must be good for a day at least")
    authority = Authority(folder, days)
    written = authority.server(host or LOCAL)
    for user in client:
        written += authority.client(user)
    for path in written:
        print(printable(str(path)))
    folder = printable(folder)
    print(f"clients trust what {folder}/ca.pem has signed; keep {folder}/ca.key to yourself", file=sys.stderr)
