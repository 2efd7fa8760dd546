"""RabbitMQ with its STOMP plugin, as Debian packages it, where it is installed."""

from __future__ import annotations

import os
from pathlib import Path

# Not /usr/sbin/rabbitmq-server: that one runs this script as the user rabbitmq, in the folders of that user.
SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EPMD = Path("/usr/bin/epmd")
PACKAGE = "rabbitmq-server"
ABSENT = f"rabbitmq is not installed: apt-get install {PACKAGE}"
CONFIGURATION = """\
listeners.tcp = none
stomp.listeners.tcp.1 = 127.0.0.1:{port}
"""
TLS = """\
stomp.listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.certfile = {certificates}/server.pem
ssl_options.keyfile = {certificates}/server.key
"""


def installed() -> bool:
    return SCRIPT.exists() and EPMD.exists()


def version() -> str:
    """The version that is installed, from the name of its folder."""
    return SCRIPT.resolve().parent.parent.name.rpartition("-")[2]


def epmd(port: int) -> tuple[str, ...]:
    """Erlang's register of names in the foreground; a RabbitMQ that found none would leave one behind."""
    return (str(EPMD), "-port", str(port), "-address", "127.0.0.1")


def environment(
    folder: Path,
    port: int,
    epmd_port: int,
    node_port: int,
    tls_port: int | None = None,
    certificates: Path | None = None,
) -> dict[str, str]:
    """Everything RabbitMQ is told, its configuration written to the folder; nothing is inherited but PATH.

    tls_port, certificates -- a second port, and the folder of its server.pem and server.key
    """
    configuration = CONFIGURATION.format(port=port)
    if tls_port is not None:
        configuration += TLS.format(port=tls_port, certificates=certificates)
    (folder / "rabbitmq.conf").write_text(configuration)
    (folder / "enabled_plugins").write_text("[rabbitmq_stomp].\n")
    absent = str(folder / "absent")
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),  # for the Erlang cookie
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_CRASH_DUMP": str(folder / "crash.dump"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": absent,
        "RABBITMQ_CONF_ENV_FILE": absent,
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_NODENAME": f"stomp-tx-{port}@localhost",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        # The script becomes the server instead of staying its parent: there is one process to end.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
